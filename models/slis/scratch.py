"""Scratch: one histogram laid out flat while it is read. The counts within and over the cap are put together again."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.kernels import allocating
from models.slis import chains as ch
from models.slis.bins import HIGHEST, OVER, ZERO

SIZE = HIGHEST - ZERO + 1
PER_MILLE = (500, 950, 990)
"""The quantiles that are told: p50, p95, p99."""

LOW, HIGH, TOTAL, GOOD = 0, 1, 2, 3  # places in `seen`: touched places [LOW, HIGH), counts


@allocating
def fresh() -> Any:
    """Give (flat counts int64 [SIZE], seen int64 [4]); place p is bin p + ZERO."""
    seen = np.zeros(4, np.int64)
    seen[LOW] = SIZE
    return np.zeros(SIZE, np.int64), seen


@allocating
def clear(flat: Any, seen: Any) -> None:
    """Empty it, in the time of what was touched."""
    if seen[LOW] < seen[HIGH]:
        flat[seen[LOW] : seen[HIGH]] = 0
    seen[LOW], seen[HIGH], seen[TOTAL], seen[GOOD] = SIZE, 0, 0, 0


@allocating
def pour(flat: Any, seen: Any, chains: Any, head: Any) -> None:
    """Add a chain."""
    width = chains.counts.shape[1]
    node = head
    while node != ch.END:
        first = np.int64(chains.chunk[node]) * width
        for k in range(width):
            count = np.int64(chains.counts[node, k])
            if count != 0:
                over = first + k > OVER // 2
                place = first + k - (OVER if over else 0) - ZERO
                flat[place] += count
                seen[TOTAL] += count
                seen[GOOD] += 0 if over else count
                seen[LOW] = min(seen[LOW], place)
                seen[HIGH] = max(seen[HIGH], place + 1)
        node = chains.next[node]


@allocating
def quantiles(flat: Any, seen: Any, out: Any) -> None:
    """Write the place of each quantile of PER_MILLE (nearest rank), -1: nothing counted. Counts < 0 are left out."""
    total = np.int64(0)
    for place in range(seen[LOW], seen[HIGH]):
        total += max(flat[place], 0)
    below = np.int64(0)
    out[:] = -1
    at = 0
    for place in range(seen[LOW], seen[HIGH]):
        below += max(flat[place], 0)
        while at < len(PER_MILLE) and below > 0 and below >= max(1, (total * PER_MILLE[at] + 999) // 1000):
            out[at] = place
            at += 1
