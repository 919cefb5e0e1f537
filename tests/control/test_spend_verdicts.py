"""Budgets of the flow and the control plane together: killed at the hard limit, let go at the next period, and anew."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import orjson
from flyball_sdk.scope import Scope

from control.contributions import Book, Place, Rules
from control.verdicts import read
from models.spend.budget import Budget, Calendar
from models.spend.rows import Level, Spend
from models.spend.table import SpendTable

NANO = 1_000_000_000
DAY_S = 86_400
DAY = int(datetime(2026, 3, 10, tzinfo=UTC).timestamp()) // DAY_S
NAMES = {1: "ann", 11: "acme"}
ANN = Place(Scope("user", "ann"), "acme")


def spend(table: SpendTable, book: Book, day: int, usd: int, at_s: int) -> tuple[bool, bool]:
    """Spend, look, and apply what is said; gives whether the user is killed, and throttled."""
    row = np.zeros((1, len(Spend)), np.int64)
    row[0] = Level.USER, 1, 11, 0, day * 96, usd * NANO, 0, 1
    if usd:
        table.apply(row, NAMES)
    for verdict in table.look(at_s).verdicts:
        book.apply(read(orjson.dumps(verdict.record())))
    state = book.state(ANN)
    return state.kill, state.throttle is not None


def test_a_budget_kills_lets_go_and_kills_again() -> None:
    """By the default that `spend.*` may lift its own kill; without it a person must resume."""
    table = SpendTable([Budget("daily", "user", "day", 4 * NANO, 8 * NANO)], Calendar(ZoneInfo("UTC")))
    book, firm = Book(Rules(frozenset({"spend.*"}))), Book(Rules())
    assert spend(table, book, DAY, 3, DAY * DAY_S + 10) == (False, False)
    assert spend(table, book, DAY, 2, DAY * DAY_S + 20) == (False, True)
    assert spend(table, book, DAY, 4, DAY * DAY_S + 30) == (True, True)
    assert spend(table, book, DAY + 1, 0, (DAY + 1) * DAY_S) == (False, False)
    assert spend(table, book, DAY + 1, 9, (DAY + 1) * DAY_S + 10) == (True, True)
    again = SpendTable([Budget("daily", "user", "day", NANO, NANO)], Calendar(ZoneInfo("UTC")))
    assert spend(again, firm, DAY, 2, DAY * DAY_S + 10) == (True, True)
    assert spend(again, firm, DAY, 0, (DAY + 1) * DAY_S)[0]


def test_a_resume_does_not_hide_the_kill_that_follows() -> None:
    """Throttled, resumed by a person, then beyond the hard limit."""
    table = SpendTable([Budget("daily", "user", "day", 4 * NANO, 8 * NANO)], Calendar(ZoneInfo("UTC")))
    book = Book(Rules(frozenset({"spend.*"})))
    assert spend(table, book, DAY, 5, DAY * DAY_S + 20) == (False, True)
    book.resume(ANN.scope, ANN.tenant, everybody=False)
    assert spend(table, book, DAY, 0, DAY * DAY_S + 30) == (False, False)
    assert spend(table, book, DAY, 4, DAY * DAY_S + 40)[0]


def test_a_raised_budget_lets_go_and_is_told_anew() -> None:
    """At 2 a.m. the limit is raised, and the flow started again."""
    book = Book(Rules(frozenset({"spend.*"})))
    table = SpendTable([Budget("daily", "user", "day", 4 * NANO, 4 * NANO)], Calendar(ZoneInfo("UTC")))
    assert spend(table, book, DAY, 5, DAY * DAY_S + 20) == (True, True)
    raised = SpendTable([Budget("daily", "user", "day", 100 * NANO, 200 * NANO)], Calendar(ZoneInfo("UTC")))
    raised = SpendTable.load(raised, table.dump(), [])
    assert spend(raised, book, DAY, 0, DAY * DAY_S + 60) == (False, False)
    assert spend(raised, book, DAY, 95, DAY * DAY_S + 70) == (False, True)


def test_the_next_period_is_told_at_once() -> None:
    """Who reserves by the newest record is not held back by yesterday's."""
    table = SpendTable([Budget("daily", "user", "day", 4 * NANO)], Calendar(ZoneInfo("UTC")))
    spend(table, Book(), DAY, 5, DAY * DAY_S + 20)
    records = table.look((DAY + 1) * DAY_S, is_last=True).records
    days = {each["start"]: (each["cost_usd"], each["limit_usd"]) for each in records if each["period"] == "day"}
    assert days["2026-03-11"] == (0, 4)


def test_late_spend_of_yesterday_neither_frees_nor_stops_today() -> None:
    """Killed today stays killed, whatever yesterday still costs; who is within today's budget stays free."""
    table = SpendTable([Budget("daily", "user", "day", 4 * NANO, 8 * NANO)], Calendar(ZoneInfo("UTC")))
    book, morning = Book(Rules(frozenset({"spend.*"}))), (DAY + 1) * DAY_S
    assert spend(table, book, DAY, 3, DAY * DAY_S + 10) == (False, False)
    assert spend(table, book, DAY, 9, morning + 60) == (False, False)
    assert spend(table, book, DAY + 1, 9, morning + 120) == (True, True)
    assert spend(table, book, DAY, 50, morning + 180) == (True, True)
    assert spend(table, book, DAY, 0, morning + DAY_S - 1) == (True, True)
    assert spend(table, book, DAY, 0, morning + DAY_S) == (False, False)


class Both:
    """A flow that restarts with other budgets, and a control plane that takes each id once."""

    def __init__(self) -> None:
        self.book, self._ids, self._kept, self._life = Book(Rules()), set[str](), b"", 0

    def throttled(self, at_s: int, *budgets: Budget, usd: int = 0) -> bool:
        """Restart with these budgets, spend, look; give whether the user is throttled."""
        self._life += 1
        table = SpendTable(budgets, Calendar(ZoneInfo("UTC")), self._life)
        table = SpendTable.load(table, self._kept, []) if self._kept else table
        if usd:
            row = np.zeros((1, len(Spend)), np.int64)
            row[0] = Level.USER, 1, 11, 0, at_s // DAY_S * 96, usd * NANO, 0, 1
            table.apply(row, NAMES)
        said = [*table.look(at_s).verdicts, *table.look(at_s + 1).verdicts]
        for verdict in [each for each in said if each.id not in self._ids]:
            self._ids.add(verdict.id)
            self.book.apply(read(orjson.dumps(verdict.record())))
        self._kept = table.dump()
        return self.book.state(ANN).throttle is not None


def daily(limit: int, **whom: str) -> Budget:
    """Give a budget of each user's day."""
    return Budget("daily", "user", "day", limit * NANO, **whom)


def test_a_limit_that_is_raised_and_put_back_holds_again() -> None:
    """As often as it is changed within its period; the next period begins free."""
    both, now = Both(), DAY * DAY_S
    assert both.throttled(now + 10, daily(4), usd=5)
    for times in range(3):
        assert not both.throttled(now + 100 * times + 20, daily(8))
        assert both.throttled(now + 100 * times + 40, daily(4))
        assert not both.throttled(now + 100 * times + 60)
        assert both.throttled(now + 100 * times + 80, daily(4))
    assert not both.throttled(now + DAY_S, daily(4))
    assert not both.throttled(now + DAY_S + 10)
    assert not both.throttled(now + DAY_S + 20, daily(4)), "yesterday is told anew"


def test_a_budget_that_is_no_more_of_somebody_limits_them_no_more() -> None:
    """One of the same name and limit, but of another user, tenant, plan or period."""
    of_tenants = Budget("daily", "tenant", "day", 4 * NANO)
    for other in (daily(4, id="bob"), daily(4, tenant="bolt"), daily(4, tier="free"), of_tenants):
        both, now = Both(), DAY * DAY_S
        assert both.throttled(now + 10, daily(4), usd=5)
        assert not both.throttled(now + 20, other), other
        assert both.throttled(now + 30, daily(4)), other
    both = Both()
    assert both.throttled(now + 10, Budget("daily", "user", "month", 4 * NANO), usd=5)
    assert not both.throttled(now + DAY_S, daily(4)), "a month's budget limits, though it is a day's now"
