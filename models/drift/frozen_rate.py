"""Frozen rate: e-SR of a rate against its own past, up and down.

Guarantee: with probability >= 1 - ALPHA over the baseline, ARL >= c looks while the rate stays within TOLERANCE of
what it was, for independent events. Where the baseline was bursty, tempered (no proof) or by means of looks (exact
given the bound): see `models.drift.band`. Not covered: a rate that follows the hours; see `hour_of_week`.
arXiv 2203.03532; detection.md 3.3, 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.drift import band
from models.drift.bounds import TOLERANCE
from models.drift.esr import ODDS_RATIOS, SLOW_ODDS_RATIOS
from models.drift.past import Past

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.drift.band import State


@dataclass(frozen=True)
class FrozenRate:
    """Streams of (failed, events). `is_robust`: as `models.drift.band.start` has it."""

    is_robust: bool | None = None
    tolerance: float = TOLERANCE
    is_slow: bool = False
    """Look for what is small at first: the bets of the clock of hours."""
    name: str = "frozen_rate"
    columns: tuple[str, ...] = ("failed", "events")

    def fit(self, past: NDArray[np.int64]) -> State:
        """Freeze the baseline."""
        return band.start(Past.of(past[:-1], past[-1]), tolerance=self.tolerance, is_robust=self.is_robust)

    def look(self, state: State, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take one look."""
        return band.look(state, counts[:-1], counts[-1], SLOW_ODDS_RATIOS if self.is_slow else ODDS_RATIOS)

    def restart(self, state: State, which: NDArray[np.bool_]) -> None:
        """Begin anew with the same baseline."""
        band.restart(state, which)
