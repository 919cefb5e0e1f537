"""Sums by key, compiled: rows of equal key become one. An array of keys sorts slower than it is hashed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.digest import mix64
from models.kernels import kernel, small

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sum_by_key(keys: NDArray[np.int64], amounts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add `amounts` [kind, n] over rows of equal `keys` [field, n]: where each distinct key first is, and its sums."""
    n = keys.shape[1]
    first, sums = np.empty(n, np.int64), np.zeros((amounts.shape[0], n), np.int64)
    slots = np.full(1 << max(4, (2 * n).bit_length()), -1, np.int64)
    found = int(_sum(np.ascontiguousarray(keys), np.ascontiguousarray(amounts), slots, first, sums))
    return first[:found], sums[:, :found]


@small
def _same(keys: Any, a: Any, b: Any) -> Any:
    same = True
    for field in range(keys.shape[0]):
        same = same and keys[field, a] == keys[field, b]
    return same


@kernel
def _sum(keys: Any, amounts: Any, slots: Any, first: Any, sums: Any) -> Any:
    found = 0
    mask = slots.size - 1
    for i in range(keys.shape[1]):
        h = np.uint64(0)
        for field in range(keys.shape[0]):
            h = mix64(h ^ np.uint64(keys[field, i]))
        at = np.int64(h) & mask
        while slots[at] >= 0 and not _same(keys, first[slots[at]], i):
            at = (at + 1) & mask
        if slots[at] < 0:
            slots[at] = found
            first[found] = i
            found += 1
        for kind in range(amounts.shape[0]):
            sums[kind, slots[at]] += amounts[kind, i]
    return found
