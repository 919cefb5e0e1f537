"""Usage: what was spent, by scope and period: the port that the API reads, and the reader of spend records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from flyball_sdk.checks import a_count, a_text, one_of, wrong

from control.records import record_of, scope_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flyball_sdk.scope import Scope

DAY, MONTH = "day", "month"
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_NANO: Final = 10**9

Key = tuple[str, str, str, str, str]
"""(level, id, tenant, period, start); the tenant is empty where there is none."""


class Usage(Protocol):
    """Whoever knows what was spent."""

    def usage(self, level: str, id: str, tenant: str | None) -> list[dict[str, Any]]:  # noqa: A002 -- the API's word
        """List {period, start, cost_usd, tokens, runs, limit_usd, used_ratio} of a scope, the newest period first."""


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
    if not _DATE.fullmatch(start):
        raise wrong("start", "a date as 2026-01-01", start)
    key = (*scope_in(said), "" if tenant is None else a_text("tenant", tenant), period, start)
    cost, limit = _money("cost_usd", said.get("cost_usd")), _money("limit_usd", said.get("limit_usd"))
    tokens, runs = a_count("tokens", said.get("tokens", 0)), a_count("runs", said.get("runs", 0))
    return Spend(key, a_count("revision", said.get("revision")), cost, tokens, runs, limit, value)


class SpendBook:
    """The newest revision of every record: the order and the number of times they are told do not matter."""

    def __init__(self, rows: Iterable[bytes] = ()) -> None:
        self._rows: dict[tuple[str, str, str], dict[tuple[str, str], Spend]] = {}
        for row in rows:
            self.take(read(row))

    def take(self, spend: Spend) -> bool:
        """Take a record; False: a newer one, or this one, is known."""
        periods = self._rows.setdefault(spend.key[:3], {})
        known = periods.get(spend.key[3:])
        if known is not None and known.revision >= spend.revision:
            return False
        periods[spend.key[3:]] = spend
        return True

    def usage(self, level: str, id: str, tenant: str | None) -> list[dict[str, Any]]:  # noqa: A002 -- the port's word
        """List what a scope has spent."""
        found = self._rows.get((level, id, tenant or ""), {})
        return [
            _told(each) for _, each in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]), reverse=True)
        ]

    def current(self, scope: Scope, tenant: str | None) -> list[Spend]:
        """Give the newest day and month of a scope."""
        rows = self._rows.get((scope.level, scope.id, tenant or ""))
        if rows is None:
            return []
        newest: dict[str, Spend] = {}
        for (period, start), each in rows.items():
            if period not in newest or start > newest[period].key[4]:
                newest[period] = each
        return list(newest.values())


def nano(usd: float) -> int:
    """Give dollars as whole nano-USD."""
    return round(usd * _NANO)


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
