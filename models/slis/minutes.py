"""Minute panes of the series of one shard, in blocks of an hour: counts, and what was and is to be told of them."""
# compiled kernels take arrays one by one

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.kernels import allocating, small
from models.slis import chains as ch
from models.slis.additions import EVERYWHERE
from models.slis.blocks import FREE, HIGH, Index, find, make, rehash, release, widened
from models.slis.tally import GOOD

if TYPE_CHECKING:
    from numpy.typing import NDArray


WIDTH = 60
"""Minutes in a block."""

RATIO, HISTOGRAM = 0, 1
ALONE_LIST, GROUP_LIST = 0, 1
"""Lists of dirty panes: series of workflows alone, and all others."""

DIRTY = 1
"""Lowest bit of a pane's `state`: changed since it was told. The bits above count how often it was told."""


class Minutes(NamedTuple):
    """Arrays [block, 60], a tuple so that kernels can take it whole. A pane is referred to by block * 60 + minute."""

    blocks: Index
    total: NDArray[np.int32]
    """Of a ratio: all. Unused for histograms."""
    side: NDArray[np.int32]
    """Of a ratio: good. Of a histogram: head of its chain."""
    state: NDArray[np.int32]
    dirty: NDArray[np.int64]
    """[list, k] references of dirty panes."""
    n_dirty: NDArray[np.int64]

    @staticmethod
    def none() -> Minutes:
        """Give no panes."""
        none = np.empty((0, WIDTH), np.int32)
        empty = np.empty(0, np.int32)
        return Minutes(Index.of(empty, empty, 4), none, none, none, np.empty((2, 0), np.int64), np.zeros(2, np.int64))

    def reserved(self, more: int) -> Minutes:
        """Give the same panes with room for `more` blocks and dirty panes."""
        index, total, side, state, dirty, n_dirty = self
        if index.lacks(more) or len(total) < len(index.series):
            used = int(index.meta[HIGH])
            index = Index.of(index.series[:used], index.epoch[:used], used // 2 + more)
            total, side, state = (widened(array, len(index.series)) for array in (total, side, state))
        need = int(n_dirty.max()) + more
        if need > dirty.shape[1]:
            dirty = np.ascontiguousarray(widened(dirty.T, need + need // 2).T)
        return Minutes(index, total, side, state, dirty, n_dirty)


@allocating
def add_minutes(minutes: Any, nodes: Any, kinds: Any, alone: Any, cells: Any) -> None:
    """Add those cells that count everywhere; panes that change become dirty. The caller has made room."""
    for i in range(cells.series.size):
        if cells.level[i] != EVERYWHERE:
            continue
        s, hour = cells.series[i], cells.minute[i] // WIDTH
        block, slot = find(minutes.blocks, s, hour)
        if block < 0:
            block = make(minutes.blocks, slot, s, hour)
            minutes.total[block, :] = 0
            minutes.side[block, :] = ch.END if kinds[s] == HISTOGRAM else 0
            minutes.state[block, :] = 0
        at = cells.minute[i] - hour * WIDTH
        if kinds[s] == HISTOGRAM:
            minutes.side[block, at] = ch.add(nodes, minutes.side[block, at], cells.bin[i], cells.amount[i])
        else:
            minutes.total[block, at] += cells.amount[i]
            if cells.bin[i] == GOOD:
                minutes.side[block, at] += cells.amount[i]
        if not minutes.state[block, at] & DIRTY:
            minutes.state[block, at] |= DIRTY
            _remember(minutes, ALONE_LIST if alone[s] else GROUP_LIST, block * WIDTH + at)


@small
def _remember(minutes: Any, which: Any, reference: Any) -> None:
    minutes.dirty[which, minutes.n_dirty[which]] = reference
    minutes.n_dirty[which] += 1


@allocating
def take_dirty(minutes: Any, which: Any, until: Any) -> Any:
    """Take the dirty panes of one list whose minute is before `until`: int64 [n, 3]: minute, series, reference."""
    n = minutes.n_dirty[which]
    out = np.empty((n, 3), np.int64)
    taken = left = 0
    for i in range(n):
        reference = minutes.dirty[which, i]
        block = reference // WIDTH
        minute = np.int64(minutes.blocks.epoch[block]) * WIDTH + reference % WIDTH
        if minute < until:
            out[taken, 0], out[taken, 1], out[taken, 2] = minute, minutes.blocks.series[block], reference
            taken += 1
        else:
            minutes.dirty[which, left] = reference
            left += 1
    minutes.n_dirty[which] = left
    return out[:taken]


@allocating
def find_dirty(minutes: Any, alone: Any) -> None:
    """List all dirty panes anew, from their bits; the caller has reserved 60 for each block."""
    minutes.n_dirty[:] = 0
    for block in range(minutes.blocks.meta[HIGH]):
        if minutes.blocks.epoch[block] != FREE:
            for at in range(WIDTH):
                if minutes.state[block, at] & DIRTY:
                    _remember(
                        minutes, ALONE_LIST if alone[minutes.blocks.series[block]] else GROUP_LIST, block * WIDTH + at
                    )


@allocating
def evict_minutes(minutes: Any, nodes: Any, kinds: Any, horizon: Any) -> None:
    """Free the blocks of hours before `horizon`; their panes must have been told."""
    for block in range(minutes.blocks.meta[HIGH]):
        epoch = minutes.blocks.epoch[block]
        if epoch != FREE and epoch < horizon:
            if kinds[minutes.blocks.series[block]] == HISTOGRAM:
                for at in range(WIDTH):
                    ch.free(nodes, minutes.side[block, at])
            release(minutes.blocks, block)
    rehash(minutes.blocks)


@allocating
def states_of(minutes: Any, series: Any, minute: Any) -> Any:
    """Give the state of each pane, -1 where it is gone."""
    out = np.empty(series.size, np.int32)
    for i in range(series.size):
        block, _ = find(minutes.blocks, series[i], minute[i] // WIDTH)
        out[i] = minutes.state[block, minute[i] % WIDTH] if block >= 0 else -1
    return out


@allocating
def set_states(minutes: Any, series: Any, minute: Any, state: Any) -> None:
    """Set the state of each pane that is there."""
    for i in range(series.size):
        block, _ = find(minutes.blocks, series[i], minute[i] // WIDTH)
        if block >= 0:
            minutes.state[block, minute[i] % WIDTH] = state[i]
