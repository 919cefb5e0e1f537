"""Within types: tests of two sets of runs that were asked for other things, by type of task, all types together.

Rates: exact, given how many hits each type has: the sum of independent hypergeometric counts (Gart, Biometrika 57,
1970); of one type Fisher's test. Values: the ranks within each type, weighed by 1 / (n + 1) (van Elteren, Bull. ISI 37,
1960); of one type Mann and Whitney's test, by the normal approximation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import hypergeom, norm, rankdata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Values = Sequence[float] | NDArray[np.float64]

_NOTHING = 1e-60
"""Chances of a type that are left out: those of the tails, where there are very many events."""
_AS_RARE = 1 + 1e-7
"""What is as rare as what was seen, but for rounding: as Fisher's test of scipy has it."""

Table = tuple[int, int, int, int]
"""Hits and events of A, hits and events of B."""


def exact_p(tables: Sequence[Table]) -> float:
    """Give the two-sided p-value that all odds ratios are 1: the chance of all sums that are at most as likely."""
    chances, least = np.ones(1), 0
    for hits_a, a, hits_b, b in tables:
        k = hits_a + hits_b
        counts = np.arange(max(0, k - a), min(b, k) + 1)
        of_type = hypergeom.pmf(counts, a + b, k, b)
        kept = np.flatnonzero(of_type > _NOTHING)
        chances = np.convolve(chances, of_type[kept[0] : kept[-1] + 1])
        least += int(counts[kept[0]])
    at = sum(table[2] for table in tables) - least
    seen = chances[at] if 0 <= at < len(chances) else 0.0
    return float(min(1.0, chances[chances <= seen * _AS_RARE].sum()))


def rates(tables: Sequence[Table]) -> tuple[float, float]:
    """Give the rate that A would have had with the tasks of B, and that of B."""
    events = sum(b for *_, b in tables)
    same_tasks = sum(hits_a / a * b for hits_a, a, _, b in tables)
    return same_tasks / events, sum(hits for *_, hits, _ in tables) / events


def ranks_p(strata: Sequence[tuple[Values, Values]]) -> tuple[float, float]:
    """Give (p, above): of values of A and B by type; `above`: the chance that one of A is above one of B, ties by half.

    It is 1 and a half where all values of each type are equal.
    """
    apart = variance = wins = pairs = 0.0
    for a, b in strata:
        n, weight = len(a) + len(b), 1.0 / (len(a) + len(b) + 1)
        ranks = rankdata([*a, *b])
        u = float(ranks[: len(a)].sum()) - len(a) * (len(a) + 1) / 2
        _, ties = np.unique(ranks, return_counts=True)
        spread = (n + 1) - float((ties.astype(float) ** 3 - ties).sum()) / (n * max(n - 1, 1))
        apart += weight * (u - len(a) * len(b) / 2)
        variance += weight**2 * len(a) * len(b) / 12 * spread
        wins, pairs = wins + weight * u, pairs + weight * len(a) * len(b)
    if variance <= 0:
        return 1.0, 0.5
    return float(2 * norm.sf(abs(apart) / math.sqrt(variance))), wins / pairs


def medians(strata: Sequence[tuple[Sequence[float], Sequence[float]]]) -> tuple[float, float]:
    """Give the median that A would have had with the tasks of B, and that of B."""
    values = np.concatenate([np.asarray(a, float) for a, _ in strata])
    weights = np.concatenate([np.full(len(a), len(b) / len(a)) for a, b in strata])
    return _median(values, weights), float(np.median(np.concatenate([np.asarray(b, float) for _, b in strata])))


def _median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Give the weighted median: the mean of the values at which half of the weight is reached and passed."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    half, slack = reached[-1] / 2, 1e-9 * reached[-1]
    ends = np.searchsorted(reached, half - slack), np.searchsorted(reached, half + slack)
    low, high = (values[order[min(int(end), len(values) - 1)]] for end in ends)
    return float((low + high) / 2)
