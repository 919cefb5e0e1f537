"""Minutes that are over: each pane once, as it was when its wait was over; the same after a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.digest import digest_of
from models.slis.bins import OVER, bin_of
from models.slis.cells import Cells
from models.slis.closing import pieces
from models.slis.panes import PaneTable
from models.slis.settings import SliSettings

if TYPE_CHECKING:
    from models.slis.closing import Closed

MINUTE = 60_000_000_000
START = 29_000_000
NAMES = {digest_of(name): name for name in ("airline", "task_success", "tool_success", "cost_per_task")}
SETTINGS = SliSettings(waits=(3, 5))


def cells(*rows: tuple[str, int, int, int]) -> Cells:
    """Make cells of the workflow alone: (SLI, minute, bin, count)."""
    columns = [(digest_of("airline"), 0, 0, digest_of(sli), START + at, bin_, count) for sli, at, bin_, count in rows]
    return Cells(np.array(columns, np.int64).T.copy(), NAMES)


def panes(closed: Closed | None) -> list[tuple[int, int, int, int]]:
    """Give (look from START, series, total, good)."""
    if closed is None:
        return []
    rows = zip(closed.look - START, closed.series, closed.total, closed.good, strict=True)
    return [(int(look), int(series), int(total), int(good)) for look, series, total, good in rows]


@pytest.fixture
def table() -> PaneTable:
    """Give a table with a run and two calls in minute 0: series 0 waits 5 minutes, the others three."""
    made = PaneTable(SETTINGS)
    made.apply(cells(("task_success", 0, 1, 4), ("task_success", 0, 0, 1), ("tool_success", 0, 1, 9)))
    made.apply(cells(("cost_per_task", 0, bin_of(0.5), 3), ("cost_per_task", 0, bin_of(2.0) + OVER, 1)))
    return made


def test_a_pane_is_closed_once_after_its_wait(table: PaneTable) -> None:
    """Runs and their calls after three minutes, runs that may wait for an evaluation after five."""
    assert panes(table.closed((START + 3) * MINUTE)) == []
    closed = table.closed((START + 4) * MINUTE)
    assert panes(closed) == [(3, 1, 9, 9), (3, 2, 0, 0)]
    assert closed is not None
    assert closed.bins.tolist() == [[1, bin_of(0.5), 3], [1, bin_of(2.0), 1]]
    assert panes(table.closed((START + 4) * MINUTE + 1)) == []
    assert panes(table.closed((START + 9) * MINUTE)) == [(5, 0, 5, 4)]


def test_minutes_that_a_clock_ahead_closed_are_closed_again(table: PaneTable) -> None:
    """Once it is set right minutes are closed as they come; a step of seconds changes nothing, nor does a start."""
    hours = 300
    table.closed((START + hours) * MINUTE, (START + hours) * MINUTE)
    assert table.closed(0, (START + hours) * MINUTE) is None
    assert table.closed((START + hours - 1) * MINUTE, (START + hours - 1) * MINUTE) is None
    assert table.closed((START + 9) * MINUTE, (START + 10) * MINUTE) is None
    again = PaneTable.load(SETTINGS, table.dump(), [], 1)
    for each in (table, again):
        each.apply(cells(("tool_success", 10, 1, 7)))
        assert panes(each.closed((START + 14) * MINUTE, (START + 14) * MINUTE)) == [(13, 1, 7, 7)]
        assert panes(each.closed((START + 15) * MINUTE, (START + 15) * MINUTE)) == []


def test_what_comes_before_the_wait_is_over_counts(table: PaneTable) -> None:
    """A late outcome, and a correction."""
    table.closed((START + 3) * MINUTE)
    table.apply(cells(("task_success", 0, 0, 2), ("task_success", 0, 1, -1)))
    assert (5, 0, 6, 3) in panes(table.closed((START + 6) * MINUTE))
    table.apply(cells(("task_success", 0, 0, 7)))
    assert panes(table.closed((START + 60) * MINUTE)) == []


def test_labels_come_with_the_first_panes(table: PaneTable) -> None:
    """Those of series that are new since the last time, from their number on."""
    first = table.closed((START + 2) * MINUTE)
    assert first is not None
    assert (first.first, [label.sli for label in first.labels]) == (
        0,
        ["task_success", "tool_success", "cost_per_task"],
    )
    later = table.closed((START + 3) * MINUTE)
    assert later is not None
    assert (later.first, list(later.labels)) == (3, [])


def test_the_end_of_the_input_closes_all(table: PaneTable) -> None:
    """However long they would wait."""
    assert panes(table.close()) == [(3, 1, 9, 9), (3, 2, 0, 0), (5, 0, 5, 4)]
    assert PaneTable(SETTINGS).close() is None


@pytest.mark.parametrize("whole", [True, False])
def test_a_restart_closes_no_pane_twice(table: PaneTable, *, whole: bool) -> None:
    """Restored from a dump, or from deltas: it goes on where it was."""
    deltas = [table.take_delta()]
    table.closed((START + 2) * MINUTE)
    deltas.append(table.take_delta())
    again = PaneTable.load(SETTINGS, table.dump(), []) if whole else PaneTable.load(SETTINGS, None, deltas)
    assert panes(again.closed((START + 9) * MINUTE)) == panes(table.closed((START + 9) * MINUTE)) != []


def test_what_is_closed_at_once_can_be_parted_by_time() -> None:
    """Into what would have been closed in that rhythm; the labels come with the first part."""
    one, other = PaneTable(SETTINGS), PaneTable(SETTINGS)
    for table in (one, other):
        for at in (0, 4, 13, 14):
            table.apply(cells(("task_success", at, 1, 4 + at), ("cost_per_task", at, bin_of(0.5 + at), 3)))
    closed = one.close()
    assert closed is not None
    parts = list(pieces(closed, 5))
    ends = [*range(START // 5 * 5 + 5, closed.until, 5), closed.until]
    assert [part.until for part in parts] == ends
    for part, end in zip(parts, ends, strict=True):
        alone = other.closed(end * MINUTE)
        assert alone is not None
        assert part.first + len(part.labels) == 2
        for name in ("look", "series", "total", "good", "bins"):
            np.testing.assert_array_equal(getattr(part, name), getattr(alone, name))
