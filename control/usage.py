"""Usage: what was spent, by scope and period, from the spend records of the flow."""

from __future__ import annotations

import re
from collections import Counter as Counts
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flyball_sdk.checks import a_count, a_text, one_of, wrong

from control.records import record_of, scope_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flyball_sdk.scope import Scope

DAY, MONTH = "day", "month"
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_NANO: Final = 10**9
_KEPT_DAYS: Final = 62
"""A period is kept so long after it began, as in the flow."""

Key = tuple[str, str, str, str, str]
"""(level, id, tenant, period, start); the tenant is empty where there is none."""


class Spend(NamedTuple):
    """One record: absolute, of one scope and period. Money is in nano-USD; None: not known, no limit."""

    key: Key
    revision: int
    cost: int | None
    tokens: int
    runs: int
    limit: int | None
    record: bytes


def read(value: bytes) -> Spend:
    """Read a `{"kind":"spend"}` record; raises MalformedError."""
    said = record_of("spend", value)
    tenant = said.get("tenant")
    period, start = one_of("period", said.get("period"), (DAY, MONTH)), a_text("start", said.get("start"))
    if not _is_date(start):
        raise wrong("start", "a date as 2026-01-01", start)
    key = (*scope_in(said), "" if tenant is None else a_text("tenant", tenant), period, start)
    cost, limit = _money("cost_usd", said.get("cost_usd")), _money("limit_usd", said.get("limit_usd"))
    tokens, runs = a_count("tokens", said.get("tokens", 0)), a_count("runs", said.get("runs", 0))
    return Spend(key, a_count("revision", said.get("revision")), cost, tokens, runs, limit, value)


class SpendBook:
    """The newest revision of every record: the order and the number of times they are told do not matter.

    Periods that began long before the newest are forgotten. One thread tells, any may read.
    """

    def __init__(self, rows: Iterable[bytes] = ()) -> None:
        self._rows: dict[tuple[str, str, str], dict[tuple[str, str], Spend]] = {}
        self._current: dict[tuple[str, str, str], dict[str, Spend]] = {}
        """The newest day and month; each is replaced, never changed, as evaluations read it meanwhile."""
        self.taken = 0
        """Records that changed something: what waits for news looks at it."""
        self._newest = self._since = ""
        """Begin of the newest period, and of the oldest that are kept."""
        for row in rows:
            self.take(read(row))

    def take(self, spend: Spend) -> bool:
        """Take a record; False: a newer one, or this one, is known, or its period is forgotten."""
        whose, (period, start) = spend.key[:3], spend.key[3:]
        if start < self._since:
            return False
        periods = self._rows.setdefault(whose, {})
        known = periods.get((period, start))
        if known is not None and known.revision >= spend.revision:
            return False
        periods[period, start] = spend
        self.taken += 1
        current = self._current.get(whose, {})
        if period not in current or start >= current[period].key[4]:
            self._current[whose] = {**current, period: spend}
        self._newest = max(self._newest, start)
        return True

    def forget(self) -> list[Key]:
        """Forget periods that began long before the newest; gives their keys."""
        if not self._newest:
            return []
        since = date.fromordinal(max(1, date.fromisoformat(self._newest).toordinal() - _KEPT_DAYS)).isoformat()
        if since == self._since:
            return []
        self._since = since
        gone = [each.key for periods in self._rows.values() for each in periods.values() if each.key[4] < since]
        for key in gone:
            del self._rows[key[:3]][key[3:]]
        for whose in {key[:3] for key in gone}:
            current = self._current[whose]
            self._current[whose] = {period: each for period, each in current.items() if each.key[4] >= since}
            if not self._rows[whose]:
                del self._rows[whose], self._current[whose]
        return gone

    def usage(self, level: str, id: str, tenant: str | None) -> list[dict[str, Any]]:  # noqa: A002 -- the API's word
        """List {period, start, cost_usd, tokens, runs, limit_usd, used_ratio} of a scope, the newest period first."""
        found = self._rows.get((level, id, tenant or ""), {})
        return [
            _told(each) for _, each in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]), reverse=True)
        ]

    def newest(self, today: str) -> list[dict[str, Any]]:
        """List the newest day and month of every scope, with level, id and tenant, and whether it is that one now."""
        found = []
        for (level, name, tenant), periods in list(self._current.items()):
            whose = {"level": level, "id": name, "tenant": tenant or None}
            found += [{**whose, **_told(each), "is_now": _is_now(each, today)} for each in periods.values()]
        return found

    def now(self, scope: Scope, tenant: str | None, today: str) -> list[Spend]:
        """Give the day and month that it is: of one that nothing is told of yet, the limit it had and nothing spent."""
        return [
            each if _is_now(each, today) else each._replace(cost=0, tokens=0, runs=0)
            for each in self.current(scope, tenant)
        ]

    def near(self, today: str) -> Counts[str]:
        """Count, by level, who has used 75 % or more of a budget of the day or month that it is."""
        return Counts(
            level
            for (level, _, _), periods in list(self._current.items())
            if any(_is_near(each) and _is_now(each, today) for each in periods.values())
        )

    def current(self, scope: Scope, tenant: str | None) -> list[Spend]:
        """Give the newest day and month of a scope that anything is told of."""
        return list(self._current.get((scope.level, scope.id, tenant or ""), {}).values())


def _is_now(spend: Spend, today: str) -> bool:
    """Say whether it is of the day or month that it is."""
    period, start = spend.key[3:]
    return start >= begin_of(period, today)


def begin_of(period: str, today: str) -> str:
    """Give the first day of the day or month that it is, as ISO dates."""
    return today if period == DAY else f"{today[:7]}-01"


def _is_near(spend: Spend) -> bool:
    return spend.limit is not None and spend.cost is not None and 4 * spend.cost >= 3 * spend.limit


def nano(usd: float) -> int:
    """Give dollars as whole nano-USD."""
    return round(usd * _NANO)


def _is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def _money(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _NANO:
        raise wrong(name, "a number from 0, or null", value)
    return nano(value)


def _told(spend: Spend) -> dict[str, Any]:
    _, _, _, period, start = spend.key
    ratio = None if spend.cost is None or not spend.limit else spend.cost / spend.limit
    return {
        "period": period,
        "start": start,
        "cost_usd": None if spend.cost is None else spend.cost / _NANO,
        "tokens": spend.tokens,
        "runs": spend.runs,
        "limit_usd": None if spend.limit is None else spend.limit / _NANO,
        "used_ratio": ratio,
    }
