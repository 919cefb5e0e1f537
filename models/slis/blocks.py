"""Blocks: runs of neighbouring panes of one series, found by (series, epoch). Free ones are used again.

A block of minute panes is an hour, a block of hour panes is a day: a series that is quiet takes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.digest import mix64
from models.kernels import allocating, small

if TYPE_CHECKING:
    from numpy.typing import NDArray

FREE = -1
HIGH, N_FREE = 0, 1  # places in `Index.meta`

_SERIES = np.uint64(0x9E3779B97F4A7C15)


class Index(NamedTuple):
    """Where the block of (series, epoch) is."""

    series: NDArray[np.int32]
    epoch: NDArray[np.int32]
    """Unix hours or days; FREE where the block is free."""
    slots: NDArray[np.int32]
    """Block, by hash; -1 free. A power of two, at least twice the capacity."""
    free: NDArray[np.int32]
    """A stack of freed blocks."""
    meta: NDArray[np.int64]
    """HIGH: blocks ever used; N_FREE: height of the stack."""

    @staticmethod
    def of(series: NDArray[np.int32], epoch: NDArray[np.int32], room: int) -> Index:
        """Index these blocks, with room for `room` more."""
        size = len(series) + room
        index = Index(
            np.zeros(size, np.int32),
            np.full(size, FREE, np.int32),
            np.full(1 << (2 * size).bit_length(), -1, np.int32),
            np.zeros(size, np.int32),
            np.array([len(series), 0], np.int64),
        )
        index.series[: len(series)] = series
        index.epoch[: len(epoch)] = epoch
        freed = np.flatnonzero(epoch == FREE)
        index.free[: len(freed)] = freed[::-1]
        index.meta[N_FREE] = len(freed)
        _refill(index)
        return index

    def lacks(self, more: int) -> bool:
        """Say whether `more` blocks would not fit."""
        return len(self.series) - int(self.meta[HIGH]) + int(self.meta[N_FREE]) < more


@small
def find(index: Any, series: Any, epoch: Any) -> Any:
    """Give (block, slot); block -1: not there, the slot is where it would go."""
    mask = index.slots.size - 1
    at = np.int64(mix64(np.uint64(series) * _SERIES ^ np.uint64(epoch))) & mask
    while True:
        block = index.slots[at]
        if block < 0 or (index.series[block] == series and index.epoch[block] == epoch):
            return np.int64(block), at
        at = (at + 1) & mask


@small
def make(index: Any, slot: Any, series: Any, epoch: Any) -> Any:
    """Take a block for (series, epoch) at the slot that `find` gave; the caller has made room."""
    if index.meta[N_FREE] > 0:
        index.meta[N_FREE] -= 1
        block = np.int64(index.free[index.meta[N_FREE]])
    else:
        block = index.meta[HIGH]
        index.meta[HIGH] += 1
    index.series[block], index.epoch[block], index.slots[slot] = series, epoch, block
    return block


@small
def release(index: Any, block: Any) -> None:
    """Free a block. The hash still holds it until `rehash`."""
    index.epoch[block] = FREE
    index.free[index.meta[N_FREE]] = block
    index.meta[N_FREE] += 1


@allocating
def rehash(index: Any) -> None:
    """Rebuild the hash: cheaper than taking blocks out of it one by one, for they go in hours and days."""
    index.slots[:] = -1
    _refill(index)


@allocating
def _refill(index: Any) -> None:
    for block in range(index.meta[HIGH]):
        if index.epoch[block] != FREE:
            _, slot = find(index, index.series[block], index.epoch[block])
            index.slots[slot] = block


def widened(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Give the array with `size` rows, the new ones 0; they take no memory before they are used."""
    out = np.zeros((size, *array.shape[1:]), array.dtype)
    out[: len(array)] = array
    return out
