"""Paces: a user's LLM calls a minute, a workflow's money a minute and a day, against what is usual.

What is usual is learnt anew when the flow restarts; until there is evidence enough, nothing is said. Days are kept, and
whom a rule in force limits (`PaceLimits`).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.figures import written
from models.runaways.base import Ladder, Mode, PaceRule
from models.spend.pace_limits import PaceLimits
from models.spend.pace_rows import Pace
from models.spend.rows import Level
from models.spend.user_minutes import UserMinutes
from models.times import rfc3339
from models.verdicts import Action, Verdict, mode_words, verdict_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

NANO = 1_000_000_000
_MINUTE_NS = 60 * NANO
USER_LLM_CALLS = PaceRule(
    "rate.user_llm_calls",
    Ladder(warn=3),
    "{value:full} LLM calls in a minute, {count:.1f} times what users make in 99 of 100 minutes at most ({usual:full})",
)
SPEND_MINUTE = PaceRule(
    "rate.spend_minute",
    Ladder(warn=10),
    "{value:usd} USD in a minute, {count:.1f} times the mean minute of the hour before ({usual:usd})",
)
SPEND_DAY = PaceRule(
    "spend.day_over_baseline",
    Ladder(warn=1.5),
    "{value:usd} USD today, {count:.1f} times the mean of the days before ({usual:usd})",
)
PACE_RULES = (USER_LLM_CALLS, SPEND_MINUTE, SPEND_DAY)
HOUR_MINUTES = 30
"""Minutes with spending, of the last 60, until there is an hour to compare with."""
DAYS, LEAST_DAYS = 7, 3
"""Days before that are looked back on, and how many of them must have been seen."""
_MOST = 100_000
"""Workflows whose last hour is kept; beyond it the half that spent longest ago goes, as names may be made up. So many
are remembered of whom something was said."""
_Setting = tuple[Mode, list[tuple[float, Action]]]


class Found(NamedTuple):
    """What was counted of a scope: `value` is `count` times `usual`."""

    level: str
    id: str
    tenant: str | None
    value: float
    usual: float
    since_ns: int
    at_ns: int


class Paces:
    """The paces of one shard; `setting` gives mode and steps of a rule for a workflow."""

    def __init__(self, setting: Callable[[PaceRule, str | None], _Setting]) -> None:
        self._setting = setting
        mode, steps = setting(USER_LLM_CALLS, None)
        self._first = steps[0][0] if steps and mode != "off" else float("inf")
        """Times the usual at which there is something to say of a user."""
        self._users = UserMinutes()
        self._hours: dict[int, deque[list[int]]] = {}
        """Workflow -> (minute, nano-USD) of the last hour."""
        self._told: OrderedDict[tuple[Any, ...], int] = OrderedDict()
        self.limits = PaceLimits()

    def apply(self, rows: NDArray[Any], names: Mapping[int, str]) -> list[Verdict]:
        """Take in pace rows [row, Pace]; give what is said of them."""
        of_users = rows[:, Pace.LEVEL] == Level.USER
        found = [*self._of_users(rows[of_users], names), *self._of_workflows(rows[~of_users], names)]
        self.limits.note(found)
        return found

    def _of_users(self, rows: NDArray[Any], names: Mapping[int, str]) -> Iterator[Verdict]:
        made = self._users.add(*rows[:, (Pace.ID, Pace.TENANT, Pace.MINUTE, Pace.LLM_CALLS)].T)
        usual = self._users.usual
        if not usual:
            return
        many = np.flatnonzero(made >= self._first * usual)  # nearly none: there are as many rows as users
        for (_, id_, tenant, minute, _, _, at_ns), count in zip(rows[many].tolist(), made[many].tolist(), strict=True):
            found = Found("user", *_texts(names, id_, tenant), count, usual, minute * _MINUTE_NS, at_ns)
            yield from self.judge(USER_LLM_CALLS, found, minute)

    def _of_workflows(self, rows: NDArray[Any], names: Mapping[int, str]) -> Iterator[Verdict]:
        for _, id_, _, minute, cost, _, at_ns in rows.tolist():
            spent, mean = self._workflow(id_, minute, cost)
            found = Found("workflow", *_texts(names, id_, 0), spent / NANO, mean / NANO, minute * _MINUTE_NS, at_ns)
            yield from self.judge(SPEND_MINUTE, found, minute)

    def judge(self, rule: PaceRule, found: Found, period: object) -> Iterator[Verdict]:
        """Give the steps that are reached and not told in this period; none where it is not known what is usual."""
        if found.usual <= 0:
            return
        count = found.value / found.usual
        mode, steps = self._setting(rule, found.id if found.level == "workflow" else None)
        if mode == "off" or not steps or count < steps[0][0]:
            return
        key = rule.id, found.level, found.id, found.tenant, period
        for number, (limit, action) in enumerate(steps, 1):
            if count >= limit and self._told.get(key, 0) < number:
                self._told[key] = number
                yield _verdict(rule, found, mode, action, (count, limit, number), period)
        while len(self._told) > _MOST:
            self._told.popitem(last=False)

    def _workflow(self, workflow: int, minute: int, cost: int) -> tuple[int, float]:
        """Give the spending of a minute so far, and the mean minute of the hour before; 0: it is not known."""
        if workflow not in self._hours and len(self._hours) >= _MOST:
            newest = sorted(self._hours, key=lambda name: self._hours[name][-1][0])[_MOST // 2 :]
            self._hours = {name: self._hours[name] for name in newest}
        hour = self._hours.setdefault(workflow, deque())
        while hour and hour[0][0] < minute - 60:
            hour.popleft()
        if not hour or minute > hour[-1][0]:
            hour.append([minute, 0])
        if minute < hour[-1][0]:  # late: it is added where it belongs, and nothing is said of it
            for kept in hour:
                kept[1] += cost if kept[0] == minute else 0
            return 0, 0.0
        hour[-1][1] += cost
        before = [kept[1] for kept in hour if kept[0] < minute]
        return hour[-1][1], sum(before) / 60 if len(before) >= HOUR_MINUTES else 0.0


def _texts(names: Mapping[int, str], id_: int, tenant: int) -> tuple[str, str | None]:
    return names.get(id_, "unknown"), names.get(tenant)


def _verdict(
    rule: PaceRule, found: Found, mode: Mode, action: Action, step: tuple[float, float, int], period: object
) -> Verdict:
    count, limit, number = step
    tenant = found.id if found.level == "tenant" else found.tenant
    evidence = {
        "count": round(count, 6),
        "limit": limit,
        "value": round(found.value, 9),
        "usual": round(found.usual, 9),
        "first_at": rfc3339(found.since_ns),
        "mode": mode,
    }
    return Verdict(
        id=verdict_id(rule.id, found.level, found.id, found.tenant or "", str(period), str(number), *mode_words(mode)),
        at_ns=found.at_ns,
        level=found.level,
        scope=found.id,
        action=action,
        rule=rule.id,
        reason=written(rule.reason, {"count": count, "value": found.value, "usual": found.usual}),
        evidence=evidence | ({"tenant": tenant} if tenant else {}),
        generation=found.since_ns // _MINUTE_NS,
    )
