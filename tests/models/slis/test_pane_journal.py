"""Journal of panes: cut anywhere, restored from dump and deltas, a table goes on as if nothing had happened."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.slis import delta
from models.slis.bins import OVER
from models.slis.minutes import states_of
from models.slis.packing import PackingError, pack, pack_names, unpack, unpack_names
from models.slis.panes import PaneTable
from models.slis.settings import SliSettings

MINUTE_NS = 60 * 10**9
START = 472_222 * 60
SETTINGS = SliSettings(max_values=2, max_cohorts=1)
Make = Any


@st.composite
def cell(draw: Any) -> tuple[Any, ...]:
    """Draw one cell, over minutes that are evicted while the test runs."""
    sli = draw(st.sampled_from(["task_success", "tokens_per_task"]))
    bins = [0, 1] if sli == "task_success" else [0, 15, 16, 300, 300 + OVER]
    return (
        draw(st.sampled_from(["airline", "retail"])),
        draw(st.sampled_from(["", "tenant", "exp", "arm"])),
        draw(st.sampled_from(["t1", "t2", "t3"])),
        sli,
        START + draw(st.sampled_from([0, 1, 70, 1500, 3000, 50_000])),
        draw(st.sampled_from(bins)),
        draw(st.sampled_from([1, 2, -1])),
    )


step = st.one_of(
    st.tuples(st.just("apply"), st.lists(cell(), max_size=6)),
    st.tuples(st.just("final"), st.sampled_from([0, 2, 100, 2000, 4000, 49_000])),
    st.tuples(st.just("early"), st.just(0)),
)


def go(table: PaneTable, cells: Make, what: str, argument: Any, now: int) -> Any:
    """Do one step and give what is told."""
    if what == "apply":
        table.apply(cells(argument))
        return None
    return table.final((START + argument) * MINUTE_NS) if what == "final" else table.early(now)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(step, st.sampled_from(["", "", "delta", "dump", "restore"])), max_size=14))
def test_cut_and_restored_anywhere_equals_uncut(cells: Make, panes: Make, steps: list[Any]) -> None:
    """With deltas taken, bases dumped and lives ended at any point, what is told stays the same, revisions too."""
    whole, cut = PaneTable(SETTINGS), PaneTable(SETTINGS)
    base: bytes | None = None
    deltas: list[bytes] = []
    for i, ((what, argument), then) in enumerate(steps):
        told = [go(table, cells, what, argument, (i + 1) * 2 * 10**9) for table in (whole, cut)]
        assert told[0] is told[1] is None or panes(told[0]) == panes(told[1])
        if then:
            deltas.append(cut.take_delta())
        if then == "dump":
            base, deltas = cut.dump(), []
        if then == "restore":
            cut = PaneTable.load(SETTINGS, base, [d for d in deltas if d])
            assert cut.take_delta() == b""
    assert cut.pending == whole.pending
    assert cut.counters == whole.counters
    assert sorted(map(str, cut.gauges((START + 3000) * MINUTE_NS))) == sorted(
        map(str, whole.gauges((START + 3000) * MINUTE_NS))
    )
    assert panes(cut.drain()) == panes(whole.drain())


def test_nothing_happened_is_no_delta(cells: Make) -> None:
    """An idle shard writes nothing."""
    table = PaneTable(SETTINGS)
    assert table.take_delta() == b""
    table.apply(cells([("airline", "", "", "task_success", START, 1, 1)]))
    assert table.take_delta() != b""
    assert table.take_delta() == b""


def test_the_cost_of_a_delta_follows_the_traffic(cells: Make) -> None:
    """A delta of one cell is small however large the table is."""
    table = PaneTable(SliSettings())
    table.apply(cells([("airline", "tenant", f"t{i}", "task_success", START + i, 1, 1) for i in range(190)]))
    table.take_delta()
    table.apply(cells([("airline", "tenant", "t7", "task_success", START + 7, 1, 1)]))
    assert len(table.take_delta()) < 700
    assert len(table.dump()) > 50_000


def test_a_new_life_tells_higher_revisions(cells: Make, panes: Make) -> None:
    """What an earlier life told after the snapshot, and a crash took back, never outranks what the new one tells."""
    table = PaneTable(SETTINGS)
    rows = cells([("airline", "", "", "task_success", START, 1, 1)])
    table.apply(rows)
    snapshot = table.dump()
    for _ in range(5):
        table.drain()
        table.apply(rows)
    again = PaneTable.load(SETTINGS, snapshot, [], life=1)
    again.apply(rows)
    (lost,) = panes(table.drain()).values()
    (record,) = panes(again.drain()).values()
    assert (lost["revision"], record["total"]) == (5, 2)
    assert record["revision"] > lost["revision"]


def test_a_log_that_nobody_takes_gives_way_to_a_dump(cells: Make, panes: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a journal the log does not grow for ever; a delta taken later still restores everything."""
    monkeypatch.setattr(delta, "_MAX_BYTES", 1000)
    table = PaneTable(SETTINGS)
    base = table.dump()
    for i in range(50):
        table.apply(cells([("airline", "", "", "task_success", START + i, 1, 1)]))
    deltas = [table.take_delta()]
    table.apply(cells([("airline", "", "", "task_success", START, 1, 1)]))
    deltas.append(table.take_delta())
    again = PaneTable.load(SETTINGS, base, deltas)
    assert panes(again.drain()) == panes(table.drain())


def test_an_sli_that_is_no_more_keeps_its_name(cells: Make, panes: Make) -> None:
    """State of an older configuration can be read; its series go on under the name they had."""
    table = PaneTable(SETTINGS)
    table.apply(cells([("airline", "", "", "tokens_per_task", START, 16, 1)]))
    again = PaneTable.load(SETTINGS, table.dump(), [], slis=())
    (record,) = panes(again.drain()).values()
    assert (record["sli"], record["total"]) == ("tokens_per_task", 1)


def test_bytes_of_something_else_are_refused(cells: Make) -> None:
    """A damaged or foreign state is an error that says so, never a wrong table."""
    raw = PaneTable(SETTINGS).dump()
    for wrong in (b"?", b"FBSL\x09" + raw[5:], raw[:40]):
        with pytest.raises(PackingError, match="not a state of version 2"):
            PaneTable.load(SETTINGS, wrong, [])


@given(st.dictionaries(st.integers(-(2**63), 2**63 - 1), st.text(max_size=5), max_size=5))
def test_names_survive_packing(names: dict[int, str]) -> None:
    """Any text comes back as it was."""
    assert unpack_names(unpack(pack(pack_names(names)))) == names


def test_arrays_survive_packing() -> None:
    """Shapes and dtypes come back; other than little-endian numbers are refused."""
    arrays = {"a": np.arange(6, dtype=np.int16).reshape(2, 3), "b": np.empty((0, 4), np.int64), "c": np.array([True])}
    for name, array in unpack(pack(arrays)).items():
        assert (array.dtype, array.shape, array.tolist()) == (
            arrays[name].dtype,
            arrays[name].shape,
            arrays[name].tolist(),
        )
    with pytest.raises(PackingError, match="little-endian"):
        pack({"text": np.array(["a"])})


def test_deltas_of_any_number_of_panes_take_one_kernel(cells: Make, panes: Make) -> None:
    """A delta of one told pane lies in memory as one of many does: else it is compiled while everything waits."""
    table = PaneTable(SETTINGS)
    for minutes in (0, 1, 3):
        table.apply(cells([("airline", "", "", "task_success", START + minute, 1, 1) for minute in range(minutes)]))
        table.final((START + 60) * MINUTE_NS)
        table.take_delta()
    assert len({signature[1:] for signature in states_of.signatures}) == 1
