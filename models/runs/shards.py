"""Which run shard a trace belongs to. Part of the stored state: it must never change between versions."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from models.digest import mix64
from models.kernels import kernel, small
from models.spans.columns import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARDS = 16
"""Enough for 16 workers; each more costs every batch a call on cold caches (docs/decisions/0010)."""

_HI, _LO = int(Column.TRACE_HI), int(Column.TRACE_LO)
_SHIFT_32 = np.uint64(32)


@small
def trace_hash(hi: Any, lo: Any) -> Any:
    """Spread a trace id over a uint64. The low bits choose the shard, the others the place in its index."""
    low = np.uint64(lo)
    return mix64(np.uint64(hi) ^ ((low << _SHIFT_32) | (low >> _SHIFT_32)))


@kernel
def _of(hi: Any, lo: Any) -> Any:
    return np.int64(trace_hash(hi, lo) & np.uint64(SHARDS - 1))


@kernel
def _count(rows: Any, shards: Any, bounds: Any) -> None:
    """Write the shard of each row, and into `bounds` [SHARDS + 1] where each shard begins among the rows in order."""
    for j in range(shards.shape[0]):
        shards[j] = _of(rows[j, _HI], rows[j, _LO])
        bounds[shards[j] + 1] += 1
    for shard in range(SHARDS):
        bounds[shard + 1] += bounds[shard]


@kernel
def _place(shards: Any, at: Any, order: Any) -> None:
    for j in range(shards.shape[0]):
        order[at[shards[j]]] = j
        at[shards[j]] += 1


def shard_of_trace(hi: int, lo: int) -> int:
    """Give the shard of one trace id, in two words."""
    return int(_of(np.int64(hi), np.int64(lo)))


def shard_of(cols: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the shard, 0 to SHARDS - 1, of each row of `Spans.cols` [column, row]."""
    shards = np.empty(cols.shape[1], np.int64)
    _count(np.ascontiguousarray(cols.T), shards, np.zeros(SHARDS + 1, np.int64))
    return shards


def by_shard(cols: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Give the numbers of the rows of each shard, in order of arrival."""
    rows = np.ascontiguousarray(cols.T)
    shards, order, bounds = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64), np.zeros(SHARDS + 1, np.int64)
    _count(rows, shards, bounds)
    _place(shards, bounds.copy(), order)
    return [order[start:stop] for start, stop in pairwise(bounds.tolist())]
