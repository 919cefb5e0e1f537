"""Routing: globs, first match, `continue`, quiet hours in their time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.grouping import begun, group_of
from alerts.routing import Match, Quiet, Route, Routing

BERLIN = ZoneInfo("Europe/Berlin")
EVERY_DAY = frozenset(range(7))


def page_of(incident: Any) -> Any:
    """Give the page that an incident begins."""
    return begun(incident, group_of(incident, ("class",)), "key")


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    """Give a wall clock time as Unix ns."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        (Match(), True),
        (Match(class_=("slo.*",)), True),
        (Match(class_=("safety.*", "slo.burn")), True),
        (Match(class_=("slo",)), False),
        (Match(severity=("SEV-1",)), False),
        (Match(severity=("SEV-1", "SEV-2"), owner=("on-call",)), True),
        (Match(workflow=("air*",), tenant=("acme",)), True),
        (Match(tenant=("other",)), False),
        (Match(labels={"team": "pay*"}), True),
        (Match(labels={"team": "pay*", "region": "eu"}), False),
    ],
)
def test_what_matches(match: Match, holds: bool, incidents: Any) -> None:  # noqa: FBT001
    """All fields that are said must hold, each by one of its globs."""
    page = page_of(incidents.incident("a", tenant="acme", labels={"team": "payments"}))
    assert match.holds(page) == holds


def test_the_first_match_is_taken_unless_it_goes_on(incidents: Any) -> None:
    """A route that continues lets later ones add sinks; after one that does not, none is looked at."""
    routes = [
        Route("safety", ("pager",), Match(class_=("safety.*",))),
        Route("all", ("chat",), goes_on=True),
        Route("burn", ("pager", "chat"), Match(class_=("slo.*",))),
        Route("rest", ("mail",)),
    ]
    found, matched = Routing(routes).holds(page_of(incidents.incident("a")), 5)
    assert (found, matched) == ({"chat": 5, "pager": 5}, True)
    found, _ = Routing(routes).holds(page_of(incidents.incident("a", class_="safety.leak")), 5)
    assert found == {"pager": 5}


def test_what_no_route_matches_goes_to_stdout(incidents: Any) -> None:
    """Nothing is ever told to nobody."""
    routes = [Route("r", ("pager",), Match(class_=("safety.*",)))]
    assert Routing(routes).holds(page_of(incidents.incident("a")), 5) == ({"stdout": 5}, False)
    assert Routing().holds(page_of(incidents.incident("a")), 5) == ({"stdout": 5}, False)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2026-11-24T21:59:59", None),
        ("2026-11-24T22:00:00", "2026-11-25T07:00:00"),
        ("2026-11-25T03:00:00", "2026-11-25T07:00:00"),
        ("2026-11-25T07:00:00", None),
        # 2026-10-25, clocks go back at 03:00: the night is an hour longer, its end is 07:00 all the same
        ("2026-10-24T23:00:00", "2026-10-25T07:00:00"),
        # 2026-03-29, clocks go forward at 02:00
        ("2026-03-28T23:00:00", "2026-03-29T07:00:00"),
    ],
)
def test_a_night(moment: str, end: str | None) -> None:
    """From 22:00 to 07:00 of the next day, also where the clocks change in between."""
    quiet = Quiet(EVERY_DAY, 22 * 60, 7 * 60, BERLIN)
    assert quiet.end(at(moment)) == (at(end) if end else None)


def test_days_are_those_on_which_quiet_hours_begin() -> None:
    """Quiet on Fridays from 18:00 to 08:00: Saturday morning is quiet, Friday morning and Saturday evening are not."""
    quiet = Quiet(frozenset({4}), 18 * 60, 8 * 60, BERLIN)
    assert quiet.end(at("2026-11-28T07:59:00")) == at("2026-11-28T08:00:00")
    assert quiet.end(at("2026-11-27T07:59:00")) is None
    assert quiet.end(at("2026-11-28T18:01:00")) is None


def test_quiet_hours_that_touch_are_one(incidents: Any) -> None:
    """A whole weekend and the nights around it: what comes on Friday night waits until Monday morning."""
    nights = Quiet(EVERY_DAY, 22 * 60, 7 * 60, BERLIN)
    weekend = Quiet(frozenset({5, 6}), 0, 24 * 60, BERLIN)
    route = Route("r", ("chat",), quiet=(nights, weekend))
    page = page_of(incidents.incident("a"))
    assert route.hold(page, at("2026-11-27T23:00:00")) == at("2026-11-30T07:00:00")
    assert route.hold(page, at("2026-11-27T21:00:00")) == at("2026-11-27T21:00:00")


def test_sev_1_is_never_muted(incidents: Any) -> None:
    """Quiet hours hold back SEV-2 and SEV-3 alone."""
    route = Route("r", ("pager",), quiet=(Quiet(EVERY_DAY, 0, 23 * 60, BERLIN),))
    noon = at("2026-11-25T12:00:00")
    held = [route.hold(page_of(incidents.incident("a", severity=incidents.severity(n))), noon) for n in (1, 2, 3)]
    assert held == [noon, at("2026-11-25T23:00:00"), at("2026-11-25T23:00:00")]


def test_a_quiet_night(make_desk: Any, incidents: Any) -> None:
    """SEV-2 waits for the morning; what gets worse goes out at once, and an end that a pager waits for too."""
    evening = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
    quiet = Quiet(EVERY_DAY, 22 * 60, 7 * 60, BERLIN)
    sink = incidents.Memory()
    desk = make_desk(sink, routing=Routing([Route("r", ("memory",), quiet=(quiet,))]))
    desk.clock.ns = int(evening.timestamp()) * 10**9  # 21:00 in Berlin
    desk.tell(incidents.incident("before", workflow="before"))
    desk.work()
    desk.after(2 * 3_600)  # 23:00
    desk.tell(incidents.incident("held", workflow="held"), incidents.incident("worse", workflow="worse"))
    desk.tell(incidents.incident("over", workflow="over"))
    desk.work()
    assert [page.workflow for page in sink.told] == ["before"]
    desk.tell(incidents.resolved("before", workflow="before"), incidents.resolved("over", workflow="over"))
    desk.tell(incidents.incident("worse", 1, workflow="worse", severity=incidents.severity(1)))
    desk.work()
    assert [(page.workflow, page.status) for page in sink.told[1:]] == [("worse", "open"), ("before", "resolved")]
    desk.after(8 * 3_600 - 1)
    assert len(sink.told) == 3
    desk.after(1)
    morning = [(page.workflow, page.status) for page in sink.told[3:]]
    assert sorted(morning) == [("held", "open"), ("over", "open"), ("over", "resolved")]
    assert morning.index(("over", "open")) < morning.index(("over", "resolved"))


def test_a_steady_sink_keeps_its_page_alive_in_quiet_hours(make_desk: Any, incidents: Any) -> None:
    """A sink that forgets pages is told of a known one all night, and of a new one in the morning."""
    quiet = Quiet(EVERY_DAY, 22 * 60, 7 * 60, BERLIN)
    sink = incidents.Memory()
    sink.REFRESH_S = 60.0
    desk = make_desk(sink, routing=Routing([Route("r", ("memory",), quiet=(quiet,))], steady=frozenset({"memory"})))
    desk.clock.ns = at("2026-11-24T21:59:30")
    desk.tell(incidents.incident("known"))
    desk.work()
    desk.after(90)
    desk.tell(incidents.incident("more"))
    sink.told.clear()
    for _ in range(60):
        desk.after(60)
    assert len(sink.told) >= 59
    assert sink.told[-1].count == 2
