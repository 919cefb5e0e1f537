"""The end of an old page, told late to a sink that knows the pages of a group by one name, ends no newer one."""

from __future__ import annotations

from typing import Any

from alerts.outcome import Refused, Sent


def test_what_came_after_is_told_again_at_once(make_desk: Any, incidents: Any) -> None:
    """What a person puts back in line comes after a newer page: that is posted again behind it, not in a minute."""
    sink = incidents.Memory()
    sink.IN_TURN, sink.REFRESH_S = True, 60.0
    desk = make_desk(sink)
    desk.tell(incidents.incident("a", summary="a"))
    desk.work()
    sink.answer = lambda page: Refused("HTTP 400")
    desk.tell(incidents.resolved("a", summary="a"))
    desk.work()
    sink.answer = lambda page: Sent()
    desk.tell(incidents.incident("b", summary="b"))
    desk.work()
    sink.told.clear()
    (parked,) = desk.outbox.parked()
    assert desk.outbox.put_back(parked.row, desk.clock())
    desk.work()
    assert [(page.summary, page.status.value) for page in sink.told] == [("a", "resolved"), ("b", "open")]
    desk.after(59)
    assert len(sink.told) == 2


def test_one_that_has_ended_too_is_not_told_again(make_desk: Any, incidents: Any) -> None:
    """Only what is open can be ended by it."""
    sink = incidents.Memory()
    sink.IN_TURN, sink.REFRESH_S = True, 60.0
    desk = make_desk(sink)
    sink.answer = lambda page: Refused("HTTP 400")
    desk.tell(incidents.incident("a", summary="a"))
    desk.work()
    desk.tell(incidents.resolved("a", summary="a"))
    desk.work()
    sink.answer = lambda page: Sent()
    desk.tell(incidents.incident("b", summary="b"), incidents.resolved("b", summary="b", revision=2))
    desk.work()
    sink.told.clear()
    (parked,) = desk.outbox.parked()
    assert desk.outbox.put_back(parked.row, desk.clock())
    desk.work()
    assert [(page.summary, page.status.value) for page in sink.told] == [("a", "open"), ("a", "resolved")]
