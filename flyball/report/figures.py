"""Figures of the report: rates, percentiles, and how sure a rate is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_Z95 = 1.959964  # two-sided 95 % of the normal distribution


class Quantiles(NamedTuple):
    """Percentiles of a set of values."""

    p50: float
    p95: float
    p99: float


def quantiles(values: Iterable[float]) -> Quantiles | None:
    """Give percentiles by nearest rank: the smallest value that at least p % do not exceed; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    return Quantiles(*(nearest_rank(ordered, percent) for percent in (50, 95, 99)))


def nearest_rank(ordered: Sequence[float], percent: int) -> float:
    """Give the value at rank ceil(n * percent / 100), counted from 1."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def wilson(good: int, total: int) -> tuple[float, float]:
    """Give the 95 % interval of a rate, as ratios; (0, 1) when there is nothing to judge by.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference, JASA 22 (158), 209-212.
    """
    if not total:
        return 0.0, 1.0
    rate, z2 = good / total, _Z95**2
    centre = rate + z2 / (2 * total)
    spread = _Z95 * math.sqrt(rate * (1 - rate) / total + z2 / (4 * total**2))
    return max(0.0, (centre - spread) / (1 + z2 / total)), min(1.0, (centre + spread) / (1 + z2 / total))
