"""Quiet hours that begin while something is in line: it waits for their end, but for what may never wait."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.outcome import Retry, Sent
from alerts.routing import Quiet, Route, Routing

UTC = ZoneInfo("UTC")


@pytest.fixture
def routing() -> Routing:
    """Be quiet from 21:00 to 07:00; the tests begin at 20:26:40."""
    return Routing([Route("all", ("memory",), quiet=(Quiet(frozenset(range(7)), 21 * 60, 7 * 60, UTC),))])


def fail_until_night(desk: Any, sink: Any, *tellings: Any) -> None:
    """Tell what is not taken until 21:30, then let the sink take all."""
    sink.answer = lambda page: Retry(None, "HTTP 500")
    desk.tell(*tellings)
    while minutes(desk) < 21 * 60 + 30:
        desk.after(10)
    sink.told.clear()
    sink.answer = lambda page: Sent()


def minutes(desk: Any) -> int:
    """Give the minute of the day."""
    now = datetime.fromtimestamp(desk.clock() / 1e9, UTC)
    return now.hour * 60 + now.minute


def to_morning(desk: Any) -> None:
    """Let time pass until just before quiet hours end."""
    while minutes(desk) != 6 * 60 + 59:
        desk.after(30)


def test_what_is_tried_again_waits_for_the_morning(make_desk: Any, incidents: Any, routing: Routing) -> None:
    """A SEV-2 that no sink took before the night wakes nobody; it is not old then, and is told as it is."""
    sink = incidents.Memory()
    desk = make_desk(sink, routing=routing)
    fail_until_night(desk, sink, incidents.incident("a"))
    to_morning(desk)
    assert sink.told == []
    assert desk.outbox.queue("memory").oldest_ns > desk.clock()
    desk.after(60)
    desk.after(60)
    assert [page.status for page in sink.told] == ["open"]


def test_a_sev_1_is_tried_all_night(make_desk: Any, incidents: Any, routing: Routing) -> None:
    """It never waits, and neither does a page that becomes one."""
    sink = incidents.Memory()
    desk = make_desk(sink, routing=routing)
    fail_until_night(
        desk, sink, incidents.incident("a", severity=incidents.severity(1)), incidents.incident("b", workflow="b")
    )
    desk.after(70)
    assert [page.severity for page in sink.told] == ["SEV-1"]
    desk.tell(incidents.incident("c", workflow="b", severity=incidents.severity(1)))
    desk.work()
    assert [page.workflow for page in sink.told] == ["airline", "b"]


def test_the_end_of_a_page_that_is_known_is_tried_all_night(make_desk: Any, incidents: Any, routing: Routing) -> None:
    """News of it wait, its end does not, also where it comes while they wait."""
    sink = incidents.Memory()
    desk = make_desk(sink, routing=routing)
    desk.tell(incidents.incident("a"))
    desk.after(61)
    fail_until_night(desk, sink, incidents.incident("b"))
    desk.after(120)
    assert sink.told == []
    desk.tell(incidents.resolved("a"), incidents.resolved("b"))
    desk.work()
    assert [page.status for page in sink.told] == ["resolved"]


def test_a_sink_that_forgets_is_told_all_night(make_desk: Any, incidents: Any, routing: Routing) -> None:
    """An alert that is not posted again would end: what such a sink knows of is never held back."""
    sink = incidents.Memory()
    sink.REFRESH_S = 60.0
    desk = make_desk(sink, routing=routing)
    desk.tell(incidents.incident("a"))
    desk.work()
    fail_until_night(desk, sink)
    desk.after(120)
    assert sink.told != []
