"""Exceedance: e-SR of how many values lie over frozen quantiles: cost, tokens, latency, length, however heavy the tail.

Thresholds are bin edges at quantiles of one part of the baseline; the rates over them are bounded on the other part,
which the thresholds do not know. Needs no moments, so a mean that does not exist does no harm.
Guarantee: as `frozen_rate`, for values of independent tasks. arXiv 2203.03532; detection.md 3.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.drift.frozen_rate import FrozenRate

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)


@dataclass(frozen=True)
class Exceedance(FrozenRate):
    """Streams of (values over each threshold ..., events)."""

    name: str = "exceedance"
    columns: tuple[str, ...] = (*(f"over_{quantile:g}" for quantile in QUANTILES), "events")


def thresholds(bins: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the bins [J] over which the values of the quantiles lie: a value is over threshold b when its bin is > b.

    `bins` ascend, `counts` are how many values each holds. Quantiles are of nearest rank.
    """
    rank = np.ceil(np.array(QUANTILES) * counts.sum() - 1e-9).astype(np.int64)
    at = np.searchsorted(np.cumsum(counts), np.maximum(rank, 1))
    found: NDArray[np.int64] = bins[np.minimum(at, len(bins) - 1)]
    return found


def exceedances(bins: NDArray[np.int64], counts: NDArray[np.int64], over: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the values over each threshold, [J]."""
    found: NDArray[np.int64] = (counts[None, :] * (bins[None, :] > over[:, None])).sum(axis=1)
    return found
