"""Incidents of runaways: one a workflow and rule, with counts and examples; over when no more come; kept over lives."""

from __future__ import annotations

from models.orders.order import Place
from models.runaways.book import QUIET_S, Defied, RunawayBook
from models.times import rfc3339
from models.verdicts import Action, Verdict

NANO = 1_000_000_000
HOLD_S = 60


def verdict(run: str, at_s: int, action: Action = Action.KILL, mode: str = "enforce", workflow: str = "air") -> Verdict:
    """Give a verdict on a run."""
    evidence = {"count": 10, "limit": 10, "mode": mode, "workflow": workflow}
    return Verdict(run + action, at_s * NANO, "run", run, action, "repeat.identical", "again", evidence, 1)


def test_one_incident_a_workflow_and_rule() -> None:
    """Many runs are one, with the newest five; what only warns, or is in shadow, is none."""
    book = RunawayBook()
    book.hear([verdict(f"r{n}", 1000 + n) for n in range(9)], ())
    book.hear([verdict("w", 1000, Action.WARN), verdict("s", 1000, mode="shadow", workflow="rail")], ())
    (told,) = book.look(1010)
    assert (told.class_, str(told.severity), told.workflow) == ("runaway", "SEV-2", "air")
    assert told.title == "air: 9 runs stopped or blocked by repeat.identical"
    assert told.runs == ("r8", "r7", "r6", "r5", "r4")
    assert book.look(1011) == []


def test_an_incident_does_not_open_before_what_it_is_about() -> None:
    """In a replay the watermark is behind what was decided."""
    book = RunawayBook()
    book.hear([verdict("r", 1000)], ())
    (told,) = book.look(940)
    assert told.at == told.opened_at == rfc3339(1000 * NANO)


def test_a_run_that_was_blocked_and_stopped_counts_once() -> None:
    """Both verdicts are about one run."""
    book = RunawayBook()
    book.hear([verdict("r", 1000, Action.BLOCK), verdict("r", 1005)], ())
    assert book.look(1010)[0].title.startswith("air: 1 run stopped")


def test_it_ends_when_no_more_come_and_begins_anew() -> None:
    """Ten quiet minutes and the hold, in several lives of the process; the next burst counts from one."""
    book = RunawayBook()
    book.hear([verdict("r", 1000)], ())
    (opened,) = book.look(1000)
    assert book.look(1000 + QUIET_S - 1) == []
    book = RunawayBook.load(book.dump(), [], 1)
    assert book.look(1000 + QUIET_S) == []
    book = RunawayBook.load(book.dump(), [book.take_delta()], 2)
    (ended,) = book.look(1000 + QUIET_S + HOLD_S)
    assert (ended.key, str(ended.status)) == (opened.key, "resolved")
    book = RunawayBook.load(book.dump(), [], 3)
    book.hear([verdict("q", 9000)], ())
    (again,) = book.look(9000)
    assert again.key != opened.key
    assert again.title.startswith("air: 1 run ")


def test_a_kill_that_is_not_obeyed_wakes_people() -> None:
    """SEV-1, of its own class, whatever else is open."""
    book = RunawayBook()
    book.hear([verdict("r", 1000)], [Defied("r", "air", "repeat.identical", 1000 * NANO, 1045 * NANO)])
    told = {each.class_: each for each in book.look(1050)}
    assert set(told) == {"runaway", "stop.failed"}
    assert str(told["stop.failed"].severity) == "SEV-1"
    assert told["stop.failed"].summary == "air: 1 run went on after a kill; newest: a call began 45 s after the kill"


def test_many_runs_told_again_count_once() -> None:
    """Thirty runs, blocked, stopped, and all told again after a restart."""
    book = RunawayBook()
    for action in (Action.BLOCK, Action.KILL):
        book.hear([verdict(f"r{n}", 1000 + n, action) for n in range(30)], ())
    book = RunawayBook.load(book.dump(), [], 1)
    book.hear([verdict(f"r{n}", 1000 + n) for n in range(30)], ())
    (told,) = book.look(1040)
    assert told.title.startswith("air: 30 runs")
    assert len(told.runs) == 5


def test_what_is_told_again_long_after_opens_nothing() -> None:
    """A watch that begins says again what was said of open runs: their incident was told, and is over."""
    book = RunawayBook()
    book.hear([verdict("r", 1000, Action.BLOCK)], (), 1000)
    assert len(book.look(1000)) == 1
    base = book.dump()
    for at in (1000 + QUIET_S, 1000 + QUIET_S + HOLD_S):
        book.look(at)
    for kept in ((book.dump(), []), (base, [book.take_delta()])):
        again = RunawayBook.load(*kept, 1)
        again.hear([verdict("r", 1000, Action.BLOCK)], (), 9000)
        assert again.look(9001) == []
        again.hear([verdict("r", 9002)], (), 9002)  # killed for it now
        assert [str(told.status) for told in again.look(9003)] == ["open"]


def test_an_incident_ends_though_the_clock_was_ahead_when_it_came() -> None:
    """Ten quiet minutes and the hold by the clock as it is, not a day later."""
    book = RunawayBook()
    book.hear([verdict("r", 1000)], (), 86_400)
    assert len(book.look(86_400)) == 1
    book = RunawayBook.load(book.dump(), [], 1)
    told = []
    for at in range(2000, 2000 + QUIET_S + HOLD_S + 1, 10):
        book.set_back(at)
        told += book.look(at)
    assert [str(each.status) for each in told] == ["resolved"]


def test_what_comes_late_is_news() -> None:
    """Decided an hour late, by the clock: people hear of it; a burst that nobody heard of in time is not kept."""
    book = RunawayBook()
    book.hear([verdict("r", 1000)], (), 5000)
    assert [str(each.status) for each in book.look(5001)] == ["open"]
    replayed = RunawayBook()
    replayed.hear([verdict("r", 1000)], ())
    assert replayed.look(5000) == []
    replayed.hear([verdict("q", 9000)], ())
    assert replayed.look(9001)[0].title.startswith("air: 1 run ")


def test_the_same_name_of_two_tenants_is_two_incidents() -> None:
    """User `ann` of one tenant is somebody else than `ann` of another; each is told with her tenant."""
    book = RunawayBook()
    calls = [
        Defied(f"r-{tenant}", "air", "operator", 1000 * NANO, 1045 * NANO, Place("user", "ann", tenant), "bo")
        for tenant in ("t1", "t2", None)
    ]
    book.hear([], calls)
    told = book.look(1050)
    assert sorted((each.tenant or "", each.runs) for each in told) == [
        ("", ("r-None",)),
        ("t1", ("r-t1",)),
        ("t2", ("r-t2",)),
    ]
    assert len({each.key for each in told}) == 3
    again = RunawayBook.load(book.dump(), [], 1)
    again.hear([], calls)
    assert {each.key for each in again.look(1400)} <= {each.key for each in told}


def test_the_end_says_how_many_there_were() -> None:
    """Not the one run with which it opened."""
    book = RunawayBook()
    book.hear([verdict("r", 1000)], ())
    assert book.look(1000)[0].title.startswith("air: 1 run ")
    book.hear([verdict(f"r{n}", 1100) for n in range(41)], ())
    assert book.look(1100) == []
    book.look(1100 + QUIET_S)
    (ended,) = book.look(1100 + QUIET_S + HOLD_S)
    assert ended.title == "air: 42 runs stopped or blocked by repeat.identical"
    assert ended.evidence["runs"] == 42
