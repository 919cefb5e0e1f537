"""Hour of week: e-SR of a rate against what it was at this hour of the week: for traffic with a daily cycle.

Guarantee: as `frozen_rate`, for a rate that is constant within each hour of the week (UTC) and the same each week; the
ALPHA of the bounds is shared by the 168 hours. Hours without a past are not bet on. detection.md 4, 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift import bounds
from models.drift.esr import ODDS_RATIOS, bet_on_counts, shifted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State

HOURS = 168


@dataclass(frozen=True)
class HourOfWeek:
    """Streams of (failed, events, hour of the week)."""

    tolerance: float = bounds.TOLERANCE
    name: str = "hour_of_week"
    columns: tuple[str, ...] = ("failed", "events", "hour")

    def fit(self, past: NDArray[np.int64]) -> State:
        """Freeze the baseline of each hour. The hour is that of the look, the same for all streams."""
        failed, events = np.zeros((2, HOURS, past.shape[1]))
        np.add.at(failed, past[2, 0], past[0].T)
        np.add.at(events, past[2, 0], past[1].T)
        return start(failed, events, self.tolerance)

    def look(self, state: State, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take one look."""
        failed, events, hour = counts
        null = state["null"][:, hour[0]]
        sides = (failed, null[0]), (events - failed, null[1])
        found: NDArray[np.float64] = np.mean(
            [
                bet_on_counts(state["m"][:, row], hits, events, rate, state["dispersion"])
                for row, (hits, rate) in enumerate(sides)
            ],
            axis=0,
        )
        return found

    def restart(self, state: State, which: NDArray[np.bool_]) -> None:
        """Begin anew with the same baseline."""
        state["m"][..., which] = 0.0


def start(failed: Any, events: Any, tolerance: float = bounds.TOLERANCE) -> State:
    """Freeze `failed` of `events`, [hour, stream] each."""
    alpha = bounds.ALPHA / (2 * HOURS)
    up, down = bounds.upper(failed, events, alpha), 1.0 - bounds.lower(failed, events, alpha)
    return {
        "m": np.zeros((len(ODDS_RATIOS), 2, failed.shape[1])),
        "null": shifted(np.stack([up, down]), tolerance),
        "dispersion": np.ones(failed.shape[1]),
    }
