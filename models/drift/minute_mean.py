"""Minute mean: e-SR of the mean failure rate of looks, for failures that come in bursts.

Guarantee: ARL >= c looks under any dependence between the failures of one look, given that the expected rate of every
look is within the baseline's bound (itself from effective counts, a heuristic). A burst that lasts several looks is
a change, and alarms. About 2.5 times slower than `frozen_rate` on independent failures. arXiv 2010.09686;
detection.md 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.drift.frozen_rate import FrozenRate


@dataclass(frozen=True)
class MinuteMean(FrozenRate):
    """Streams of (failed, events)."""

    is_robust: bool | None = True
    name: str = "minute_mean"
