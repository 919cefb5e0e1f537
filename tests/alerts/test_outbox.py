"""Outbox: newest state wins, in order, urgent first, bounded without ever dropping a SEV-1, parked where it is seen."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.outbox import FULL
from alerts.outcome import Refused, Retry, Sent
from alerts.routing import Route, Routing


def failing(sink: Any, reason: str = "HTTP 500") -> None:
    """Let a sink take nothing."""
    sink.answer = lambda page: Retry(None, reason)


def test_the_newest_state_wins(make_desk: Any, incidents: Any) -> None:
    """What a sink has missed is told as it is now, once."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    failing(sink)
    for number in range(5):
        desk.tell(incidents.incident(str(number)))
        desk.after(61)
    sink.told.clear()
    sink.answer = lambda page: Sent()
    desk.after(600)
    assert [page.count for page in sink.told] == [5]


def test_an_end_never_overtakes_its_beginning(make_desk: Any, incidents: Any) -> None:
    """A page that began and ended while the sink was away is told as open, then as resolved."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    failing(sink)
    desk.tell(incidents.incident("a"))
    desk.work()
    desk.tell(incidents.resolved("a"))
    desk.work()
    assert {page.status for page in sink.told} == {"open"}
    sink.told.clear()
    sink.answer = lambda page: Sent()
    desk.after(600)
    assert [(page.status, page.resolved_at is None) for page in sink.told] == [("open", True), ("resolved", False)]
    desk.after(3600)
    assert len(sink.told) == 2


def test_the_urgent_go_first(make_desk: Any, incidents: Any) -> None:
    """Of what waits, SEV-1 goes before SEV-2 before SEV-3, and in each the one that waits longest."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    for number, level in enumerate((3, 2, 1, 3, 2, 1)):
        desk.clock.advance(1)
        desk.tell(incidents.incident(str(number), workflow=f"w{number}", severity=incidents.severity(level)))
    desk.work()
    assert [page.workflow for page in sink.told] == ["w2", "w5", "w1", "w4", "w0", "w3"]


def test_a_refused_page_is_parked_and_can_be_put_back(make_desk: Any, incidents: Any) -> None:
    """What a sink refuses is tried once, is listed with its reason, and goes out when a person says so."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    sink.answer = lambda page: Refused("HTTP 400: no")
    desk.tell(incidents.incident("a"))
    desk.after(86_400)
    assert len(sink.told) == 1
    (parked,) = desk.outbox.parked()
    assert (parked.sink, parked.severity, parked.reason) == ("memory", "SEV-2", "HTTP 400: no")
    assert desk.outbox.queue("memory") == (0, None, 1)
    assert desk.metric("flyball_deliveries_total", sink="memory", outcome="refused") == 1
    sink.answer = lambda page: Sent()
    assert desk.outbox.put_back(parked.row, desk.clock())
    assert not desk.outbox.put_back(parked.row, desk.clock())
    desk.work()
    assert [page.status for page in sink.told] == ["open", "open"]
    assert desk.outbox.parked() == []


def test_a_parked_page_that_has_news_is_in_line_again(make_desk: Any, incidents: Any) -> None:
    """The end of a page whose beginning was refused is told in order, once the sink takes it."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    sink.answer = lambda page: Refused("HTTP 401")
    desk.tell(incidents.incident("a"))
    desk.work()
    sink.answer = lambda page: Sent()
    desk.tell(incidents.resolved("a"))
    desk.work()
    assert [page.status for page in sink.told] == ["open", "open", "resolved"]
    assert desk.outbox.parked() == []


def test_what_nobody_takes_for_days_is_parked(make_desk: Any, incidents: Any) -> None:
    """After three days without success a delivery is parked, and says why."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    failing(sink)
    desk.tell(incidents.incident("a"))
    for _ in range(3 * 24):
        desk.after(3_600)
    assert desk.outbox.parked() == []
    desk.after(3_600)
    assert [parked.reason for parked in desk.outbox.parked()] == ["not taken for 3 days"]


def test_a_page_that_nobody_offered_for_days_is_offered_before_it_is_parked(make_desk: Any, incidents: Any) -> None:
    """A laptop that slept for four days, a process that was down: the sink never had a say, so it has one now."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.tell(incidents.incident("a"))
    desk.tell(incidents.incident("b", workflow="other"))
    sink.answer = lambda page: Sent() if page.workflow == "other" else Retry(None, "HTTP 500")
    desk.after(4 * 86_400)
    desk.after(60)
    assert sorted(page.workflow for page in sink.told) == ["airline", "other"]
    assert [parked.reason for parked in desk.outbox.parked()] == ["not taken for 3 days"]
    assert desk.metric("flyball_deliveries_total", sink="memory", outcome="parked") == 1


def test_a_page_that_was_offered_once_before_the_machine_slept_is_offered_when_it_wakes(
    make_desk: Any, incidents: Any
) -> None:
    """One failure on Friday evening does not use up three days that nobody was there to try in."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    failing(sink)
    desk.tell(incidents.incident("a"))
    desk.work()
    sink.answer = lambda page: Sent()
    desk.after(4 * 86_400)
    assert desk.outbox.parked() == []
    assert [page.status for page in sink.told] == ["open", "open"]


def test_at_the_bound_the_least_urgent_give_way(make_desk: Any, incidents: Any) -> None:
    """With room for four, four SEV-3 and then SEV-2 and SEV-1: the oldest SEV-3 are parked, no SEV-1 ever."""
    sink = incidents.Memory()
    desk = make_desk(sink, max_rows=4)
    failing(sink)
    levels = (3, 3, 3, 3, 2, 1, 1, 3)
    for number, level in enumerate(levels):
        desk.clock.advance(1)
        desk.tell(incidents.incident(str(number), workflow=f"w{number}", severity=incidents.severity(level)))
    parked = desk.outbox.parked()
    assert [(each.severity, each.reason) for each in parked] == [("SEV-3", FULL)] * 4
    assert desk.outbox.queue("memory").depth == 4
    for number in range(8, 20):
        desk.clock.advance(1)
        desk.tell(incidents.incident(str(number), workflow=f"w{number}", severity=incidents.severity(1)))
    sink.answer = lambda page: Sent()
    sink.told.clear()
    desk.after(600)
    assert sorted(page.workflow for page in sink.told if page.severity == "SEV-1") == sorted(
        f"w{number}" for number in (5, 6, *range(8, 20))
    )
    assert len(desk.outbox.parked()) <= 4
    assert desk.pager.counted["gave_way", "SEV-3"] == 5


def test_what_gave_way_is_told_when_there_is_room(make_desk: Any, incidents: Any) -> None:
    """What is open still, the most urgent first; not while more than half the bound waits, nor what is over."""
    sink = incidents.Memory()
    desk = make_desk(sink, max_rows=4)
    failing(sink)
    for number, level in enumerate((3, 2, 3, 2, 1, 1, 1, 1)):
        desk.clock.advance(1)
        desk.tell(incidents.incident(str(number), workflow=f"w{number}", severity=incidents.severity(level)))
    assert len(desk.outbox.parked()) == 4
    desk.outbox.put_back_full(desk.clock())
    assert len(desk.outbox.parked()) == 4
    sink.answer = lambda page: Sent()
    desk.after(600)
    sink.told.clear()
    desk.outbox.put_back_full(desk.clock())
    desk.work()
    assert [page.workflow for page in sink.told] == ["w1", "w3"]
    desk.outbox.put_back_full(desk.clock())
    desk.work()
    assert [page.workflow for page in sink.told] == ["w1", "w3", "w0", "w2"]
    assert desk.outbox.parked() == []
    assert desk.pager.counted["gave_way", "SEV-3"] + desk.pager.counted["gave_way", "SEV-2"] == 4


def test_a_slow_sink_does_not_hold_back_another(make_desk: Any, incidents: Any) -> None:
    """Each sink has rows of its own: one that takes nothing changes nothing for the other."""
    slow, quick = incidents.Memory("slow"), incidents.Memory("quick")
    desk = make_desk(slow, quick)
    failing(slow)
    desk.tell(incidents.incident("a"))
    desk.work()
    desk.tell(incidents.resolved("a"))
    desk.work()
    assert [page.status for page in quick.told] == ["open", "resolved"]
    assert desk.outbox.queue("slow").depth == 1


def test_sinks_that_know_of_a_page_hear_its_end(make_desk: Any, incidents: Any) -> None:
    """When the routes change meanwhile, the end still goes to whoever was told of the beginning."""
    first, second = incidents.Memory("first"), incidents.Memory("second")
    desk = make_desk(first, second, routing=Routing([Route("r", ("first",))]))
    desk.tell(incidents.incident("a"))
    desk.work()
    desk.routing = Routing([Route("r", ("second",))])
    desk.tell(incidents.resolved("a"))
    desk.work()
    assert [page.status for page in first.told] == ["open", "resolved"]
    assert [page.status for page in second.told] == ["open", "resolved"]


def test_a_sink_without_updates_hears_only_what_matters(make_desk: Any, incidents: Any) -> None:
    """Begin, worse severity and end are told; mere numbers are not."""
    sink = incidents.Memory()
    sink.UPDATES = False
    desk = make_desk(sink)
    desk.tell(incidents.incident("a"))
    desk.work()
    for number in range(3):
        desk.tell(incidents.incident(f"b{number}"))
        desk.after(61)
    desk.tell(incidents.incident("c", severity=incidents.severity(1)))
    desk.work()
    desk.tell(*(incidents.resolved(key) for key in ("a", "b0", "b1", "b2", "c")))
    desk.work()
    assert [(page.status, page.severity, page.count) for page in sink.told] == [
        ("open", "SEV-2", 1),
        ("open", "SEV-1", 5),
        ("resolved", "SEV-1", 5),
    ]


def test_a_sink_that_forgets_is_told_again_while_it_is_open(make_desk: Any, incidents: Any) -> None:
    """Told again each minute, also when that fails once, and never after the end."""
    sink = incidents.Memory()
    sink.REFRESH_S = 60.0
    desk = make_desk(sink)
    desk.tell(incidents.incident("a"))
    desk.work()
    for second in range(1, 181):
        desk.clock.ns = incidents.START_NS + second * incidents.SECOND
        desk.work()
    assert len(sink.told) == 4
    assert desk.outbox.queue("memory").depth == 0
    desk.tell(incidents.resolved("a"))
    desk.work()
    desk.after(3_600)
    assert [page.status for page in sink.told] == ["open"] * 4 + ["resolved"]


def test_news_while_a_delivery_is_under_way_is_not_lost(make_desk: Any, incidents: Any) -> None:
    """A page that ends, or gets worse, while its beginning is being delivered is told again after it."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    news = [incidents.incident("b", severity=incidents.severity(1)), incidents.resolved("a"), incidents.resolved("b")]

    def meanwhile(page: Any) -> Any:
        if news:
            desk.tell(news.pop(0))
        return Sent()

    sink.answer = meanwhile
    desk.tell(incidents.incident("a"))
    desk.work()
    desk.after(61)
    assert sink.told[0].severity == "SEV-2"
    assert [page.status for page in sink.told][-1] == "resolved"
    assert [page.severity for page in sink.told[1:]] == ["SEV-1"] * (len(sink.told) - 1)


@pytest.mark.parametrize("taken", [True, False])
def test_what_gives_way_while_a_delivery_is_under_way(taken: bool, make_desk: Any, incidents: Any) -> None:  # noqa: FBT001
    """Taken by its sink it is not parked, though the outbox was full meanwhile; not taken, it is, and not tried."""
    sink = incidents.Memory()
    desk = make_desk(sink, max_rows=1)

    def fill(page: Any) -> Any:
        sink.answer = lambda page: Sent()
        desk.tell(incidents.incident("urgent", workflow="urgent", severity=incidents.severity(1)))
        return Sent() if taken else Retry(None, "HTTP 500")

    sink.answer = fill
    desk.tell(incidents.incident("a", workflow="a"))
    desk.work()
    desk.after(120)
    assert [page.workflow for page in sink.told] == ["a", "urgent"]
    assert len(desk.outbox.parked()) == (not taken)
    with desk.store.reading() as db:
        assert db.execute("SELECT * FROM outbox WHERE parked_ns IS NOT NULL AND due_ns IS NOT NULL").fetchall() == []


def test_news_while_a_page_is_refused_is_tried(make_desk: Any, incidents: Any) -> None:
    """A page is only parked for what was refused: what it has to say by then is told."""
    sink = incidents.Memory()
    desk = make_desk(sink)

    def refuse_once(page: Any) -> Any:
        sink.answer = lambda page: Sent()
        desk.tell(incidents.incident("b", severity=incidents.severity(1)))
        return Refused("too long")

    sink.answer = refuse_once
    desk.tell(incidents.incident("a"))
    desk.work()
    assert [page.count for page in sink.told] == [1, 2]
    assert desk.outbox.parked() == []


def test_ended_pages_are_forgotten_only_when_nobody_waits_for_them(make_desk: Any, incidents: Any) -> None:
    """After its time an ended page goes with its incidents; one that is parked, open or undelivered stays."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    for name in ("done", "open", "parked"):
        sink.answer = (lambda page: Refused("no")) if name == "parked" else (lambda page: Sent())
        desk.tell(incidents.incident(name, workflow=name))
        desk.work()
        if name != "open":
            desk.tell(incidents.resolved(name, workflow=name))
            desk.work()
    desk.clock.advance(100)
    with desk.store.transaction() as db:
        desk.pager.forget(db, desk.clock())
        kept = [key for (key,) in db.execute("SELECT key FROM incidents ORDER BY key")]
        assert kept == ["open", "parked"]
        assert db.execute("SELECT count(*) FROM outbox").fetchone() == (2,)


def test_that_a_page_is_in_hand_is_told_once(make_desk: Any, incidents: Any) -> None:
    """To a sink that hears of no updates, too, and at once; more incidents tell it no more."""
    chat, pager = incidents.Memory("chat"), incidents.Memory("pager")
    chat.UPDATES = False
    desk = make_desk(chat, pager)
    desk.tell(incidents.incident("a"))
    desk.work()
    with desk.store.transaction() as db:
        key = desk.pager.acknowledge(db, "a", "ann", desk.clock())
        assert key == desk.pager.acknowledge(db, key, "ann", desk.clock())
        assert desk.pager.acknowledge(db, "b", "ann", desk.clock()) is None
    desk.work()
    assert [told.acknowledged_by for told in chat.told] == [None, "ann"]
    desk.tell(incidents.incident("b"))
    desk.after(120)
    assert [told.acknowledged_by for told in chat.told] == [None, "ann"]
    assert [told.acknowledged_by for told in pager.told] == [None, "ann", "ann"]
    desk.tell(incidents.resolved("a"), incidents.resolved("b"))
    desk.work()
    assert not chat.told[-1].is_open
    with desk.store.transaction() as db:
        assert desk.pager.acknowledge(db, "a", "bob", desk.clock()) is None
