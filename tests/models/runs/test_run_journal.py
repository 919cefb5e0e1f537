"""What a shard hands to the journal: deltas on a base are the state, and nothing else is read as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.digest import digest_of
from models.runs import journal
from models.runs.policy import RunPolicy
from models.runs.record import RUN
from models.runs.shards import SHARDS, shard_of
from models.runs.state import STATE
from models.runs.table import RunTable
from models.spans.columns import SpanKind
from tests.helpers.span_rows import row, spans_of

_PLACES = [name for name in STATE.names or () if name.endswith(("_at", "_index")) and STATE[name] == np.int32]


def _rows(first: int, count: int) -> list[dict[str, Any]]:
    kinds = [SpanKind.LLM, SpanKind.TOOL, SpanKind.OTHER]
    rows = []
    for k in range(first, first + count):
        more = {"tool": f"t{k % 3}", "arguments": str(k % 7), "user": f"u{k}", "service": "shop", "trace_lo": k % 20}
        rows.append(row(kinds[k % 3], k, 1, k, k + 5, **more))
    return rows


def _known(raw: bytes) -> tuple[dict[Any, Any], dict[int, str], Any]:
    """Give what a dump says, without how it lies in memory: all of its rows are whole."""
    part, width = journal.unpack(raw), STATE.itemsize // 8
    runs, at = {}, 0
    for _ in range(part.count):
        trace, due = part.rows[at : at + 2], int(part.rows[at + 5])
        state = np.concatenate([trace, part.rows[at + 6 : at + 4 + width]]).view(STATE)[0]
        at += 4 + width
        words = 2 * (state["seen_n"] + state["made_n"]) + 6 * min(state["tools_n"], 256) + 5 * state["tally_n"]
        for name in _PLACES:
            state[name] = 0
        runs[tuple(trace.tolist())] = (state.tobytes(), due, part.rows[at : at + words].tobytes())
        at += words
    assert at == len(part.rows)
    return runs, part.names, part.expectations


def test_a_picture_is_the_dump_of_then() -> None:
    """Whatever comes after it, and whenever its bytes are made."""
    table = RunTable(RunPolicy(), is_journaled=True)
    table.update(spans_of(_rows(1, 300)), slice(0, 300), 0)
    table.expect_evaluations({digest_of("shop"): 10})
    picture, dump = table.picture(), table.dump()
    table.update(spans_of(_rows(300, 3000)), slice(0, 3000), 0)
    table.expect_evaluations({digest_of("shop"): 5})
    assert _known(picture()) == _known(dump)
    assert _known(table.picture()()) == _known(table.dump()) != _known(dump)


def test_deltas_on_a_base_are_the_state() -> None:
    """A table restored from base and deltas dumps what the uncut one dumps, and goes on alike."""
    table = RunTable(RunPolicy(), is_journaled=True)
    table.update(spans_of(_rows(1, 300)), slice(0, 300), 0)
    base, deltas = table.dump(), []
    table.take_delta()
    for step in range(1, 5):
        table.update(spans_of(_rows(300 * step, 300)), slice(0, 300), 0)
        table.expect_evaluations({digest_of("shop"): 10 - step})
        deltas.append(table.take_delta())
    restored = RunTable.load(RunPolicy(), base, deltas)
    assert _known(restored.dump()) == _known(table.dump())
    assert restored.counters == table.counters
    assert (restored.open_runs, restored.remembered) == (table.open_runs, table.remembered)
    one, two = table.drain(), restored.drain()
    assert sorted(run.tobytes() for run in one.runs) == sorted(run.tobytes() for run in two.runs)
    assert one.names == two.names


@pytest.mark.parametrize("layout", [RUN, STATE], ids=["run", "state"])
def test_no_byte_of_a_row_is_undefined(layout: np.dtype[Any]) -> None:
    """Rows are compared and kept as whole words: padding would make equal ones differ."""
    assert layout.itemsize % 8 == 0
    assert sum(layout[name].itemsize for name in layout.names or ()) == layout.itemsize


def test_a_delta_tells_only_what_changed() -> None:
    """One span more in a table of many runs is a small delta; nothing more, an empty one."""
    table = RunTable(RunPolicy(), is_journaled=True)
    many = [row(SpanKind.LLM, 1, 9, 0, 1, trace_lo=k) for k in range(5000)]
    table.update(spans_of(many), slice(0, 5000), 0)
    whole = table.take_delta()
    table.update(spans_of([row(SpanKind.LLM, 2, 9, 0, 1, trace_lo=77)]), slice(0, 1), 0)
    one, none = table.take_delta(), table.take_delta()
    assert len(none) < 400
    assert len(one) < len(none) + 700
    assert len(whole) > 5000 * 400


_KINDS = [SpanKind.RUN, *[SpanKind.LLM, SpanKind.TOOL, SpanKind.TOOL, SpanKind.EXECUTION] * 3]


def _any_rows(rng: np.random.Generator, traces: int, at: int) -> list[dict[str, Any]]:
    rows = []
    for _ in range(int(rng.integers(1, 60 if rng.random() < 0.9 else 1500))):
        kind = _KINDS[int(rng.integers(len(_KINDS)))]
        parent = 0 if kind == SpanKind.RUN else int(rng.integers(8))
        more = {"tool": f"t{rng.integers(3)}", "arguments": str(rng.integers(4)), "user": f"u{rng.integers(5)}"}
        if kind == SpanKind.EXECUTION:
            more["error_type"] = ("", "ValueError", "TimeoutError")[int(rng.integers(3))]
        rows.append(
            row(kind, int(rng.integers(1, 5000)), parent, at, at + 5, trace_lo=int(rng.integers(traces)), **more)
        )
        at += int(rng.integers(20))
    return rows


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 5, 40, 20_000]), st.integers(2, 12))
def test_any_deltas_are_the_state(seed: int, traces: int, cuts: int) -> None:
    """Runs are told in parts: they end, fail, are forgotten, leave their slot to another, come again, in any order."""
    rng, policy = np.random.default_rng(seed), RunPolicy(remember_max=max(1, traces // 4), idle=300 * 10**9)
    table, deltas, base, at = RunTable(policy, is_journaled=True), [], None, 0
    for _ in range(cuts):
        for _ in range(int(rng.integers(1, 4))):
            rows = _any_rows(rng, traces, at)
            at = rows[-1]["start"] // 10**9
            table.update(spans_of(rows), slice(0, len(rows)), (at - 100) * 10**9)
        if rng.random() < 0.2:
            base, deltas = table.dump(), []
            table.take_delta()
        else:
            deltas.append(table.take_delta())
    restored = RunTable.load(policy, base, deltas)
    assert _known(restored.dump())[0] == _known(table.dump())[0]
    for each in (table, restored):
        each.update(spans_of(rows), slice(0, len(rows)), at * 10**9)
    assert _known(restored.dump())[0] == _known(table.dump())[0]


def test_of_a_long_run_only_news_are_told() -> None:
    """The hundredth span of a run takes no more of the journal than its second."""
    table, sizes = RunTable(RunPolicy(), is_journaled=True), []
    for k in range(1, 101):
        table.update(spans_of([row(SpanKind.TOOL, k, 999, k, k + 1, tool="t", arguments=str(k))]), slice(0, 1), 0)
        sizes.append(len(table.take_delta()))
    assert max(sizes[2:]) <= sizes[1] + 24
    assert max(sizes[1:]) < sizes[0] - 200


def test_a_run_that_has_run_away_is_told_whole_once_a_delta() -> None:
    """Hundreds of calls that all differ, one a batch: the delta of 200 batches is as long as that of two."""
    table, sizes = RunTable(RunPolicy(), is_journaled=True), []
    rows = [row(SpanKind.TOOL, k, 999, k, k + 1, tool="t", arguments=str(k)) for k in range(1, 1001)]
    table.update(spans_of(rows[:600]), slice(0, 600), 0)
    deltas = [table.take_delta()]
    for first, last in ((600, 602), (602, 802)):
        for k in range(first, last):
            table.update(spans_of(rows[k : k + 1]), slice(0, 1), 0)
        deltas.append(table.take_delta())
        sizes.append(len(deltas[-1]))
    assert sizes[1] < 1.6 * sizes[0]
    assert _known(RunTable.load(RunPolicy(), None, deltas).dump()) == _known(table.dump())


def test_the_slot_of_a_run_that_is_owed_goes_to_another() -> None:
    """A long run is touched, forgotten, its slot taken by a new one, all in one delta: only the new one is there."""
    policy = RunPolicy()
    table = RunTable(policy, is_journaled=True)
    long = [row(SpanKind.TOOL, k, 1, k, k + 1, tool="t", arguments=str(k)) for k in range(2, 500)]
    table.update(spans_of([*long, row(SpanKind.RUN, 1, 0, 0, 600)]), slice(0, 499), 0)
    base = table.take_delta()
    table.update(spans_of([row(SpanKind.TOOL, 700, 1, 1, 2, tool="t", arguments="late")]), slice(0, 1), 0)
    table.advance(10**18)
    table.update(spans_of([row(SpanKind.LLM, 9, 0, 10**9, 10**9 + 1, trace_lo=5)]), slice(0, 1), 10**18)
    restored = RunTable.load(policy, base, [table.take_delta()])
    assert _known(restored.dump()) == _known(table.dump())
    assert len(_known(table.dump())[0]) == 1


def test_forgotten_runs_leave_the_journal() -> None:
    """A run that a delta says is gone is gone after the restart."""
    table = RunTable(RunPolicy(), is_journaled=True)
    table.update(spans_of([row(SpanKind.RUN, 1, 0, 0, 1)]), slice(0, 1), 0)
    deltas = [table.take_delta()]
    table.advance(10**18)
    deltas.append(table.take_delta())
    assert RunTable.load(RunPolicy(), None, deltas).remembered == 0


@pytest.mark.parametrize(
    "spoil", [lambda raw: raw[:20], lambda raw: b"x" + raw[1:], lambda raw: raw[:-3]], ids=["head", "foreign", "cut"]
)
def test_other_bytes_are_refused(spoil: Any) -> None:
    """A cut or foreign state is an error that says so, never a wrong table."""
    table = RunTable(RunPolicy(), is_journaled=True)
    table.update(spans_of(_rows(1, 50)), slice(0, 50), 0)
    with pytest.raises(ValueError, match="run state"):
        RunTable.load(RunPolicy(), spoil(table.dump()), [])


def test_texts_that_no_run_holds_are_dropped() -> None:
    """With a new user a run and few runs remembered, the texts stay in proportion to the runs."""
    table = RunTable(RunPolicy(remember_max=100))
    for first in range(0, 20_000, 1000):
        rows = [row(SpanKind.RUN, 1, 0, k, k + 1, trace_lo=k, user=f"u{k}") for k in range(first, first + 1000)]
        changes = table.update(spans_of(rows), slice(0, 1000), 0)
        assert {f"u{k}" for k in range(first, first + 1000)} <= set(changes.names.values())
    assert len(table.texts.known) < 4000
    restored = RunTable.load(RunPolicy(), table.dump(), [])
    assert all(name in restored.texts.known for name in restored.drain().runs["user"].tolist())


def test_traces_spread_evenly_over_the_shards() -> None:
    """Consecutive trace ids meet every shard about equally; shard numbers are part of stored state and stay."""
    spans = spans_of([row(SpanKind.LLM, 1, 0, 0, 1, trace_hi=5, trace_lo=k) for k in range(100 * SHARDS)])
    shards = shard_of(spans.cols)
    counts = np.bincount(shards, minlength=SHARDS)
    assert (len(counts), counts.min() > 50, counts.max() < 160) == (SHARDS, True, True)
    assert shards[:4].tolist() == [0, 14, 15, 2]
