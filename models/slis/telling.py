"""Telling: reads the panes that are told now, counts the telling, and lays their histograms out."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.kernels import allocating, small
from models.slis.bins import ZERO
from models.slis.minutes import DIRTY, HISTOGRAM, WIDTH
from models.slis.scratch import GOOD, HIGH, LOW, PER_MILLE, SIZE, TOTAL, clear, fresh, pour, quantiles


@allocating
def tell(minutes: Any, nodes: Any, kinds: Any, panes: Any) -> Any:
    """Read panes (int64 [n, 3]: minute, series, reference) and mark them as told.

    Gives counts int64 [n, 3]: total, good, how often it was told before (-1: it never was and is 0, so there is nothing
    to tell); places int64 [n, 3] of p50, p95, p99; bounds int64 [n + 1] into bins int64 [k, 2]: bin, count, ascending.
    """
    n = panes.shape[0]
    counts, places = np.zeros((n, 3), np.int64), np.full((n, len(PER_MILLE)), -1, np.int64)
    bounds = np.zeros(n + 1, np.int64)
    bins = np.empty((16 * n + SIZE, 2), np.int64)
    flat, seen = fresh()
    k = 0
    for i in range(n):
        block, at = panes[i, 2] // WIDTH, panes[i, 2] % WIDTH
        if kinds[panes[i, 1]] == HISTOGRAM:
            clear(flat, seen)
            pour(flat, seen, nodes, minutes.side[block, at])
            quantiles(flat, seen, places[i])
            counts[i, 0], counts[i, 1] = seen[TOTAL], seen[GOOD]
            if k + SIZE > bins.shape[0]:
                bins = np.concatenate((bins, np.empty_like(bins)))
            for place in range(seen[LOW], seen[HIGH]):
                if flat[place] != 0:
                    bins[k, 0], bins[k, 1] = place + ZERO, flat[place]
                    k += 1
        else:
            counts[i, 0], counts[i, 1] = minutes.total[block, at], minutes.side[block, at]
        counts[i, 2] = _told(minutes, block, at, counts[i, 0])
        k = bounds[i] if counts[i, 2] < 0 else k
        bounds[i + 1] = k
    return counts, places, bounds, bins[:k]


@small
def _told(minutes: Any, block: Any, at: Any, total: Any) -> Any:
    """Mark a pane as told; gives how often it was before, -1 where there is nothing to tell."""
    before = np.int64(minutes.state[block, at] >> 1)
    if before == 0 and total == 0:
        minutes.state[block, at] = 0
        return np.int64(-1)
    minutes.state[block, at] = (before + 1) * 2 & ~DIRTY
    return before
