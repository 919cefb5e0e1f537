"""Coarse panes behind the 30 day readings: a ratio by the hour, a histogram by the day, in blocks of a day."""
# compiled kernels take arrays one by one

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.kernels import allocating
from models.slis import chains as ch
from models.slis.additions import NOWHERE
from models.slis.blocks import FREE, HIGH, Index, find, make, rehash, release, widened
from models.slis.minutes import HISTOGRAM
from models.slis.settings import DAY_MINUTES, HOUR_MINUTES
from models.slis.tally import GOOD

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH = 24
"""Hours in a block."""

CHUNK = 16
"""Bins in a node of a day's histogram."""


class Days(NamedTuple):
    """Arrays by block."""

    blocks: Index
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


@allocating
def add_days(days: Any, chunks: Any, kinds: Any, cells: Any) -> None:
    """Add those cells that count anywhere. The caller has reserved blocks and nodes."""
    for i in range(cells.series.size):
        if cells.level[i] == NOWHERE:
            continue
        s, day = cells.series[i], cells.minute[i] // DAY_MINUTES
        block, slot = find(days.blocks, s, day)
        if block < 0:
            block = make(days.blocks, slot, s, day)
            days.total[block, :] = 0
            days.good[block, :] = 0
            days.head[block] = ch.END
        if kinds[s] == HISTOGRAM:
            days.head[block] = ch.add(chunks, days.head[block], cells.bin[i], cells.amount[i])
            continue
        hour = cells.minute[i] // HOUR_MINUTES - day * WIDTH
        days.total[block, hour] += cells.amount[i]
        if cells.bin[i] == GOOD:
            days.good[block, hour] += cells.amount[i]


@allocating
def evict_days(days: Any, chunks: Any, horizon: Any) -> None:
    """Free the blocks of days before `horizon`."""
    for block in range(days.blocks.meta[HIGH]):
        epoch = days.blocks.epoch[block]
        if epoch != FREE and epoch < horizon:
            ch.free(chunks, days.head[block])
            release(days.blocks, block)
    rehash(days.blocks)
