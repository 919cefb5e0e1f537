"""Parting: cells by series shard, compiled, each part with the digests whose text it needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import mix64
from models.kernels import allocating

NAMED = 3
"""The first rows of cells hold digests of names: workflow, dimension, value."""


@allocating
def part(cols: Any, shard: Any, shards: Any) -> Any:
    """Order cells ([7, n]) by shard, stably: the ordered cells and int64 [shards + 1] bounds of the shards in them."""
    bounds = np.zeros(shards + 1, np.int64)
    for s in shard:
        bounds[s + 1] += 1
    bounds = np.cumsum(bounds)
    at = bounds[:-1].copy()
    order = np.empty(shard.size, np.int64)
    for i in range(shard.size):
        order[i] = at[shard[i]]
        at[shard[i]] += 1
    out = np.empty_like(cols)
    for row in range(cols.shape[0]):
        for i in range(shard.size):
            out[row, order[i]] = cols[row, i]
    return out, bounds


@allocating
def digests_in(cols: Any, start: Any, stop: Any) -> Any:
    """Give the distinct digests, 0 left out, in the first NAMED rows of cells [start, stop)."""
    size = 64
    while size < 2 * NAMED * (stop - start):
        size *= 2
    seen = np.zeros(size, np.int64)
    found = np.empty(NAMED * (stop - start), np.int64)
    n = 0
    for row in range(NAMED):
        last = np.int64(0)
        for i in range(start, stop):
            digest = cols[row, i]
            if digest in (last, 0):  # neighbours are mostly of one group
                continue
            last = digest
            at = np.int64(mix64(np.uint64(digest))) & (size - 1)
            while seen[at] != 0 and seen[at] != digest:
                at = (at + 1) & (size - 1)
            if seen[at] == 0:
                seen[at] = digest
                found[n] = digest
                n += 1
    return found[:n]
