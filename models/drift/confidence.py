"""Confidence sequences: intervals that hold at every moment at once, for a rate and for an odds ratio.

With probability >= 1 - alpha the truth lies in all of them, however often one looks and whenever one stops (Ville).
Reported "since the estimated change" they are a description: the start was chosen by the data.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import betaln, logsumexp, xlogy

from models.drift.cohorts import log_likelihoods

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA = 0.05
GRID = np.exp(np.linspace(-math.log(50.0), math.log(50.0), 401))
"""Odds ratios that an interval is made of, 2 % apart."""


class Interval(NamedTuple):
    """Both ends."""

    low: float
    high: float


def of_rate(hits: int, events: int, alpha: float = ALPHA) -> Interval:
    """Give the interval of a rate.

    All rates whose likelihood times 1 / alpha beats that of the mixture.

    The mixture is Beta(1/2, 1/2). Robbins 1970; arXiv 2010.09686.
    """
    if not events:
        return Interval(0.0, 1.0)
    rates = np.linspace(0.0, 1.0, 20_001)
    mixture = betaln(hits + 0.5, events - hits + 0.5) - betaln(0.5, 0.5)
    within = xlogy(hits, rates) + xlogy(events - hits, 1 - rates) >= mixture + math.log(alpha)
    found = rates[within]
    return Interval(float(found.min()), float(found.max())) if len(found) else Interval(hits / events, hits / events)


class OddsRatio:
    """The odds ratio of B against A from looks of a fixed start, given the failures of both."""

    def __init__(self) -> None:
        self._log_likelihood: NDArray[np.float64] = np.zeros(len(GRID))

    def look(self, counts: NDArray[np.int64]) -> None:
        """Take in looks: [(failed_a, events_a, failed_b, events_b), look]."""
        self._log_likelihood += log_likelihoods(counts, GRID).sum(axis=1)

    @property
    def estimate(self) -> float:
        """The most likely odds ratio, on the grid."""
        return float(GRID[int(np.argmax(self._log_likelihood))])

    def interval(self, alpha: float = ALPHA) -> Interval:
        """Give the interval; an end at the grid's end (1/50, 50) stands for all beyond."""
        mixture = logsumexp(self._log_likelihood) - math.log(len(GRID))
        within = GRID[self._log_likelihood >= mixture + math.log(alpha)]
        return Interval(float(within.min()), float(within.max()))
