"""PaneTable: whatever the order and batching of cells, panes add up to the truth, which is what was told last."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.drift.roles import Role, Roles
from models.slis.bins import OVER, bin_of, quantile
from models.slis.panes import PaneTable
from models.slis.settings import SliSettings

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE_NS = 60 * 10**9
SECOND_NS = 10**9
NOON = 28_334_160  # Unix minute of 2023-11-15T12:00Z
Make = Any
RATIO, HISTOGRAM = "task_success", "trajectory_length"

series = st.tuples(
    st.sampled_from(["airline", "retail"]),
    st.sampled_from(["", "version", "exp"]),
    st.sampled_from(["v1", "v2"]),
    st.sampled_from([RATIO, HISTOGRAM]),
)


@st.composite
def cell(draw: Any) -> tuple[Any, ...]:
    """Draw one cell; histogram bins also over the cap."""
    of = draw(series)
    bins = [0, 1] if of[3] == RATIO else [-4096, -3, 0, 15, 16, 17 + OVER, 250 + OVER]
    minute = NOON + draw(st.sampled_from([0, 1, 59, 60, 1441]))
    return (*of, minute, draw(st.sampled_from(bins)), draw(st.sampled_from([1, 2, -1])))


def truth(rows: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], Counter[int]]:
    """Add rows up by pane, as records group them."""
    found: dict[tuple[Any, ...], Counter[int]] = {}
    for workflow, dimension, value, sli, minute, bin_, count in rows:
        group = (("workflow", workflow), *(((dimension, value),) if dimension else ()))
        found.setdefault((sli, *group, minute), Counter())[bin_] += count
    return found


def told(records: dict[tuple[Any, ...], dict[str, Any]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Reduce records to what the truth is about."""
    return {key: (r["total"], r["good"], r.get("bins")) for key, r in records.items()}


def expected(rows: list[tuple[Any, ...]], start: Callable[[int], str]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Give what the panes of these rows are, those of total 0 left out."""
    panes: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for (sli, *group, minute), bins in truth(rows).items():
        total = sum(bins.values())
        merged: Counter[int] | None = None
        good = bins[1]
        if sli == HISTOGRAM:
            good = sum(count for k, count in bins.items() if k < OVER // 2)
            merged = Counter()
            for k, count in bins.items():
                merged[k - OVER if k > OVER // 2 else k] += count
        shown = None if merged is None else {str(k): merged[k] for k in sorted(merged) if merged[k]}
        panes[sli, *group, start(minute)] = (total, good, shown)
    return panes


def start_of(minute: int) -> str:
    """Write a Unix minute as records do."""
    return datetime.fromtimestamp(minute * 60, UTC).isoformat().replace("+00:00", "Z")


@settings(max_examples=60, deadline=None)
@given(st.lists(cell(), max_size=40), st.data())
def test_any_order_and_batching_gives_the_truth(cells: Make, panes: Make, rows: list[Any], data: Any) -> None:
    """However cells are shuffled and cut into batches, draining tells their sums."""
    shuffled = data.draw(st.permutations(rows))
    table = PaneTable(SliSettings())
    at = 0
    while at < len(shuffled):
        size = data.draw(st.integers(1, 7))
        table.apply(cells(shuffled[at : at + size]))
        at += size
    found = told(panes(table.drain()))
    assert found == {key: pane for key, pane in expected(rows, start_of).items() if pane[0]}
    assert table.pending == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(cell(), max_size=5), st.sampled_from(["early", "final", "nothing"])), max_size=10))
def test_the_last_telling_is_the_truth(cells: Make, panes: Make, steps: list[Any]) -> None:
    """Reading only the highest revision of each pane gives the truth, and revisions count 0, 1, 2 ..."""
    table, latest, rows = PaneTable(SliSettings()), {}, []
    for i, (batch, then) in enumerate([*steps, ([], "drain")]):
        rows += batch
        table.apply(cells(batch))
        readings = {
            "early": lambda i=i: table.early((i + 1) * 2 * SECOND_NS),
            "final": lambda i=i: table.final((NOON + i) * MINUTE_NS),
            "drain": table.drain,
            "nothing": lambda: table.final(0),
        }[then]()
        for key, record in panes(readings).items():
            assert record["revision"] == (latest[key]["revision"] + 1 if key in latest else 0)
            latest[key] = record
    truly = expected(rows, start_of)
    assert told(latest) == {key: pane for key, pane in truly.items() if pane[0] or key in latest}


def test_final_tells_a_pane_once_it_ended(cells: Make, panes: Make) -> None:
    """A pane is final when the watermark reaches its end, not before, and is not told again unless it changed."""
    table = PaneTable(SliSettings())
    table.apply(cells([("airline", "", "", RATIO, NOON, 1, 3)]))
    assert len(table.final((NOON + 1) * MINUTE_NS - 1)) == 0
    record = next(iter(panes(table.final((NOON + 1) * MINUTE_NS)).values()))
    assert record == {
        "kind": "sli",
        "sli": RATIO,
        "group": {"workflow": "airline"},
        "pane_start": "2023-11-15T12:00:00Z",
        "pane_s": 60,
        "total": 3,
        "good": 3,
        "revision": 0,
    }
    assert len(table.final((NOON + 9) * MINUTE_NS)) == 0


def test_a_pane_corrected_back_to_nothing_is_told(cells: Make, panes: Make) -> None:
    """Who heard of a pane hears that it is empty; of one that nobody heard of, nothing is said."""
    table = PaneTable(SliSettings())
    table.apply(cells([("airline", "", "", HISTOGRAM, NOON, 3, 1)]))
    table.drain()
    table.apply(cells([("airline", "", "", HISTOGRAM, NOON, 3, -1)]))
    table.apply(cells([("retail", "", "", RATIO, NOON, 1, 1)]))
    table.apply(cells([("retail", "", "", RATIO, NOON, 1, -1)]))
    (record,) = panes(table.drain()).values()
    assert (record["total"], record["good"], record["bins"], record["p50"], record["revision"]) == (0, 0, {}, None, 1)


def test_early_is_throttled_by_kind_of_series(cells: Make, panes: Make) -> None:
    """A workflow alone is told every 50 ms of processing, its breakdowns every second."""
    table, now = PaneTable(SliSettings()), 10**18
    both = [("airline", "", "", RATIO, NOON, 1, 1), ("airline", "version", "v1", RATIO, NOON, 1, 1)]
    counts = []
    for elapsed_ms in (0, 25, 50, 950, 1000):
        table.apply(cells(both))
        counts.append(len(table.early(now + elapsed_ms * 10**6)))
    assert counts == [2, 0, 1, 1, 2]


def test_late_cells_count_in_coarse_panes_only(cells: Make, panes: Make) -> None:
    """Beyond 25 h behind the watermark a minute pane is gone, beyond 31 days everything; both are counted."""
    table = PaneTable(SliSettings())
    table.final(NOON * MINUTE_NS)
    table.apply(
        cells([("airline", "", "", RATIO, NOON - 26 * 60, 1, 5), ("airline", "", "", RATIO, NOON - 33 * 1440, 1, 9)])
    )
    assert len(table.drain()) == 0
    assert table.counters["sli_cells_late"] == 2
    totals = {gauge.window: gauge.total for gauge in table.gauges(NOON * MINUTE_NS)}
    assert totals == {"5m": 0, "1h": 0, "1d": 0, "30d": 5}


def test_blocks_of_old_panes_are_used_again(cells: Make, panes: Make) -> None:
    """A table that runs for months stays as large as what it keeps."""
    table, sizes = PaneTable(SliSettings()), []
    for hour in range(24 * 70):
        minute = NOON + hour * 60
        table.apply(cells([("airline", "", "", sli, minute, 40 + hour % 9, 1) for sli in (RATIO, HISTOGRAM)]))
        assert len(table.final((minute + 1) * MINUTE_NS)) == 2
        sizes.append(table.memory_bytes)
    assert sizes[-1] == sizes[24 * 34]


def test_a_pane_revived_in_a_used_block_starts_empty(cells: Make, panes: Make) -> None:
    """Nothing of the pane that had the place before shines through."""
    table = PaneTable(SliSettings())
    table.apply(cells([("airline", "", "", RATIO, NOON, 1, 7)]))
    table.final((NOON + 3 * 1440) * MINUTE_NS)
    table.apply(cells([("airline", "", "", HISTOGRAM, NOON + 3 * 1440, 3, 1)]))
    (record,) = panes(table.drain()).values()
    assert (record["total"], record["bins"], record["revision"]) == (1, {"3": 1}, 0)


@pytest.mark.parametrize("dimension", ["tenant", "version", "tool"])
def test_what_is_named_other_is_not_what_is_beyond_the_bound(cells: Make, panes: Make, dimension: str) -> None:
    """It is counted by itself, also over a restart, and watched; both are told by names of their own."""
    sli = "tool_success" if dimension == "tool" else RATIO
    table = PaneTable(SliSettings(max_values=2))
    for _ in range(2):
        names = ["t0", "other", "t2", "t3", "other"]
        table.apply(cells([("airline", dimension, name, sli, NOON, 1, 1) for name in names]))
        table = PaneTable.load(SliSettings(max_values=2), table.dump(), [], 1)
    found = {dict(key[1:-1])[dimension]: pane["total"] for key, pane in panes(table.drain()).items()}
    assert found == {"t0": 2, "other (so named)": 4, "other": 4}
    closed, roles = table.close(), Roles()
    assert closed is not None
    roles.enter(list(closed.labels))
    values = [label.group[dimension] for label in roles.labels]
    is_watched = (roles.role != Role.IGNORED).tolist()
    assert dict(zip(values, is_watched, strict=True)) == {"t0": True, "other (so named)": True, "other": False}


def test_values_beyond_the_bound_count_as_other(cells: Make, panes: Make) -> None:
    """The first two tenants keep their names; the rest is told together and counted."""
    table = PaneTable(SliSettings(max_values=2))
    for _ in range(2):
        table.apply(cells([("airline", "tenant", f"t{i}", RATIO, NOON, 1, 1) for i in range(5)]))
    found = {dict(key[1:-1])["tenant"]: pane["total"] for key, pane in panes(table.drain()).items()}
    assert found == {"t0": 2, "t1": 2, "other": 6}
    assert table.counters["sli_cells_to_other"] == 6


def test_workflows_and_cohorts_beyond_the_bound_are_refused(cells: Make, panes: Make) -> None:
    """They are not told, and counted; the dimensions of ours are not cohorts."""
    table = PaneTable(SliSettings(max_workflows=1, max_cohorts=1))
    rows = [(w, d, "x", RATIO, NOON, 1, 1) for w in ("airline", "retail") for d in ("", "version", "exp", "arm")]
    table.apply(cells(rows))
    assert {key[1:-1] for key in panes(table.drain())} == {
        (("workflow", "airline"),),
        (("workflow", "airline"), ("version", "x")),
        (("workflow", "airline"), ("exp", "x")),
    }
    assert table.counters["sli_cells_refused_workflow"] == 4
    assert table.counters["sli_cells_refused_cohort"] == 1


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_quantiles_of_whole_numbers(cells: Make, panes: Make, steps: list[int]) -> None:
    """p50, p95, p99 are those of `bins.quantile`, rounded; up to 50 steps they are exact."""
    table = PaneTable(SliSettings())
    table.apply(cells([("airline", "", "", HISTOGRAM, NOON, bin_of(n) + (OVER if n > 150 else 0), 1) for n in steps]))
    (record,) = panes(table.drain()).values()
    bins = {int(k): count for k, count in record["bins"].items()}
    for q, told_as in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99")):
        assert record[told_as] == round(quantile(bins, q) or 0)
    if max(steps) <= 50:
        assert record["p50"] == sorted(steps)[(len(steps) + 1) // 2 - 1]
    assert record["good"] == sum(n <= 150 for n in steps)


@pytest.mark.parametrize("wrong", [{"keep_minutes": 60}, {"keep_days": 3}, {"max_values": 0}, {"max_workflows": 0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    """The message names the key, the value and what is expected."""
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is .* expected at least"):
        SliSettings(**wrong)
