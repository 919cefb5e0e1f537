"""Coarse panes behind the 30 day readings: a ratio by the hour, a histogram by the day, in blocks of a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from models.slis import chains as ch
from models.slis.blocks import FREE, HIGH, Index, find, make, rehash, release, widened
from models.slis.minutes import HISTOGRAM

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH = 24
"""Hours in a block."""

CHUNK = 16
"""Bins in a node of a day's histogram."""

DAY_MINUTES = 24 * 60


class Days(NamedTuple):
    """Arrays by block."""

    index: Index
    total: NDArray[np.int32]
    """[block, 24], of ratios."""
    good: NDArray[np.int32]
    """[block, 24], of ratios."""
    head: NDArray[np.int32]
    """Chain of the day, of histograms."""

    @staticmethod
    def none() -> Days:
        """Give no panes."""
        empty = np.empty(0, np.int32)
        hours = np.empty((0, WIDTH), np.int32)
        return Days(Index.of(empty, empty, 4), hours, hours, empty)

    def reserved(self, more: int) -> Days:
        """Give the same panes with room for `more` blocks."""
        index, total, good, head = self
        if index.lacks(more) or len(total) < len(index.series):
            used = int(index.meta[HIGH])
            index = Index.of(index.series[:used], index.epoch[:used], used // 2 + more)
            total, good, head = (widened(array, len(index.series)) for array in (total, good, head))
        return Days(index, total, good, head)


@njit(cache=True)
def add_days(days: Any, chunks: Any, kinds: Any, series: Any, minute: Any, bins: Any, count: Any, mask: Any) -> None:
    """Add cells where `mask`. The caller has reserved blocks and nodes."""
    for i in range(series.size):
        if not mask[i]:
            continue
        s, day = series[i], minute[i] // DAY_MINUTES
        block, slot = find(days.index, s, day)
        if block < 0:
            block = make(days.index, slot, s, day)
            days.total[block, :] = 0
            days.good[block, :] = 0
            days.head[block] = ch.END
        if kinds[s] == HISTOGRAM:
            days.head[block] = ch.add(chunks, days.head[block], bins[i], count[i])
            continue
        hour = minute[i] // 60 - day * WIDTH
        days.total[block, hour] += count[i]
        if bins[i] == 1:
            days.good[block, hour] += count[i]


@njit(cache=True)
def evict_days(days: Any, chunks: Any, horizon: Any) -> None:
    """Free the blocks of days before `horizon`."""
    for block in range(days.index.meta[HIGH]):
        epoch = days.index.epoch[block]
        if epoch != FREE and epoch < horizon:
            ch.free(chunks, days.head[block])
            release(days.index, block)
    rehash(days.index)
