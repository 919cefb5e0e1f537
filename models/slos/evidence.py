"""Evidence: may a burn rate be believed, so few events? An exact binomial bound, no approximation.

Observed are `bad` of `total` events. The one-sided lower bound L of Clopper and Pearson solves P(X >= bad | total, L) =
1 - confidence: were the true error rate L or less, so many bad events would be at most that likely. A rule that wants
an error rate over p stands on enough evidence when L > p, which is the same as P(X >= bad | total, p) < 1 - confidence.

Reference: Clopper, C. and Pearson, E. S. (1934), The use of confidence or fiducial limits illustrated in the case of
the binomial, Biometrika 26.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc, betaincinv

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BELOW = 1 - 1e-12
"""Rounding must not make a tail that is exactly as likely as the confidence allows a smaller one: 1 of 1 at a rate of
0.001 is no evidence at 0.999, though 1.0 - 0.999 is a little over 0.001."""


def lower_bound(bad: int, total: int, confidence: float) -> float:
    """Give the one-sided lower bound on the error rate, 0 to 1; 0 where nothing was bad."""
    return float(betaincinv(bad, total - bad + 1, 1.0 - confidence)) if bad else 0.0


def exceeds(
    bad: NDArray[np.int64], total: NDArray[np.int64], rate: NDArray[np.float64], confidence: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Say of each row whether the lower bound on its error rate is over `rate` (0 to 1, exclusive)."""
    some = np.maximum(bad, 1)
    tail = betainc(some, np.maximum(total, some) - some + 1, rate)  # P(X >= bad | total, rate)
    found: NDArray[np.bool_] = (bad > 0) & (tail < (1.0 - confidence) * _BELOW)
    return found


def falls_short(
    bad: NDArray[np.int64], total: NDArray[np.int64], rate: NDArray[np.float64], confidence: float
) -> NDArray[np.bool_]:
    """Say of each row whether the upper bound on its error rate is below `rate` (0 to 1, exclusive)."""
    good = np.maximum(total - bad, 1)
    tail = betainc(good, bad + 1, 1.0 - rate)  # P(X <= bad | total, rate)
    found: NDArray[np.bool_] = (bad < total) & (tail < (1.0 - confidence) * _BELOW)
    return found


def fewest_at_all(rate: float, confidence: float) -> int:
    """Give the fewest bad events that are evidence of an error rate over `rate` (0 to 1, exclusive) by themselves.

    That is where nothing but bad events was seen: P(all of n bad) = rate ** n.
    """
    most = (1.0 - confidence) * _BELOW
    found = max(1, math.floor(math.log(most) / math.log(rate)))
    while betainc(found, 1, rate) >= most:
        found += 1
    return found


def failures_needed(total: int, rate: float, confidence: float) -> int | None:
    """Give the fewest bad events of `total` that are evidence of an error rate over `rate`; None: not even all."""
    for bad in range(1, total + 1):
        if betainc(bad, total - bad + 1, rate) < (1.0 - confidence) * _BELOW:
            return bad
    return None
