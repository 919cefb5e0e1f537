"""Grouping: one page a group; the first incident pages at once, others are counted into it; it ends when all have."""

from __future__ import annotations

import itertools
import random
import tracemalloc
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.grouping import group_of, page_key
from alerts.routing import Match, Quiet, Route, Routing
from models.incidents.incident import Incident, Severity


def test_the_first_incident_pages_at_once_and_others_are_counted(make_desk: Any, incidents: Any) -> None:
    """Two more incidents within the minute are told once, at its end, with their number."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.tell(incidents.incident("a"))
    desk.work()
    for second, key in ((10, "b"), (20, "c")):
        desk.clock.ns = incidents.START_NS + second * incidents.SECOND
        desk.tell(incidents.incident(key))
        desk.work()
    assert [page.count for page in sink.told] == [1]
    desk.after(39.9)
    assert [page.count for page in sink.told] == [1]
    desk.after(0.1)
    assert [page.count for page in sink.told] == [1, 3]
    desk.after(3600)
    assert len(sink.told) == 2


def test_a_worse_severity_is_told_at_once(make_desk: Any, incidents: Any) -> None:
    """A SEV-1 among SEV-2 updates the page in the same second, and speaks for it from then on."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.tell(incidents.incident("a"))
    desk.work()
    desk.tell(incidents.incident("b", severity=Severity.SEV_1, summary="worse"))
    desk.work()
    assert [(page.severity, page.summary, page.count) for page in sink.told] == [
        ("SEV-2", "15.0 times too many failures for an hour", 1),
        ("SEV-1", "worse", 2),
    ]
    desk.tell(incidents.incident("c", severity=Severity.SEV_3, summary="lesser"))
    desk.after(60)
    assert (sink.told[-1].severity, sink.told[-1].summary) == ("SEV-1", "worse")


def test_an_incident_that_gets_worse_is_told_at_once(make_desk: Any, incidents: Any) -> None:
    """The same incident, told again with a worse severity, is no second incident."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.tell(incidents.incident("a", severity=Severity.SEV_3))
    desk.work()
    desk.tell(incidents.incident("a", 1, severity=Severity.SEV_1))
    desk.work()
    assert [(page.severity, page.count) for page in sink.told] == [("SEV-3", 1), ("SEV-1", 1)]


def test_what_is_told_again_hours_later_is_what_holds_then(make_desk: Any, incidents: Any) -> None:
    """The incident that a page speaks of is told again with new numbers: the page has them, and not those of others."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.tell(incidents.incident("a", summary="15 times too fast, 20% used", evidence={"burn": 15}))
    desk.work()
    later = incidents.incident("a", 1, summary="40 times too fast, 310% used", evidence={"burn": 40})
    other = incidents.incident("b", 0, summary="of another scope", severity=incidents.severity(3))
    desk.tell(later, other)
    desk.after(4 * 3600)
    assert [page.summary for page in sink.told] == ["15 times too fast, 20% used", "40 times too fast, 310% used"]
    assert (sink.told[-1].evidence, sink.told[-1].severity) == ({"burn": 40}, incidents.severity(2))
    desk.tell(incidents.incident("b", 1, summary="now the worst", severity=incidents.severity(1)))
    desk.tell(incidents.incident("a", 2, summary="no longer the worst"))
    desk.after(60)
    assert sink.told[-1].summary == "now the worst"


def test_it_ends_when_all_have_and_the_next_is_another_page(make_desk: Any, incidents: Any) -> None:
    """The end comes with the last incident; what opens after it has a key of its own."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.tell(incidents.incident("a"), incidents.incident("b"))
    desk.work()
    desk.tell(incidents.resolved("a"))
    desk.work()
    assert [page.status for page in sink.told] == ["open"]
    desk.tell(incidents.resolved("b", 5))
    desk.work()
    assert [page.status for page in sink.told] == ["open", "resolved"]
    assert sink.told[-1].resolved_at == "2026-05-28T20:26:45.000000Z"
    desk.tell(incidents.incident("c"))
    desk.work()
    assert sink.told[-1].is_open
    assert sink.told[-1].key != sink.told[0].key
    assert sink.told[0].key == page_key(incidents.incident("a"), again=False)


def test_an_incident_that_opens_anew_is_another_page(make_desk: Any, incidents: Any) -> None:
    """The key of an incident whose page has ended never names a second page."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    for revision, telling in enumerate((incidents.incident, incidents.resolved) * 2):
        desk.tell(telling("a", revision))
        desk.work()
    assert [page.status for page in sink.told] == ["open", "resolved", "open", "resolved"]
    assert len({page.key for page in sink.told}) == 2


def test_an_old_revision_is_no_news(make_desk: Any, incidents: Any) -> None:
    """What is told again, or out of order, changes nothing and is counted."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.tell(incidents.incident("a", 4), incidents.incident("a", 4), incidents.resolved("a", 3))
    desk.after(3600)
    assert [(page.status, page.count) for page in sink.told] == [("open", 1)]
    assert desk.pager.counted["telling", "repeated"] == 2


def test_what_is_found_out_later_is_told_of_the_same_page(make_desk: Any, incidents: Any) -> None:
    """A minute after it was told, and only of the telling that it was found out about."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    first = incidents.incident("a", evidence={"count": 1})
    desk.tell(first)
    desk.work()
    found = first.record() | {"revision": 1, "summary": "failed; more", "evidence": {"count": 1, "explained": {"x": 1}}}
    desk.tell(Incident.of(found))
    desk.after(120)
    assert [(page.key, page.summary) for page in sink.told] == [
        (sink.told[0].key, first.summary),
        (sink.told[0].key, "failed; more"),
    ]
    assert sink.told[1].evidence["explained"] == {"x": 1}


def test_what_was_over_before_it_was_heard_pages_nobody(make_desk: Any, incidents: Any) -> None:
    """An incident first heard of as resolved is remembered, so that its older tellings are no news."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.tell(incidents.resolved("a", 7))
    desk.tell(incidents.incident("a", 6))
    desk.work()
    assert sink.told == []
    assert desk.pager.counted["telling", "over_before_heard"] == 1


def test_examples_are_few(make_desk: Any, incidents: Any) -> None:
    """Of a hundred incidents a page keeps five runs and ten scopes, the first ones."""
    sink = incidents.Memory()
    desk = make_desk(sink)
    desk.tell(
        *(
            incidents.incident(str(n), runs=(f"{n:032x}",), scope={"level": "run", "id": f"{n:032x}"})
            for n in range(100)
        )
    )
    desk.work()
    assert sink.told[0].runs == tuple(f"{n:032x}" for n in range(5))
    assert [scope["id"] for scope in sink.told[0].scopes] == [f"{n:032x}" for n in range(10)]
    assert sink.told[0].count == 100


@pytest.mark.parametrize("group_by", [("class", "rule", "workflow"), ("workflow",), ()])
def test_safety_never_shares_a_page(group_by: tuple[str, ...], make_desk: Any, incidents: Any) -> None:
    """Whatever incidents are grouped by, each safety class has pages of its own."""
    sink = incidents.Memory()
    desk = make_desk(sink, routing=Routing([Route("all", ("memory",))], group_by=group_by))
    classes = ["slo.burn", "safety.injection", "safety.leak"]
    desk.tell(*(incidents.incident(f"{class_}{n}", class_=class_) for class_ in classes for n in range(2)))
    desk.work()
    assert sorted((page.class_, page.count) for page in sink.told) == sorted((class_, 2) for class_ in classes)


def test_groups_are_by_value(incidents: Any) -> None:
    """Another workflow is another group, another scope is not."""
    first = incidents.incident("a")
    assert group_of(first, ("class", "rule", "workflow")) == {
        "class": "slo.burn",
        "rule": "task-success",
        "workflow": "airline",
    }
    other = replace(first, scope={"level": "run", "id": "x"}, tenant="acme")
    assert group_of(other, ("class", "rule", "workflow")) == group_of(first, ("class", "rule", "workflow"))
    assert group_of(other, ("tenant",)) != group_of(first, ("tenant",))


def test_a_hundred_thousand_incidents_in_a_minute_are_one_trigger_a_group(make_desk: Any, incidents: Any) -> None:
    """100,000 incidents of four groups within 60 s: each sink hears of a group at once, and once more after the minute.

    Memory stays bounded: what is held does not grow with the incidents.
    """
    sink = incidents.Memory()
    desk = make_desk(sink)
    evidence = {"text": "x" * 2_000}
    groups = ["a", "b", "c", "d"]
    tellings = [incidents.incident(workflow=groups[n % 4], evidence=evidence) for n in range(4)]
    peaks = []
    for batch in range(100):
        desk.clock.ns = incidents.START_NS + batch * incidents.SECOND * 6 // 10
        some = [replace(tellings[n % 4], key=f"{batch}/{n}") for n in range(1_000)]
        traced = batch in (10, 99)
        if traced:
            tracemalloc.start()
        desk.tell(*some)
        desk.work()
        if traced:
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert [(page.workflow, page.status) for page in sink.told] == [(group, "open") for group in groups]
    desk.after(60)
    assert sorted((page.workflow, page.count) for page in sink.told[4:]) == [(group, 25_000) for group in groups]
    assert peaks[1] < 1.5 * peaks[0]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tellings=st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(1, 3)), max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=4),
    seed=st.integers(0, 1_000),
)
def test_counts_are_those_of_a_plain_count(
    tellings: list[tuple[int, bool, int]], cuts: list[int], seed: int, make_desk: Any, incidents: Any
) -> None:
    """However tellings are cut into transactions and repeated, open incidents and worst severities are as counted.

    The oracle walks over the tellings with one set and a list of pages.
    """
    revisions: dict[int, int] = {}
    stream = []
    for number, is_open, severity in tellings:
        revisions[number] = revisions.get(number, -1) + 1
        make = incidents.incident if is_open else incidents.resolved
        stream.append(make(str(number), revisions[number], severity=incidents.severity(severity)))
    pages: list[dict[str, Any]] = []
    open_now: set[str] = set()
    for telling in stream:
        before = set(open_now)
        (open_now.add if telling.status == "open" else open_now.discard)(telling.key)
        if not before and not open_now:
            continue
        if not before:
            pages.append({"severity": telling.severity, "members": set()})
        if telling.key in before or telling.key in open_now or telling.key in pages[-1]["members"]:
            pages[-1]["members"].add(telling.key)
            pages[-1]["severity"] = min(pages[-1]["severity"], telling.severity)
    desk = make_desk(incidents.Memory())
    chance = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for begin, end in itertools.pairwise(places):
        repeated = [telling for telling in stream[:end] if chance.random() < 0.3]
        desk.tell(*stream[begin:end], *repeated)
    with desk.store.reading() as db:
        stored = db.execute("SELECT open, json_extract(live, '$.severity') FROM pages ORDER BY id").fetchall()
    is_open = [False] * len(pages)
    if pages and open_now:
        is_open[-1] = True
    assert stored == [(int(o), page["severity"]) for o, page in zip(is_open, pages, strict=True)]


def by_tenant(*more: Route) -> Routing:
    """Give routes: tenant b is told by a sink of its own, all others by the shared one."""
    return Routing((*more, Route("of b", ("theirs",), Match(tenant=("b",))), Route("rest", ("ours",))))


def storm(make_desk: Any, incidents: Any, routing: Routing) -> tuple[Any, Any, Any]:
    """Tell of one rule that burns for five tenants, b among them, in one group by the default."""
    ours, theirs = incidents.Memory("ours"), incidents.Memory("theirs")
    desk = make_desk(ours, theirs, routing=routing)
    for tenant in "acbde":
        desk.tell(incidents.incident(tenant, tenant=tenant))
        desk.work()
    desk.after(60)
    return desk, ours, theirs


def test_a_tenant_with_a_route_of_its_own_has_a_page_of_its_own(make_desk: Any, incidents: Any) -> None:
    """Its people hear of it though another tenant's page was first; the other four tenants are one page."""
    desk, ours, theirs = storm(make_desk, incidents, by_tenant())
    assert [(page.tenant, page.count) for page in theirs.told] == [("b", 1)]
    assert [(page.tenant, page.count) for page in ours.told] == [("a", 1), ("a", 4)]
    desk.tell(incidents.resolved("b", tenant="b"))
    desk.after(60)
    assert [page.status for page in theirs.told] == ["open", "resolved"]
    assert ours.told[-1].is_open


def test_pages_that_go_other_ways_have_other_groups(make_desk: Any, incidents: Any) -> None:
    """Alertmanager knows a page by its group: a sink that is told of both pages can tell them apart."""
    everything = Route("all", ("ours",), goes_on=True)
    _, ours, _ = storm(make_desk, incidents, by_tenant(everything))
    assert {page.key: page.group["route"] for page in ours.told} == {
        page_key(incidents.incident("a"), again=False): "all",
        page_key(incidents.incident("b"), again=False): "all,of b",
    }


def test_routes_with_the_same_sinks_part_nothing(make_desk: Any, incidents: Any) -> None:
    """Five tenants, each by a route of its own to the same sink: one page, as it is one storm."""
    routes = tuple(Route(f"of {tenant}", ("ours",), Match(tenant=(tenant,))) for tenant in "abcde")
    _, ours, _ = storm(make_desk, incidents, Routing(routes))
    assert {(page.key, page.group["route"]) for page in ours.told} == {
        (page_key(incidents.incident("a"), again=False), "of a")
    }
    assert ours.told[-1].count == 5


def test_a_way_that_only_the_worst_severity_takes_counts_too(make_desk: Any, incidents: Any) -> None:
    """Both tenants' SEV-2 go to one sink, but b's SEV-1 to another: it must find a page of b to make worse."""
    urgent = Route("of b", ("theirs",), Match(tenant=("b",), severity=("SEV-1",)))
    desk, _, theirs = storm(make_desk, incidents, Routing((urgent, Route("rest", ("ours",)))))
    assert theirs.told == []
    desk.tell(incidents.incident("b2", tenant="b", severity=Severity.SEV_1))
    desk.work()
    assert [(page.tenant, page.count, page.group["route"]) for page in theirs.told] == [("b", 2, "of b/rest/rest")]


def test_quiet_hours_of_one_tenant_are_no_other_tenants(make_desk: Any, incidents: Any) -> None:
    """The same sink, but b's pages wait until morning: that is another way."""
    quiet = (Quiet(frozenset(range(7)), 0, 1439, ZoneInfo("UTC")),)
    routes = (Route("of b", ("ours",), Match(tenant=("b",)), quiet=quiet), Route("rest", ("ours",)))
    desk, ours, _ = storm(make_desk, incidents, Routing(routes))
    assert [page.count for page in ours.told] == [1, 4]
    desk.tell(incidents.incident("b2", tenant="b", severity=Severity.SEV_1))
    desk.work()
    assert (ours.told[-1].tenant, ours.told[-1].count) == ("b", 2)


def test_groups_are_as_they_were_where_they_decide_the_way(make_desk: Any, incidents: Any) -> None:
    """Routes by severity, class and workflow part nothing by the default, nor those by tenant where groups have it."""
    routes = (
        Route("w", ("ours",), Match(workflow=("air*",), class_=("slo.*",), severity=("SEV-1",))),
        Route("r", ("ours",)),
    )
    _, ours, _ = storm(make_desk, incidents, Routing(routes))
    assert ours.told[-1].group.keys() == {"class", "rule", "workflow"}
    _, ours, theirs = storm(make_desk, incidents, replace(by_tenant(), group_by=("class", "tenant")))
    assert {tuple(page.group) for page in (*ours.told, *theirs.told)} == {("class", "tenant")}
