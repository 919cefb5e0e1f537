"""Routes that change while pages are open: who is named now hears of them, and hours that are no more hold nothing."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from alerts.delivery import Delivery, DeliverySettings, Routes
from alerts.routing import Quiet, Route, Routing
from alerts.sinks.base import SinkSettings
from streams.embedded import EmbeddedLog

if TYPE_CHECKING:
    from pathlib import Path

UTC = ZoneInfo("UTC")
TOPIC = "flyball.incidents"


def quiet_routing(*sinks: str, from_: int = 20 * 60, to: int = 7 * 60) -> Routing:
    """Give a route with quiet hours on all days, between two minutes of the day; the tests begin at 20:26:40."""
    return Routing([Route("all", sinks, quiet=(Quiet(frozenset(range(7)), from_, to, UTC),))])


def told_at(desk: Any) -> str:
    """Give the time of day."""
    return f"{datetime.fromtimestamp(desk.clock() / 1e9, UTC):%H:%M}"


def route_again(desk: Any, routing: Routing) -> None:
    """Change the routes."""
    desk.routing = routing
    after: int | None = 0
    while after is not None:
        with desk.store.transaction() as db:
            after = desk.pager.route_again(db, after, desk.clock(), limit=2)


def test_a_new_route_hears_of_what_is_open(make_desk: Any, incidents: Any) -> None:
    """Each open page once, as it stands; not what has ended. Who knew of it already hears nothing again."""
    first, second = incidents.Memory("first"), incidents.Memory("second")
    desk = make_desk(first, second, routing=Routing([Route("r", ("first",))]))
    for name in "abcde":
        desk.tell(incidents.incident(name, workflow=name))
    desk.tell(incidents.resolved("e", workflow="e"))
    desk.work()
    before = len(first.told)
    for _ in range(2):
        route_again(desk, Routing([Route("r", ("first", "second"))]))
        desk.after(1)
    assert [page.workflow for page in second.told] == ["a", "b", "c", "d"]
    assert len(first.told) == before
    desk.tell(incidents.resolved("a", workflow="a"))
    desk.work()
    assert not second.told[-1].is_open


def test_quiet_hours_that_are_no_more_hold_nothing(make_desk: Any, incidents: Any) -> None:
    """What they held is told at once, the beginning and the end of what is over meanwhile too."""
    sink = incidents.Memory()
    desk = make_desk(sink, routing=quiet_routing("memory"))
    desk.tell(incidents.incident("a", workflow="a"), incidents.incident("b", workflow="b"))
    desk.tell(incidents.resolved("b", workflow="b"))
    desk.after(60)
    assert sink.told == []
    route_again(desk, Routing([Route("all", ("memory",))]))
    desk.work()
    assert sorted((page.workflow, page.is_open) for page in sink.told) == [("a", True), ("b", False), ("b", True)]


def test_quiet_hours_that_end_at_another_time(make_desk: Any, incidents: Any) -> None:
    """They hold until that time."""
    sink = incidents.Memory()
    desk = make_desk(sink, routing=quiet_routing("memory"))
    desk.tell(incidents.incident("a"))
    route_again(desk, quiet_routing("memory", to=22 * 60))
    while not sink.told:
        desk.after(60)
    assert told_at(desk) == "22:00"
    assert desk.metric("flyball_delivery_seconds_sum", sink="memory") < 60


def test_a_wait_of_a_sink_is_no_quiet_hour(make_desk: Any, incidents: Any) -> None:
    """What a sink asked for holds, whatever the routes say."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.rest(600.0, incidents.incident("a"))
    sink.told.clear()
    route_again(desk, desk.routing)
    desk.after(300)
    assert sink.told == []
    desk.after(301)
    assert len(sink.told) == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_a_running_delivery_tells_a_new_route(restarted: bool, tmp_path: Path, incidents: Any) -> None:  # noqa: FBT001
    """Whether the routes change while it runs, or while it is down."""
    log = EmbeddedLog(tmp_path / "log")
    log.ensure(TOPIC, 1)
    writer = log.writer()
    writer.append(TOPIC, [incidents.message(incidents.incident("a"))])
    writer.close()
    settings = DeliverySettings(tmp_path / "deliver")
    sinks = tuple(SinkSettings(name, "stdout") for name in ("one", "two"))
    after = Routes(sinks, Routing([Route("all", ("one", "two"))]))
    delivery = Delivery(log, settings, Routes(sinks, Routing([Route("all", ("one",))])), say=lambda _: None)
    while delivery.outbox.sinks() == []:
        delivery._step()
    assert delivery.outbox.sinks() == ["one"]
    if restarted:
        delivery._end()
        delivery = Delivery(log, settings, after, say=lambda _: None)
    else:
        delivery._routes = after
        delivery._routed = 0
    delivery._step()
    assert sorted(delivery.outbox.sinks()) == ["one", "two"]
    delivery._end()
