"""A clock that is put forward or back an hour: no wait is longer for it, and quiet hours are those of the new time."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.outcome import Retry, Sent
from alerts.routing import Quiet, Route, Routing

HOUR = 3_600
STEPS = pytest.mark.parametrize("step", [-HOUR, HOUR])


def seconds(desk: Any, count: int) -> None:
    """Let time pass second by second."""
    for _ in range(count):
        desk.after(1)


@STEPS
def test_a_sink_that_failed_once_is_not_silent_for_an_hour(step: int, make_desk: Any, incidents: Any) -> None:
    """What waited to be tried again, and a SEV-1 that comes after the step, are told as if it had not been."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    sink.answer = lambda page: Retry(None, "HTTP 503")
    desk.tell(incidents.incident("a"))
    seconds(desk, 20)
    sink.answer = lambda page: Sent()
    sink.told.clear()
    desk.clock.advance(step)
    desk.tell(incidents.incident("urgent", workflow="u", severity=incidents.severity(1)))
    seconds(desk, 61)
    assert {page.workflow for page in sink.told} == {"airline", "u"}
    assert desk.outbox.queue("memory").depth == 0


@STEPS
def test_what_came_just_before_a_step_is_told_just_after_it(step: int, make_desk: Any, incidents: Any) -> None:
    """It was due when it came."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.tell(incidents.incident("a", severity=incidents.severity(1)))
    desk.after(step)
    assert len(sink.told) == 1


def test_what_waits_counts_its_age_from_the_new_time(make_desk: Any, incidents: Any) -> None:
    """Of what came before a step back, the age that is shown is never below nothing."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    sink.answer = lambda page: Retry(None, "HTTP 503")
    desk.tell(incidents.incident("a"))
    desk.work()
    desk.after(-HOUR)
    seconds(desk, 60)
    oldest_ns = desk.outbox.queue("memory").oldest_ns
    assert 0 <= desk.clock() - oldest_ns <= 61 * incidents.SECOND


def test_retry_after_is_kept_when_the_clock_is_put_back(make_desk: Any, incidents: Any) -> None:
    """Of 120 s that a sink asked for 60 have passed: it hears nothing for 60 more; what it did not take begins anew."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.rest(120.0, incidents.incident("a"))
    seconds(desk, 60)
    desk.clock.advance(-HOUR)
    desk.tell(incidents.incident("b", workflow="b"))
    seconds(desk, 59)
    assert len(sink.told) == 1
    seconds(desk, 2)
    assert [page.workflow for page in sink.told[1:]] == ["b"]
    seconds(desk, 60)
    assert [page.workflow for page in sink.told[1:]] == ["b", "airline"]


def test_retry_after_is_no_longer_over_a_restart_with_the_clock_put_back(make_desk: Any, incidents: Any) -> None:
    """How long the process was away is not known then, so the wish begins anew, once."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.rest(120.0, incidents.incident("a"))
    desk.clock.advance(-HOUR)
    desk.restart()
    seconds(desk, 119)
    assert len(sink.told) == 1
    seconds(desk, 3)
    assert len(sink.told) == 2


@STEPS
def test_a_sink_that_forgets_is_told_each_minute_all_the_same(step: int, make_desk: Any, incidents: Any) -> None:
    """An open page is told again ten times in the ten minutes after a step."""
    sink = incidents.Memory()
    sink.REFRESH_S = 60.0
    desk = make_desk(sink)
    desk.tell(incidents.incident("a"))
    desk.work()
    desk.clock.advance(step)
    sink.told.clear()
    seconds(desk, 601)
    assert len(sink.told) in (10, 11)


@STEPS
def test_a_page_that_grows_is_told_again_all_the_same(step: int, make_desk: Any, incidents: Any) -> None:
    """More incidents of it are told within a minute."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.tell(incidents.incident("a"))
    desk.work()
    desk.clock.advance(step)
    desk.tell(incidents.incident("b"))
    desk.tell(incidents.incident("c"))
    seconds(desk, 61)
    assert [page.count for page in sink.told][-1] == 3
    assert len(sink.told) <= 3


@STEPS
def test_quiet_hours_end_by_the_clock_as_it_is(step: int, make_desk: Any, incidents: Any) -> None:
    """It is 20:26:40 when they begin to hold back a page: it is told at 23:00 of the new time."""
    evening = Quiet(frozenset(range(7)), 20 * 60, 23 * 60, ZoneInfo("UTC"))
    sink = incidents.Memory()
    desk = make_desk(sink, routing=Routing([Route("all", ("memory",), quiet=(evening,))]))
    desk.tell(incidents.incident("a"))
    desk.after(step)
    left = 2 * HOUR + 33 * 60 + 20 - step
    desk.after(left - 1)
    assert sink.told == []
    desk.after(1)
    assert len(sink.told) == 1
