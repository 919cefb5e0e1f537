"""Which of the 64 run shards a trace belongs to. Part of the stored state: it must never change between versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from models.digest import mix64
from models.spans.columns import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARDS = 64

_HI, _LO = int(Column.TRACE_HI), int(Column.TRACE_LO)
_SHIFT_32 = np.uint64(32)


@njit(cache=True, inline="always")
def trace_hash(hi: Any, lo: Any) -> Any:
    """Spread a trace id over a uint64. The low 6 bits choose the shard, the others the place in its index."""
    low = np.uint64(lo)
    return mix64(np.uint64(hi) ^ ((low << _SHIFT_32) | (low >> _SHIFT_32)))


@njit(cache=True)
def _shards(cols: Any, out: Any) -> None:
    for j in range(out.shape[0]):
        out[j] = np.int64(trace_hash(cols[_HI, j], cols[_LO, j]) & np.uint64(63))


def shard_of(cols: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the shard, 0 to 63, of each row of `Spans.cols` [column, row]."""
    out = np.empty(cols.shape[1], np.int64)
    _shards(cols, out)
    return out
