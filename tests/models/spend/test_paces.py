"""Paces: users' calls and workflows' money by the minute and the day, against what is usual, by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import orjson
from flyball_sdk.scope import Scope

from control.contributions import Book, Place
from control.verdicts import read
from models.runaways.policy import RuleSetting, RunawayPolicy
from models.runs.pulse import NEW_RUN, Pulse
from models.spend.budget import Calendar
from models.spend.pace_rows import Pace, pace_rows
from models.spend.paces import HOUR_MINUTES, Paces
from models.spend.rows import Level, Spend
from models.spend.table import SpendTable
from models.spend.user_minutes import LEARNT as USER_MINUTES
from models.verdicts import Action, Verdict

if TYPE_CHECKING:
    import pytest

NANO = 1_000_000_000
NAMES = {1: "air", 11: "acme", 21: "ann", 22: "bob"}
DAY = 20_500


def paces(policy: RunawayPolicy | None = None) -> Paces:
    """Give paces with the built-in rules."""
    return Paces((policy or RunawayPolicy()).steps_of)


def feed(
    into: Paces, level: Level, name: int, minute: int, *, cost: int = 0, calls: int = 0
) -> list[tuple[str, Action]]:
    """Apply one row; give (rule, action) of what is said."""
    row = np.zeros((1, len(Pace)), np.int64)
    row[0] = level, name, 11 if level == Level.USER else 0, minute, cost, calls, minute * 60 * NANO
    return [(verdict.rule, verdict.action) for verdict in into.apply(row, NAMES)]


def test_rows_are_the_growth_by_minute() -> None:
    """What was there before is not told again; what is taken back is nothing; users and workflows apart."""
    rows = np.zeros((3, len(Pulse)), np.int64)
    rows[:, Pulse.BEFORE_BEGAN] = NEW_RUN
    for at, (before, now, calls, user) in enumerate([(0, 5, 2, 21), (5, 9, 1, 21), (9, 4, 1, 0)]):
        rows[at, Pulse.BEFORE_COST], rows[at, Pulse.COST] = before, now
        rows[at, Pulse.LLM_CALLS], rows[at, Pulse.USER], rows[at, Pulse.WORKFLOW] = calls, user, 1
        rows[at, Pulse.LAST], rows[at, Pulse.TENANT] = (120 + at) * NANO, 11
    told = [tuple(row) for row in pace_rows(rows).tolist()]
    assert told == [(Level.WORKFLOW, 1, 0, 2, 9, 3, 121 * NANO), (Level.USER, 21, 11, 2, 9, 3, 121 * NANO)]


def test_a_user_that_calls_far_more_than_users_do() -> None:
    """99 of 100 active minutes have at most 4 calls: 12 in one warn, 40 throttle, each once; another minute is anew."""
    of = paces(RunawayPolicy({"rate.user_llm_calls": RuleSetting(throttle=10)}))
    for minute in range(USER_MINUTES + 1):
        assert feed(of, Level.USER, 22, minute, calls=4) == []
    late = USER_MINUTES + 10
    assert feed(of, Level.USER, 21, late, calls=11) == []
    assert feed(of, Level.USER, 21, late, calls=1) == [("rate.user_llm_calls", Action.WARN)]
    assert feed(of, Level.USER, 21, late, calls=28) == [("rate.user_llm_calls", Action.THROTTLE)]
    assert feed(of, Level.USER, 21, late, calls=100) == []
    assert feed(of, Level.USER, 21, late + 1, calls=12) == [("rate.user_llm_calls", Action.WARN)]


def test_without_evidence_nothing_is_said() -> None:
    """However many calls there are."""
    of = paces()
    for minute in range(USER_MINUTES - 1):
        feed(of, Level.USER, 22, minute, calls=1)
    assert feed(of, Level.USER, 21, USER_MINUTES, calls=9999) == []


def test_a_minute_against_the_hour_before() -> None:
    """60 minutes at 2 USD: 20 USD in one warn; the mean is over the hour, not over its busy minutes."""
    of = paces()
    for minute in range(60):
        assert feed(of, Level.WORKFLOW, 1, minute, cost=2 * NANO) == []
    assert feed(of, Level.WORKFLOW, 1, 60, cost=19 * NANO) == []
    assert feed(of, Level.WORKFLOW, 1, 60, cost=NANO) == [("rate.spend_minute", Action.WARN)]
    half = paces()
    for minute in range(0, 2 * HOUR_MINUTES, 2):
        feed(half, Level.WORKFLOW, 1, minute, cost=2 * NANO)
    assert feed(half, Level.WORKFLOW, 1, 60, cost=10 * NANO) == [("rate.spend_minute", Action.WARN)]


def test_made_up_workflows_do_not_keep_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many spend something once: one that goes on spending is known, also one that begins after them."""
    monkeypatch.setattr("models.spend.paces._MOST", 20)
    of = paces()
    for minute in range(60):
        for name in range(3):
            feed(of, Level.WORKFLOW, 1000 * minute + 500 + name, minute, cost=NANO)
        feed(of, Level.WORKFLOW, 1, minute, cost=2 * NANO)
    assert feed(of, Level.WORKFLOW, 1, 60, cost=20 * NANO) == [("rate.spend_minute", Action.WARN)]
    for minute in range(60, 120):
        feed(of, Level.WORKFLOW, 2, minute, cost=2 * NANO)
    assert feed(of, Level.WORKFLOW, 2, 120, cost=20 * NANO) == [("rate.spend_minute", Action.WARN)]


def test_a_rule_that_is_off_says_nothing() -> None:
    """By policy, for one workflow."""
    policy = RunawayPolicy(workflows={"air": {"rate.spend_minute": RuleSetting(mode="off")}})
    of = paces(policy)
    for minute in range(60):
        feed(of, Level.WORKFLOW, 1, minute, cost=NANO)
    assert feed(of, Level.WORKFLOW, 1, 60, cost=999 * NANO) == []


def day(of: SpendTable, number: int, usd: int) -> list[Verdict]:
    """Spend on a day, and look at noon."""
    row = np.zeros((1, len(Spend)), np.int64)
    row[0] = Level.WORKFLOW, 1, 0, 0, number * 96, usd * NANO, 0, 1
    of.apply(row, NAMES)
    return of.look(number * 86_400 + 43_200).verdicts


def test_a_day_against_the_week_before() -> None:
    """10, 20 and 30 USD on the days before: 29 on the fourth is nothing, 30 warns, once, also after a restart."""

    def table() -> SpendTable:
        return SpendTable((), Calendar(ZoneInfo("UTC")), paces=paces())

    of = table()
    assert [day(of, DAY + number, usd) for number, usd in enumerate((10, 20, 30))] == [[], [], []]
    assert day(of, DAY + 3, 29) == []
    (told,) = day(of, DAY + 3, 1)
    assert (told.rule, told.action, told.scope) == ("spend.day_over_baseline", Action.WARN, "air")
    assert told.evidence == {
        "count": 1.5,
        "limit": 1.5,
        "value": 30,
        "usual": 20,
        "first_at": "2026-02-19T00:00:00.000000Z",
        "mode": "shadow",
    }
    assert day(of, DAY + 3, 1) == []
    again = SpendTable.load(table(), of.dump(), [])
    assert [each.id for each in again.look((DAY + 3) * 86_400 + 50_000).verdicts] == [told.id]  # one id, acted on once


def book_of(verdicts: list[Verdict], book: Book) -> Book:
    """Let the control plane take verdicts."""
    for each in verdicts:
        book.apply(read(orjson.dumps(each.record())))
    return book


def throttled(book: Book, level: str, name: str, tenant: str | None) -> bool:
    """Say whether someone is throttled."""
    return book.state(Place(Scope(level, name), tenant)).throttle is not None


def test_a_throttle_ends_when_the_pace_has_gone_back() -> None:
    """Ten minutes after the last minute that was too much, also over a restart; a later one throttles again."""
    rule = RuleSetting(mode="enforce", warn=0, throttle=3)

    def table() -> SpendTable:
        of = paces(RunawayPolicy({"rate.user_llm_calls": rule}))
        for minute in range(USER_MINUTES + 1):
            feed(of, Level.USER, 22, minute, calls=4)
        return SpendTable((), Calendar(ZoneInfo("UTC")), paces=of)

    def minute(of: SpendTable, number: int, calls: int) -> list[Verdict]:
        row = np.array([[Level.USER, 21, 11, number, 0, calls, number * 60 * NANO]], np.int64)
        of.pace(row, NAMES)
        return of.look(number * 60 + 30).verdicts

    of, begin, book = table(), DAY * 1440, Book()
    for number in (0, 5):
        assert throttled(book_of(minute(of, begin + number, 50), book), "user", "ann", "acme")
    of = SpendTable.load(table(), of.dump(), [])
    assert [minute(of, begin + number, 1) for number in (6, 14)] == [[], []]
    (told,) = minute(of, begin + 15, 1)
    assert (told.action, told.rule, told.scope) == (Action.CLEAR, "rate.user_llm_calls", "ann")
    assert not throttled(book_of([told], book), "user", "ann", "acme")
    assert throttled(book_of(minute(of, begin + 16, 50), book), "user", "ann", "acme")
    of = SpendTable.load(table(), of.dump(), [of.take_delta()])
    assert not throttled(book_of(of.look((begin + 27) * 60).verdicts, book), "user", "ann", "acme")
    assert of.look((begin + 90) * 60).verdicts == []


def test_a_throttle_of_a_day_ends_with_it() -> None:
    """It is let go of when the day is over, and not before."""
    rule = RuleSetting(mode="enforce", warn=0, throttle=1.5)
    of = SpendTable((), Calendar(ZoneInfo("UTC")), paces=paces(RunawayPolicy({"spend.day_over_baseline": rule})))
    book = Book()
    for number, usd in enumerate((10, 20, 30, 30)):
        book_of(day(of, DAY + number, usd), book)
    assert throttled(book, "workflow", "air", None)
    assert of.look((DAY + 4) * 86_400 - 1).verdicts == []
    book_of(of.look((DAY + 4) * 86_400).verdicts, book)
    assert not throttled(book, "workflow", "air", None)
