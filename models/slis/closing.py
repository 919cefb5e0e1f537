"""Closing: the minute panes that a detector looks at next, each once, as they are when the watermark has passed them.

A pane is taken `wait` minutes after its end: 0, or the grace for SLIs whose events may wait for an evaluation, for
outcomes that come later than others (failures, time-outs) must not be looked at later than others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.slis.bins import OVER
from models.slis.blocks import FREE, HIGH
from models.slis.chains import END
from models.slis.minutes import HISTOGRAM, WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from models.slis.readings import Label
    from models.slis.store import Store
    from models.slis.user_runs import UserRun


class Closed(NamedTuple):
    """n panes by look, then series. All arrays int64."""

    until: int
    """The first Unix minute whose look is still to come."""
    first: int
    """Number of the first series that is new since the last time."""
    labels: Sequence[Label]
    """Of the series from `first` on."""
    look: NDArray[np.int64]
    """[n] Unix minute of the look: the pane's own, plus its wait."""
    series: NDArray[np.int64]
    """[n]"""
    total: NDArray[np.int64]
    """[n]; 0 for histograms."""
    good: NDArray[np.int64]
    """[n]"""
    bins: NDArray[np.int64]
    """[k, 3] of the histograms: row of the pane, bin, count; ascending."""
    waits: tuple[int, int] = (0, 0)
    """Minutes by which looks are later than their panes, by `Label.waits`."""
    runs: Sequence[UserRun] = ()
    """Of users by their age, to be shown: the latest since the last time."""


def closed_panes(store: Store, wait: NDArray[np.int64], since: int, until: int) -> tuple[NDArray[np.int64], Any]:
    """Give ([n, 4]: look, series, total, good; [k, 3] bins) of the looks since <= look < until. `wait` is by series."""
    minutes = store.minutes
    high = int(minutes.blocks.meta[HIGH])
    epoch, series = minutes.blocks.epoch[:high], minutes.blocks.series[:high].astype(np.int64)
    first = epoch.astype(np.int64) * WIDTH + wait[series]
    blocks = np.flatnonzero((epoch != FREE) & (first + WIDTH > since) & (first < until))
    look = first[blocks, None] + np.arange(WIDTH)
    is_histogram = (store.kinds[series[blocks]] == HISTOGRAM)[:, None]
    side, total = minutes.side[blocks], minutes.total[blocks]
    some = np.where(is_histogram, side != END, total > 0) & (look >= since) & (look < until)
    block, at = np.nonzero(some)
    whose, when = series[blocks[block]], look[block, at]
    order = np.lexsort((whose, when))
    block, at = block[order], at[order]
    histogram = is_histogram[block, 0]
    amounts = [np.where(histogram, 0, side_or_total[block, at]) for side_or_total in (total, side)]
    panes = np.stack([when[order], whose[order], *amounts], axis=1).astype(np.int64)
    return panes, _bins(store.nodes, np.where(histogram, side[block, at], END))


def _bins(nodes: Any, head: NDArray[np.int64]) -> NDArray[np.int64]:
    """Walk all chains side by side: [k, 3] of row, bin, count; those over a cap in the bin that they would be in."""
    found = [np.empty((0, 3), np.int64)]
    row, node = np.flatnonzero(head != END), head[head != END]
    while len(row):
        found.append(np.stack([row, nodes.chunk[node], nodes.counts[node, 0]], axis=1).astype(np.int64))
        node = nodes.next[node]
        row, node = row[node != END], node[node != END]
    bins = np.concatenate(found)
    bins[:, 1] -= np.where(bins[:, 1] > OVER // 2, OVER, 0)
    bins = bins[bins[:, 2] > 0]
    return bins[np.lexsort((bins[:, 1], bins[:, 0]))]


def pieces(closed: Closed, minutes: int) -> Iterator[Closed]:
    """Part panes by looks, at multiples of so many minutes: as if they had been closed in that rhythm."""
    start = int(closed.look[0]) if len(closed.look) else closed.until
    untils = [*range((start // minutes + 1) * minutes, closed.until, minutes), closed.until]
    bounds = [0, *np.searchsorted(closed.look, untils).tolist()]
    bins = np.searchsorted(closed.bins[:, 0], bounds).tolist()
    entered = closed.first + len(closed.labels)
    for at, until in enumerate(untils):
        rows, own = slice(bounds[at], bounds[at + 1]), closed.bins[bins[at] : bins[at + 1]]
        look, series, total, good = closed.look[rows], closed.series[rows], closed.total[rows], closed.good[rows]
        part = Closed(until, entered, [], look, series, total, good, own - np.array([bounds[at], 0, 0]), closed.waits)
        yield part if at else part._replace(first=closed.first, labels=closed.labels, runs=closed.runs)
