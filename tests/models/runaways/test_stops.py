"""Calls of whom people or budgets have killed: held against an oracle that asks each call of each kill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.orders.in_force import in_force
from models.orders.order import Kill, Place
from models.run_id import run_id_of
from models.runaways import stops
from models.runaways.base import NANO
from models.runaways.book import Defied, RunawayBook
from models.runaways.stops import TELL_EVERY_S, WAIT_S, Stops
from models.runaways.touched import Touched
from models.runaways.watch import OBEY_S
from models.runs.policy import RunPolicy
from models.runs.table import RunTable
from models.spans.columns import SpanKind
from tests.helpers.span_rows import SECOND, row, spans_of

if TYPE_CHECKING:
    import pytest

RUN, LLM, TOOL = SpanKind.RUN, SpanKind.LLM, SpanKind.TOOL
WHO = {
    1: {"workflow": "air", "user": "u1", "tenant": "acme"},
    2: {"workflow": "air", "user": "u1", "tenant": "umbra"},
    3: {"workflow": "rail", "user": "u2", "tenant": ""},
}
AGENTS = {1: "clerk", 2: "clerk", 3: "guide"}
NAMES = {
    "run": [run_id_of(7, 1), run_id_of(7, 3), "no run"],
    "user": ["u1", "u2", "u9"],
    "agent": ["clerk", "guide", "helper"],
    "workflow": ["air", "rail"],
    "tenant": ["acme", "umbra"],
    "product": ["*"],
}


class Shard:
    """A run shard with its stops; time is that of the newest batch."""

    def __init__(self, *, waits: bool = False) -> None:
        self.table = RunTable(RunPolicy())
        self.table.is_watched = True
        self.stops = Stops(self.table.texts.known.get, waits=waits)

    def feed(self, *rows: dict[str, Any], now_s: float = 0) -> list[Defied]:
        """Apply one batch; give what defies."""
        spans, every = spans_of(list(rows)), np.arange(len(rows))
        self.table.update(spans, every, 0)
        found: list[Defied] = []
        for pulses in self.table.pulses():
            found += self.stops.defied(Touched(pulses, spans, every), int(now_s * NANO))
        return found


def begun(trace: int) -> dict[str, Any]:
    """Give the span of a run's agent."""
    return row(RUN, 1, 99, 0, 1, trace_lo=trace, agent=AGENTS[trace], **WHO[trace])


def kill(level: str, name: str, since_s: float, tenant: str | None = None, by: str = "ann") -> Kill:
    """Give a kill."""
    return Kill(Place(level, name, tenant), int(since_s * SECOND), "operator", by)


@st.composite
def kills(draw: Any) -> list[Kill]:
    """Make some kills, one a place."""
    found = {}
    for _ in range(draw(st.integers(0, 5))):
        level = draw(st.sampled_from(sorted(NAMES)))
        place = Place(level, draw(st.sampled_from(NAMES[level])), draw(st.sampled_from([None, "acme"])))
        found[place] = kill(place.level, place.id, draw(st.integers(0, 20)), place.tenant)
    return list(found.values())


_CALL = st.tuples(
    st.sampled_from([1, 2, 3]),
    st.sampled_from([LLM, TOOL, SpanKind.OTHER]),
    st.integers(25, 60),
    st.sampled_from(["", "helper"]),
)


def is_of(each: Kill, trace: int, agent: str) -> bool:
    """Say, in the plainest words, whether a call is of a killed scope."""
    level, name, tenant = each.place
    who = {**WHO[trace], "run": run_id_of(7, trace), "agent": agent or AGENTS[trace], "product": "*"}
    return who[level] == name and tenant in (None, who["tenant"])


@settings(deadline=None)
@given(kills(), st.lists(_CALL, max_size=12))
def test_every_call_against_every_kill(ordered: list[Kill], calls: list[tuple[int, SpanKind, int, str]]) -> None:
    """Each kill that any call defies is told once, by the newest such call; no other is."""
    shard = Shard()
    shard.feed(*(begun(trace) for trace in WHO))
    shard.stops.hear(in_force(ordered))
    rows = [
        row(kind, 10 + n, 1, start, start + 1, trace_lo=trace, tool="t", agent=agent)
        for n, (trace, kind, start, agent) in enumerate(calls)
    ]
    expected = {}
    for each in ordered:
        starts = [
            start * SECOND
            for trace, kind, start, agent in calls
            if kind != SpanKind.OTHER and is_of(each, trace, agent) and start * SECOND > each.since_ns + OBEY_S * SECOND
        ]
        if starts:
            expected[each.place] = max(starts)
    told = shard.feed(*rows) if rows else []
    assert {each.place: each.call_ns for each in told} == expected
    assert len(told) == len(expected)


def test_calls_before_the_first_word_are_held_against_it() -> None:
    """A shard that begins keeps the calls of its first seconds; who obeyed is not told, and nobody twice."""
    shard = Shard(waits=True)
    assert shard.feed(begun(1), begun(3), now_s=100) == []
    assert shard.feed(row(LLM, 10, 1, OBEY_S + 1, 42, trace_lo=1), now_s=101) == []
    assert shard.feed(row(TOOL, 11, 1, OBEY_S + 5, 46, trace_lo=3, tool="t"), now_s=102) == []
    assert shard.stops.overdue(102 * NANO) == []
    shard.stops.hear(in_force([kill("workflow", "air", 0)]))
    (told,) = shard.stops.overdue(103 * NANO)
    assert told == (run_id_of(7, 1), "air", "operator", 0, (OBEY_S + 1) * SECOND, Place("workflow", "air", None), "ann")
    assert shard.stops.overdue(103 * NANO) == []
    assert shard.feed(row(LLM, 12, 1, OBEY_S + 9, 50, trace_lo=1), now_s=104) == []  # told a moment ago


def test_without_a_word_nothing_is_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is in force, or all is obeyed: what was kept is let go after a while, and is bounded before."""
    monkeypatch.setattr(stops, "MOST_EARLY", 20_000)
    shard = Shard(waits=True)
    shard.feed(begun(1), now_s=100)
    many = [row(LLM, 10 + n, 1, OBEY_S + 1, 42, trace_lo=1) for n in range(3000)]
    for n in range(10):
        shard.feed(*({**each, "span_id": 10_000 * n + each["span_id"]} for each in many), now_s=101)
    assert sum(len(each.rows) for each in shard.stops._early) <= 20_000
    shard.feed(row(LLM, 5, 1, OBEY_S + 1, 42, trace_lo=1), now_s=100 + WAIT_S + 1)
    assert not shard.stops._early
    shard.stops.hear(in_force([kill("workflow", "air", 0)]))
    assert shard.stops.overdue(112 * NANO) == []
    assert len(shard.feed(row(LLM, 6, 1, OBEY_S + 1, 42, trace_lo=1), now_s=113)) == 1


def test_of_one_kill_once_a_minute_while_it_is_in_force() -> None:
    """That calls go on is heard; a kill that was lifted is defied by nobody, and one that comes again is news."""
    shard = Shard()
    shard.stops.hear(in_force([kill("workflow", "air", 0)]))
    shard.feed(begun(1))
    assert shard.feed(row(LLM, 10, 1, OBEY_S, 41, trace_lo=1), now_s=41) == []
    (told,) = shard.feed(row(LLM, 11, 1, OBEY_S + 1, 42, trace_lo=1), now_s=42)
    assert told == (run_id_of(7, 1), "air", "operator", 0, (OBEY_S + 1) * SECOND, Place("workflow", "air", None), "ann")
    assert shard.feed(row(LLM, 12, 1, OBEY_S + 2, 43, trace_lo=1), now_s=43) == []
    shard.stops.hear(in_force([kill("workflow", "air", 0), kill("user", "u7", 9)]))
    assert shard.feed(row(LLM, 13, 1, 60, 61, trace_lo=1), now_s=61) == []
    assert len(shard.feed(row(LLM, 14, 1, 102, 103, trace_lo=1), now_s=42 + TELL_EVERY_S)) == 1
    shard.stops.hear(in_force([]))
    assert shard.feed(row(LLM, 15, 1, 400, 401, trace_lo=1), now_s=401) == []
    shard.stops.hear(in_force([kill("workflow", "air", 402)]))
    assert len(shard.feed(row(LLM, 16, 1, 440, 441, trace_lo=1), now_s=441)) == 1


def test_people_hear_what_was_killed_and_by_whom() -> None:
    """One incident of the scope, whatever workflows its calls are of; it stays as long as calls go on."""
    book, place = RunawayBook(), Place("user", "u1", "acme")
    for at in (100, 160, 220):
        call = Defied(f"r{at}", f"w{at}", "operator", 40 * NANO, at * NANO, place, "ann")
        book.hear((), [call, call], at)
    (told,) = book.look(230)
    assert (told.scope, told.rule, str(told.severity), told.workflow) == (
        {"level": "user", "id": "u1"},
        "operator",
        "SEV-1",
        None,
    )
    assert told.title == "user u1: calls go on after it was killed by ann"
    assert told.summary == f"{told.title}; newest: a call began 180 s after the kill by ann"
    assert (told.evidence["killed_at"], told.evidence["runs"]) == ("1970-01-01T00:00:40.000000Z", 3)
    assert (told.tenant, told.runs) == ("acme", ("r220", "r160", "r100"))
    book = RunawayBook.load(book.dump(), [], 1)
    assert book.look(700) == []
    assert [str(each.status) for now in (820, 900) for each in book.look(now)] == ["resolved"]
