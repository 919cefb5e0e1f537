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
