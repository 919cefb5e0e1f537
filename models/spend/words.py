"""Words of spend: the verdict, incident and clearing of a step of a budget."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from models.figures import usd
from models.incidents.book import Facts, Ident
from models.incidents.incident import Severity
from models.spend.budget import PeriodKind
from models.verdicts import Action, Verdict, verdict_id

if TYPE_CHECKING:
    from models.spend.budget import Budget, Step

NANO = 1_000_000_000
CLASS = "spend.budget"
Key = tuple[str, str, str | None, PeriodKind, str]
"""Level, id, tenant (of a user), period, and the first day of it."""
Amounts = tuple[int, int]
"""Spent so far: nano-USD, tokens."""
_MOST_STEPS = 16


class Taken(NamedTuple):
    """How many steps of a budget were told, since it came back for the `turn`th time in their period."""

    turn: int
    steps: int

    @classmethod
    def of(cls, kept: int) -> Taken:
        """Read what `kept` gave."""
        return cls(*divmod(kept, _MOST_STEPS))

    @property
    def kept(self) -> int:
        """Give it as one number."""
        return self.turn * _MOST_STEPS + self.steps

    def words(self) -> tuple[str, ...]:
        """Give what tells the verdicts of a turn from those before."""
        return (f"again {self.turn}",) if self.turn else ()


def verdict_of(budget: Budget, key: Key, spent: Amounts, step: Step, now_s: int, taken: Taken) -> Verdict:
    """Give the verdict of a step that was reached; told again it is the same."""
    words = *map(str, key), str(step.percent), str(step.action), *taken.words()
    return Verdict(
        id=verdict_id("spend", budget.version, *words),
        at_ns=now_s * NANO,
        level=key[0],
        scope=key[1],
        action=step.action,
        rule=f"spend.{budget.name}",
        reason=f"the budget of this {key[3]} is used up by {step.percent} %",
        evidence=_evidence(budget, key, spent, step),
        generation=now_s,
    )


def cleared(version: str, key: Key, now_s: int, taken: Taken, *, is_over: bool) -> Verdict:
    """Give the verdict that lets go of what a budget limited: its period is over, or it is no more what it was."""
    name = version.partition("\x1f")[0]
    evidence = {"count": 0, "limit": 0, "period": key[3], "start": key[4], "mode": "enforce"}
    return Verdict(
        id=verdict_id("spend", version, *map(str, key), "clear", *taken.words()),
        at_ns=now_s * NANO,
        level=key[0],
        scope=key[1],
        action=Action.CLEAR,
        rule=f"spend.{name}",
        reason=f"a new {key[3]} has begun" if is_over else "the budget is no more what it was",
        evidence=evidence | _tenant(key),
        generation=now_s,
    )


def facts_of(budget: Budget, key: Key, spent: Amounts, step: Step) -> Facts:
    """Give what the incident of a step says."""
    whose = "the product" if key[0] == "product" else f"{key[0]} {key[1]}"
    whose += f" of tenant {key[2]}" if key[2] else ""
    title = f"{whose} has used {step.percent} % of the budget {budget.name}"
    text = (
        f"{whose}: {usd(spent[0] / NANO)} of {usd(budget.limit / NANO)} USD spent this {key[3]}, budget {budget.name}"
    )
    return Facts(title, text, _evidence(budget, key, spent, step), owner="cost", tenant=_tenant(key).get("tenant"))


def severity_of(step: Step) -> Severity:
    """Give how bad a step is: what limits someone is harm, what warns is a pattern."""
    return Severity.SEV_3 if step.action is Action.WARN else Severity.SEV_2


def ident_of(budget: Budget, key: Key, step: Step) -> Ident:
    """Give the incident of a step: one a budget, scope and period."""
    start = key[4][:7] if key[3] == "month" else key[4]
    scope = key[1] if key[2] is None else f"{key[2]}/{key[1]}"
    return Ident(CLASS, f"spend.{budget.name} {step.percent}% {start}", key[0], scope)


def period_of(ident: Ident) -> tuple[PeriodKind, date]:
    """Give the period of a step's incident, and its first day."""
    start = ident.rule.rpartition(" ")[2]
    return ("day", date.fromisoformat(start)) if start.count("-") > 1 else ("month", date.fromisoformat(f"{start}-01"))


def _evidence(budget: Budget, key: Key, spent: Amounts, step: Step) -> dict[str, Any]:
    return {
        "count": spent[0] / NANO,
        "limit": step.nano / NANO,
        "period": key[3],
        "start": key[4],
        "budget": budget.name,
        **_tenant(key),
        "mode": "enforce",
        "tokens_so_far": spent[1],
    }


def _tenant(key: Key) -> dict[str, str]:
    """Give the tenant whose scope it is, where it is one's."""
    tenant = key[1] if key[0] == "tenant" else key[2]
    return {"tenant": tenant} if tenant else {}
