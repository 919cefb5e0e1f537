"""Minute panes of the series of one shard, in blocks of an hour: counts, what was told of them, and what is to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from models.slis import chains as ch
from models.slis.blocks import FREE, HIGH, Index, find, make, rehash, release, widened

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
    """Arrays [block, 60], a tuple so that kernels can take it whole. A pane's reference is block * 60 + minute of the hour."""

    index: Index
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


@njit(cache=True)
def add_minutes(
    minutes: Any, nodes: Any, kinds: Any, alone: Any, series: Any, minute: Any, bins: Any, count: Any, mask: Any
) -> None:
    """Add cells where `mask`; panes that change become dirty. The caller has reserved blocks and nodes."""
    for i in range(series.size):
        if not mask[i]:
            continue
        s, hour = series[i], minute[i] // WIDTH
        block, slot = find(minutes.index, s, hour)
        if block < 0:
            block = make(minutes.index, slot, s, hour)
            minutes.total[block, :] = 0
            minutes.side[block, :] = ch.END if kinds[s] == HISTOGRAM else 0
            minutes.state[block, :] = 0
        at = minute[i] - hour * WIDTH
        if kinds[s] == HISTOGRAM:
            minutes.side[block, at] = ch.add(nodes, minutes.side[block, at], bins[i], count[i])
        else:
            minutes.total[block, at] += count[i]
            if bins[i] == 1:
                minutes.side[block, at] += count[i]
        if not minutes.state[block, at] & DIRTY:
            minutes.state[block, at] |= DIRTY
            _remember(minutes, 0 if alone[s] else 1, block * WIDTH + at)


@njit(cache=True, inline="always")
def _remember(minutes: Any, which: Any, reference: Any) -> None:
    minutes.dirty[which, minutes.n_dirty[which]] = reference
    minutes.n_dirty[which] += 1


@njit(cache=True)
def take_dirty(minutes: Any, which: Any, until: Any) -> Any:
    """Take the dirty panes of one list whose minute is before `until`: int64 [n, 3] of minute, series, reference, unsorted."""
    n = minutes.n_dirty[which]
    out = np.empty((n, 3), np.int64)
    taken = left = 0
    for i in range(n):
        reference = minutes.dirty[which, i]
        block = reference // WIDTH
        minute = np.int64(minutes.index.epoch[block]) * WIDTH + reference % WIDTH
        if minute < until:
            out[taken, 0], out[taken, 1], out[taken, 2] = minute, minutes.index.series[block], reference
            taken += 1
        else:
            minutes.dirty[which, left] = reference
            left += 1
    minutes.n_dirty[which] = left
    return out[:taken]


@njit(cache=True)
def find_dirty(minutes: Any, alone: Any) -> None:
    """List all dirty panes anew, from their bits; the caller has reserved 60 for each block."""
    minutes.n_dirty[:] = 0
    for block in range(minutes.index.meta[HIGH]):
        if minutes.index.epoch[block] != FREE:
            for at in range(WIDTH):
                if minutes.state[block, at] & DIRTY:
                    _remember(minutes, 0 if alone[minutes.index.series[block]] else 1, block * WIDTH + at)


@njit(cache=True)
def evict_minutes(minutes: Any, nodes: Any, kinds: Any, horizon: Any) -> None:
    """Free the blocks of hours before `horizon`; their panes must have been told."""
    for block in range(minutes.index.meta[HIGH]):
        epoch = minutes.index.epoch[block]
        if epoch != FREE and epoch < horizon:
            if kinds[minutes.index.series[block]] == HISTOGRAM:
                for at in range(WIDTH):
                    ch.free(nodes, minutes.side[block, at])
            release(minutes.index, block)
    rehash(minutes.index)


@njit(cache=True)
def states_of(minutes: Any, series: Any, minute: Any) -> Any:
    """Give the state of each pane, -1 where it is gone."""
    out = np.empty(series.size, np.int32)
    for i in range(series.size):
        block, _ = find(minutes.index, series[i], minute[i] // WIDTH)
        out[i] = minutes.state[block, minute[i] % WIDTH] if block >= 0 else -1
    return out


@njit(cache=True)
def set_states(minutes: Any, series: Any, minute: Any, state: Any) -> None:
    """Set the state of each pane that is there."""
    for i in range(series.size):
        block, _ = find(minutes.index, series[i], minute[i] // WIDTH)
        if block >= 0:
            minutes.state[block, minute[i] % WIDTH] = state[i]
