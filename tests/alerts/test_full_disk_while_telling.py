"""A disk that is full while sinks are told: each page is told once all the same, and noted when there is room."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from alerts.outcome import Refused, Retry, Sent


def fill(desk: Any) -> None:
    """Let nothing more be written."""
    with desk.store.reading() as db:
        db.execute("PRAGMA query_only=1")


def free(desk: Any) -> None:
    """Make room."""
    with desk.store.reading() as db:
        db.execute("PRAGMA query_only=0")


def steps(desk: Any, seconds: int) -> None:
    """Let the workers go on, a step each tenth of a second."""
    for _ in range(10 * seconds):
        desk.clock.advance(0.1)
        for worker in desk.workers:
            worker.step()


def test_each_page_is_told_once_while_nothing_can_be_written(make_desk: Any, incidents: Any) -> None:
    """Ten minutes of a full disk are no ten minutes of the same message; all that waited is told, and said once."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.tell(*(incidents.incident(str(n), workflow=str(n)) for n in range(5)))
    fill(desk)
    with pytest.raises(sqlite3.OperationalError):
        desk.tell(incidents.incident("later"))
    steps(desk, 600)
    assert sorted(page.workflow for page in sink.told) == list("01234")
    assert len(desk.said) == 1
    assert desk.outbox.queue("memory").depth == 5
    free(desk)
    desk.tell(*(incidents.resolved(str(n), workflow=str(n)) for n in range(5)))
    desk.work()
    assert [page.is_open for page in sink.told] == [True] * 5 + [False] * 5
    assert desk.outbox.queue("memory").depth == 0
    assert desk.metric("flyball_deliveries_total", sink="memory", outcome="sent") == 10


def test_a_sink_that_forgets_is_told_each_minute_all_the_same(make_desk: Any, incidents: Any) -> None:
    """Alertmanager would let an alert end that is not posted again."""
    sink = incidents.Memory()
    sink.REFRESH_S = 60.0
    desk = make_desk(sink)
    desk.tell(incidents.incident("a"))
    fill(desk)
    steps(desk, 300)
    assert 5 <= len(sink.told) <= 6


def test_a_sink_that_fails_is_tried_no_more_often_than_else(make_desk: Any, incidents: Any) -> None:
    """Waits between tries hold without the disk, Retry-After too."""
    sink = incidents.Memory()
    sink.answer = lambda page: Retry(120.0, "HTTP 429")
    desk = make_desk(sink)
    desk.tell(incidents.incident("a"))
    fill(desk)
    steps(desk, 300)
    assert len(sink.told) == 3
    sink.answer = lambda page: Sent()
    steps(desk, 121)
    free(desk)
    desk.work()
    assert len(sink.told) == 4
    assert desk.outbox.queue("memory").depth == 0


def test_what_is_refused_is_parked_when_there_is_room(make_desk: Any, incidents: Any) -> None:
    """It is not tried again meanwhile."""
    sink = incidents.Memory()
    sink.answer = lambda page: Refused("HTTP 400")
    desk = make_desk(sink)
    desk.tell(incidents.incident("a"))
    fill(desk)
    steps(desk, 60)
    free(desk)
    desk.work()
    assert len(sink.told) == 1
    assert [each.reason for each in desk.outbox.parked()] == ["HTTP 400"]
