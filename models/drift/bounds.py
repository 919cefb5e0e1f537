"""Bounds on a rate from what was counted: Clopper and Pearson, exact for independent events."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import betaincinv

ALPHA = 1e-3
"""What all bounds of one baseline together may be wrong with; then, and only then, its run length is not guaranteed."""
TOLERANCE = 1.05
"""Odds ratio against the bound that is no change: a trivial shift never pages."""
HOURLY_TOLERANCE = 1.0
"""On the hourly clock the margin of the bound itself is all: it is there to find what is slow."""


def tolerance(minutes: int) -> float:
    """Give that of a clock, by the minutes between two looks."""
    return TOLERANCE if minutes == 1 else HOURLY_TOLERANCE


def upper(hits: Any, events: Any, alpha: Any) -> Any:
    """Give the one-sided upper bound of the rate; 1 without events. Counts may be fractions (effective counts)."""
    misses = np.maximum(np.asarray(events, float) - hits, 0.0)
    bound = betaincinv(np.asarray(hits, float) + 1.0, np.maximum(misses, 1e-9), 1.0 - alpha)
    return np.where(misses > 0, bound, 1.0)


def lower(hits: Any, events: Any, alpha: Any) -> Any:
    """Give the one-sided lower bound of the rate; 0 without hits."""
    hits = np.asarray(hits, float)
    misses = np.maximum(np.asarray(events, float) - hits, 0.0)
    return np.where(hits > 0, betaincinv(np.maximum(hits, 1e-9), misses + 1.0, alpha), 0.0)
