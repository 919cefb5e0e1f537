"""What a sink is asked for by one delivery: as many tokens of its pace as requests."""

from __future__ import annotations

from typing import Any

from alerts.sinks.base import SinkSettings
from alerts.sinks.opsgenie import Opsgenie
from alerts.sinks.pagerduty import PagerDuty
from models.incidents.incident import Severity

ROUTING_KEY = "0123456789abcdef0123456789ABCDEF"
CHANGE = {"change": {"dimension": "version", "value": "v2", "first_seen": "2026-05-28T20:00:00Z"}}


def test_each_request_to_pagerduty_is_a_token(make_desk: Any, incidents: Any, pagerduty: Any) -> None:
    """A page with a change, or in hand, is several requests: at two a second none more go out, after the first five."""
    desk = make_desk(PagerDuty(SinkSettings("pager", "pagerduty", url=pagerduty.url, secret=ROUTING_KEY)))
    for number in range(20):
        desk.tell(incidents.incident(str(number), workflow=str(number), evidence=CHANGE))
    with desk.store.transaction() as db:
        for number in range(20):
            assert desk.pager.acknowledge(db, str(number), "ann", desk.clock())
    desk.work()
    assert pagerduty.requests == 3
    for _ in range(10):
        desk.after(1)
    assert pagerduty.requests <= 5 + 10 * 2
    for _ in range(30):
        desk.after(1)
    assert pagerduty.requests == 60
    assert pagerduty.refused == []


def test_each_request_to_opsgenie_is_a_token(make_desk: Any, incidents: Any, pagerduty: Any) -> None:
    """A page that got worse and is in hand is three requests: at two a second no more go out, after five."""
    pagerduty.lenient = True
    desk = make_desk(Opsgenie(SinkSettings("og", "opsgenie", url=pagerduty.root, secret=ROUTING_KEY)))
    for number in range(10):
        desk.tell(incidents.incident(str(number), workflow=str(number)))
        desk.tell(incidents.incident(str(number), workflow=str(number), severity=Severity.SEV_1, revision=2))
    with desk.store.transaction() as db:
        for number in range(10):
            assert desk.pager.acknowledge(db, str(number), "ann", desk.clock())
    desk.work()
    assert len(pagerduty.bare) <= 5
    for _ in range(5):
        desk.after(1)
    assert len(pagerduty.bare) <= 5 + 5 * 2
    for _ in range(20):
        desk.after(1)
    assert len(pagerduty.bare) == 30


def test_a_pace_below_what_one_page_takes(make_desk: Any, incidents: Any, pagerduty: Any) -> None:
    """It is delivered all the same, and the next waits for it."""
    sink = PagerDuty(SinkSettings("pager", "pagerduty", url=pagerduty.url, secret=ROUTING_KEY, rate=0.1))
    sink.BURST = 1  # type: ignore[misc]
    desk = make_desk(sink)
    for number in range(2):
        desk.tell(incidents.incident(str(number), workflow=str(number), evidence=CHANGE))
    desk.work()
    assert pagerduty.requests == 2
    desk.after(11)
    assert pagerduty.requests == 2
    desk.after(10)
    assert pagerduty.requests == 4
