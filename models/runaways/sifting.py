"""Sifting: which rows of a batch, and which of its pulses, the rules must look at. Compiled: nearly all are let go.

As whole columns in numpy this was some sixty calls a shard and batch, each of microseconds for a dozen runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.kernels import allocating, small
from models.runs.pulse import Pulse
from models.spans.columns import Column, SpanKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOOL, _RUN = int(SpanKind.TOOL), int(SpanKind.RUN)
_KIND, _NAME, _PARENT = int(Column.KIND), int(Column.TOOL), int(Column.PARENT_ID)
_WORKFLOW = int(Pulse.WORKFLOW)
NOWHERE = -1
"""In place of a column: none."""


@small
def _place(sorted_: Any, value: Any) -> Any:
    """Give the place of a value, -1 where it is not there."""
    place = np.searchsorted(sorted_, value)
    return place if place < sorted_.shape[0] and sorted_[place] == value else -1


@allocating
def _sifted(cols: Any, rows: Any, tools: Any) -> Any:
    """As `sifted`; `cols` is [row, column] here."""
    strange, nested = np.empty(rows.shape[0], np.int64), np.empty(rows.shape[0], np.int64)
    n = m = 0
    for k in range(rows.shape[0]):
        row = rows[k]
        kind = cols[row, _KIND]
        if kind == _TOOL:
            if cols[row, _NAME] != 0 and _place(tools, cols[row, _NAME]) < 0:
                strange[n] = row
                n += 1
        elif kind == _RUN and cols[row, _PARENT] != 0:
            nested[m] = row
            m += 1
    return strange[:n], nested[:m]


def sifted(
    cols: NDArray[np.int64], rows: NDArray[np.int64], tools: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the rows of calls of tools outside these (ascending), and of agents inside something else."""
    found: tuple[NDArray[np.int64], NDArray[np.int64]] = _sifted(cols.T, rows, tools)
    return found


@allocating
def suspected(live: Any, columns: Any, firsts: Any, workflows: Any) -> Any:
    """Give the pairs (row of `live`, rule) in which the count may have come to its first step, ascending.

    `columns` [rule, (more, more, less)] are those that bound the count from above, or NOWHERE. `firsts` [1 + place in
    `workflows`, rule], of all other workflows in row 0; infinite: the rule is off.
    """
    found = np.empty((live.shape[0] * columns.shape[0], 2), np.int64)
    n = 0
    for row in range(live.shape[0]):
        first = firsts[1 + _place(workflows, live[row, _WORKFLOW])]
        for rule in range(columns.shape[0]):
            bound = live[row, columns[rule, 0]]
            if columns[rule, 1] >= 0:
                bound += live[row, columns[rule, 1]]
            if columns[rule, 2] >= 0:
                bound -= live[row, columns[rule, 2]]
            if bound >= first[rule]:
                found[n, 0], found[n, 1] = row, rule
                n += 1
    return found[:n]


@allocating
def times(values: Any, names: Any, usual: Any, unit: Any) -> Any:
    """Give each of `values` [row, k] as a multiple of what is usual in units of 1/`unit`; 0: that is not known.

    `usual` [place, k] is by place of the row's name (the last column of `values`) in `names`, ascending.
    """
    out = np.zeros((values.shape[0], usual.shape[1]), np.int64)
    for row in range(values.shape[0]):
        place = _place(names, values[row, usual.shape[1]])
        if place < 0:
            continue
        for k in range(usual.shape[1]):
            if usual[place, k] != 0:
                out[row, k] = values[row, k] * unit // usual[place, k]
    return out
