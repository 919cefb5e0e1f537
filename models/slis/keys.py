"""Keys: a growing set of int64 4-tuples, each known by its number (the order of arrival). Open addressing, compiled."""
# compiled kernels take arrays one by one

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.digest import mix64
from models.kernels import allocating, small

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ODD_1, _ODD_2, _ODD_3 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93), np.uint64(0xA0761D6478BD642F)


class Keys(NamedTuple):
    """The arrays of a key set; a tuple so that kernels can take it whole."""

    rows: NDArray[np.int64]
    """[capacity, 4]; the first `n[0]` are there."""
    slots: NDArray[np.int32]
    """Number of a key, by hash; -1 free. A power of two, at least twice the capacity."""
    n: NDArray[np.int64]

    @staticmethod
    def none() -> Keys:
        """Give an empty set."""
        return Keys(np.empty((8, 4), np.int64), np.full(16, -1, np.int32), np.zeros(1, np.int64))

    def reserved(self, more: int) -> Keys:
        """Give the same set with room for `more` keys; kernels do not grow it themselves."""
        need = int(self.n[0]) + more
        if need <= len(self.rows):
            return self
        rows = np.empty((need + need // 2, 4), np.int64)
        rows[: len(self.rows)] = self.rows
        grown = Keys(rows, np.full(1 << (4 * len(rows)).bit_length(), -1, np.int32), np.zeros(1, np.int64))
        _fill(grown, int(self.n[0]))
        return grown


@small
def locate(keys: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Give (number, slot) of a key; number -1: not there, the slot is where it would go."""
    mask = keys.slots.size - 1
    h = np.uint64(a) * _ODD_1 ^ np.uint64(b) * _ODD_2 ^ np.uint64(c) * _ODD_3 ^ np.uint64(d)
    at = np.int64(mix64(h)) & mask
    while True:
        i = keys.slots[at]
        if i < 0:
            return np.int64(-1), at
        row = keys.rows[i]
        if row[0] == a and row[1] == b and row[2] == c and row[3] == d:
            return np.int64(i), at
        at = (at + 1) & mask


@small
def put(keys: Any, slot: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Add a key at the free slot that `locate` gave; gives its number. The caller has reserved the room."""
    i = keys.n[0]
    keys.rows[i, 0], keys.rows[i, 1], keys.rows[i, 2], keys.rows[i, 3] = a, b, c, d
    keys.slots[slot] = i
    keys.n[0] = i + 1
    return i


@allocating
def _fill(keys: Any, n: Any) -> None:
    for i in range(n):
        row = keys.rows[i]
        _, slot = locate(keys, row[0], row[1], row[2], row[3])
        put(keys, slot, row[0], row[1], row[2], row[3])
