# ruff: noqa: RUF009, TC003 -- `key` declares a field as `dataclasses.field` does; the types are read at run time
"""The keys of `policy.yaml`: what an agent may do, and what happens when it does more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from flyball.config.drift import DriftKeys
from flyball.config.schema import Between, Wrong, key, needed, section

Number = Annotated[float, Between(0)]
_STEPS = ("warn", "throttle", "bound", "block", "kill")
"""Of a rule, the strictest last."""
Level = Literal["user", "tenant", "workflow", "product"]


@dataclass(frozen=True)
class RuleKeys:
    """One rule on runaways; what is not said is as it is built in. A count of 0 takes a step away."""

    mode: Literal["off", "shadow", "enforce"] | None = key(None, "shadow: verdicts are recorded, nothing obeys them")
    limit: Number | None = key(None, "short for `warn` at three quarters of it and `kill` at it")
    warn: Number | None = key(None, "from this count on people are told")
    throttle: Number | None = key(None, "from this count on the run is slowed down")
    bound: Number | None = key(None, "from this count on the run may only read, and write what can be undone")
    block: Number | None = key(None, "from this count on the tool is blocked for the run")
    kill: Number | None = key(None, "from this count on the run is stopped")

    def wrong(self) -> Iterator[Wrong]:
        """Yield steps that would come after a stricter one: they are never reached."""
        steps = [(name, count) for name in _STEPS if (count := getattr(self, name))]
        for (name, count), (stricter, limit) in pairwise(steps):
            if count > limit:
                yield Wrong(name, f"{count:g}", f"at most `{stricter}`, {limit:g}: what is stricter comes later")


@dataclass(frozen=True)
class RunawayKeys:
    """Rules on open runs: [the governor](governor.md) says what each counts."""

    rules: Mapping[str, RuleKeys] = key({}, "by rule, as `cap.llm_calls`")
    workflows: Mapping[str, Mapping[str, RuleKeys]] = key({}, "by workflow, then by rule: comes before `rules`")
    tools: Mapping[str, tuple[str, ...]] = key({}, "by workflow: the tools it has; else they are learnt")


@dataclass(frozen=True)
class BudgetKeys:
    """A spend budget: what each of a kind may spend in a period."""

    name: str | None = needed("its name, in verdicts and incidents")
    level: Level | None = needed("what each has a budget of its own")
    period: Literal["day", "month"] = key("day", "calendar day or month, in `spend.time_zone`")
    limit: Number | None = needed("USD: people are told at 50 and 75 %, at 100 % it is throttled")
    hard: Number | None = key(None, "USD: here it is killed, until the period ends")
    id: str | None = key(None, "only this user, tenant or workflow")
    tenant: str | None = key(None, "only users of this tenant")
    tier: str | None = key(None, "only users of this plan")

    def wrong(self) -> Iterator[Wrong]:
        """Yield a hard limit below the soft one, and what only users have."""
        if self.hard is not None and self.limit is not None and self.hard < self.limit:
            yield Wrong("hard", f"{self.hard:g}", f"at least limit, {self.limit:g}")
        for name in ("tenant", "tier"):
            if getattr(self, name) is not None and self.level not in (None, "user"):
                yield Wrong(name, f"{name} with level {self.level}", "it with level user: others have none")


@dataclass(frozen=True)
class SpendKeys:
    """Spend budgets. A run's spend counts for the day on which it began."""

    time_zone: ZoneInfo = key(ZoneInfo("UTC"), "in which days and months begin")
    budgets: tuple[BudgetKeys, ...] = key((), "budgets; where several fit, each holds")

    def wrong(self) -> Iterator[Wrong]:
        """Yield names that stand for two budgets."""
        seen: set[str] = set()
        for place, budget in enumerate(self.budgets):
            if budget.name in seen:
                yield Wrong(f"budgets.{place}.name", f"'{budget.name}' again", "a name of its own")
            seen.add(budget.name or "")


@dataclass(frozen=True)
class PolicyFile:
    """Everything that `policy.yaml` says."""

    runaways: RunawayKeys = section(RunawayKeys)
    spend: SpendKeys = section(SpendKeys)
    drift: DriftKeys = section(DriftKeys)
