"""Turns: a sink that knows the pages of a group by one name hears of one after the other, and urgent ones first."""

from __future__ import annotations

from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.outcome import Refused, Retry, Sent
from alerts.pace import Pause
from alerts.routing import Quiet, Route, Routing
from alerts.sinks import TYPES
from alerts.store import Store

UTC_ZONE = ZoneInfo("UTC")


@pytest.fixture
def sink(incidents: Any) -> Any:
    """Give a sink that knows pages by their group."""
    made = incidents.Memory()
    made.IN_TURN = True
    return made


def words(sink: Any) -> list[tuple[str, str]]:
    """Give what was told: the summary names the incident that began the page."""
    return [(page.summary, page.status.value) for page in sink.told]


@pytest.mark.parametrize("seed", range(20))
def test_the_next_page_of_a_group_waits_for_the_end_of_the_one_before(
    seed: int, sink: Any, make_desk: Any, incidents: Any
) -> None:
    """A page ends and the next begins while the sink is away: it hears of the end first, whatever the waits were."""
    desk = make_desk(sink)
    desk.workers[0]._random = Random(seed)  # noqa: S311 -- repeatable, no secret
    desk.tell(incidents.incident("a", summary="a"))
    desk.work()
    sink.answer = lambda page: Retry(None, "HTTP 503")
    desk.tell(incidents.resolved("a", summary="a"))
    for _ in range(60):
        desk.after(1)
    desk.tell(incidents.incident("b", summary="b"))
    for _ in range(20):
        desk.after(1)
    sink.told.clear()
    sink.answer = lambda page: Sent()
    for _ in range(120):
        desk.after(1)
    assert words(sink) == [("a", "resolved"), ("b", "open")]


def test_what_waits_its_turn_costs_no_work(sink: Any, make_desk: Any, incidents: Any) -> None:
    """While the earlier page waits to be tried again, its worker sleeps until then."""
    desk = make_desk(sink)
    sink.answer = lambda page: Retry(20.0, "HTTP 429")
    desk.tell(incidents.incident("a"), incidents.resolved("a"), incidents.incident("b"))
    desk.work()
    desk.workers[0]._pause = Pause()
    assert desk.workers[0].step() > 0.9


def test_an_urgent_page_waits_for_no_lesser_one(sink: Any, make_desk: Any, incidents: Any) -> None:
    """SEV-1 goes before the end of a SEV-2 of its group; what ends with that is of another severity."""
    desk = make_desk(sink)
    desk.tell(incidents.incident("a", summary="a"))
    desk.work()
    sink.answer = lambda page: Retry(None, "HTTP 503")
    desk.tell(incidents.resolved("a", summary="a"))
    desk.work()
    sink.told.clear()
    sink.answer = lambda page: Sent()
    desk.tell(incidents.incident("b", summary="b", severity=incidents.severity(1)))
    desk.after(60)
    assert words(sink) == [("b", "open"), ("a", "resolved")]


def test_no_page_waits_for_one_that_is_parked(sink: Any, make_desk: Any, incidents: Any) -> None:
    """What the sink refuses for good holds back nothing."""
    desk = make_desk(sink)
    desk.tell(incidents.incident("a", summary="a"))
    desk.work()
    sink.answer = lambda page: Refused("HTTP 400") if page.summary == "a" else Sent()
    desk.tell(incidents.resolved("a", summary="a"), incidents.incident("b", summary="b"))
    desk.work()
    assert words(sink)[-1] == ("b", "open")


def test_no_page_waits_for_the_quiet_hours_of_another(sink: Any, make_desk: Any, incidents: Any) -> None:
    """A page that was held back until morning does not hold back one that other routes tell at once."""
    midnight = Quiet(frozenset(range(7)), 0, 24 * 60 - 1, UTC_ZONE)
    desk = make_desk(sink, routing=Routing([Route("all", ("memory",), quiet=(midnight,))]))
    desk.tell(incidents.incident("a", summary="a"), incidents.resolved("a", summary="a"))
    desk.routing = Routing([Route("all", ("memory",))])
    desk.tell(incidents.incident("b", summary="b"))
    desk.work()
    assert words(sink) == [("b", "open")]


def test_other_sinks_hear_of_each_page_by_itself(make_desk: Any, incidents: Any) -> None:
    """Where the page's key is its name, a page that always fails holds back no other of its group."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    sink.answer = lambda page: Retry(None, "HTTP 500") if page.summary == "a" else Sent()
    desk.tell(incidents.incident("a", summary="a"), incidents.resolved("a", summary="a"))
    desk.work()
    desk.tell(incidents.incident("b", summary="b"))
    desk.after(2)
    assert ("b", "open") in words(sink)


def test_alertmanager_alone_is_told_in_turn() -> None:
    """It knows an alert by labels that the pages of a group share; the others know a page by its key, or by nothing."""
    assert [name for name, type_ in TYPES.items() if type_.IN_TURN] == ["alertmanager"]


def test_a_file_of_the_version_before_is_taken_over(make_desk: Any, incidents: Any, tmp_path: Any) -> None:
    """What waits in it is told."""
    desk = make_desk(incidents.Memory())
    desk.tell(incidents.incident("a"))
    with desk.store.transaction() as db:
        db.execute("DROP INDEX pages_of_group")
        db.execute("DROP TABLE pauses")
        db.execute("DROP INDEX waits")
        db.execute("ALTER TABLE outbox DROP COLUMN set_ns")
        db.execute("PRAGMA user_version = 1")
    store = Store(tmp_path / "0" / "outbox.db")
    with store.reading() as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
    store.close()
    desk.work()
    assert len(desk.sinks[0].told) == 1
