"""Hour of week: e-SR of a rate against what it was at this hour of the week: for traffic with a daily cycle.

Guarantee: as `frozen_rate`, for a rate that is constant within each hour of the week (UTC) and the same each week; the
ALPHA of the bounds is shared by the 168 hours. Hours whose past says little are not bet on: held against a bound far
above the rate, any look would speak for the baseline. detection.md 4, 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift import bounds
from models.drift.esr import ODDS_RATIOS, SLOW_ODDS_RATIOS, bet_on_counts, shifted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State

HOURS = 168
_LOOSE, _LOOSEST = 3.0, 0.9
"""An hour is bet on upwards where its bound is at most so many times the rate of all hours, and no more than this."""
HOUR = "hour"
"""The column that is no count: whoever adds up looks must keep those of different hours apart."""

MILLI = 1000
"""In place of the hour a bank may tell what was to be expected, in so many parts."""


def hour_of(minute: Any) -> Any:
    """Give the hour of the week of a Unix minute, or of each; the week begins on a Thursday, as Unix time did."""
    return minute // 60 % HOURS


@dataclass(frozen=True)
class HourOfWeek:
    """Streams of (failed, events, hour of the week)."""

    tolerance: float = bounds.TOLERANCE
    is_slow: bool = False
    """Look for what is small at first: the bets of the clock of hours."""
    name: str = "hour_of_week"
    columns: tuple[str, ...] = ("failed", "events", HOUR)

    def fit(self, past: NDArray[np.int64]) -> State:
        """Freeze the baseline of each hour."""
        failed, events = np.zeros((2, HOURS, past.shape[1]))
        streams = np.broadcast_to(np.arange(past.shape[1])[:, None], past.shape[1:])
        np.add.at(failed, (past[2], streams), past[0])
        np.add.at(events, (past[2], streams), past[1])
        return start(failed, events, self.tolerance)

    def look(self, state: State, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take one look."""
        failed, events, hour = counts
        streams = np.arange(len(hour))
        found = np.empty((2, len(hour)))
        for row, hits in enumerate((failed, events - failed)):
            null, bets = state["null"][row, hour, streams], state["bets"][row, hour, streams]
            look = state["m"][:, row], hits * bets, events * bets, null, state["dispersion"]
            found[row] = bet_on_counts(*look, SLOW_ODDS_RATIOS if self.is_slow else ODDS_RATIOS)
        mean: NDArray[np.float64] = found.mean(axis=0)
        return mean

    def restart(self, state: State, which: NDArray[np.bool_]) -> None:
        """Begin anew with the same baseline."""
        state["m"][..., which] = 0.0


def start(failed: Any, events: Any, tolerance: float = bounds.TOLERANCE, dispersion: Any = None) -> State:
    """Freeze `failed` of `events`, [hour, stream] each. `dispersion` [stream] tempers it, without proof."""
    spread = np.ones(failed.shape[1]) if dispersion is None else dispersion
    alpha = bounds.ALPHA / (2 * HOURS)
    hits, of = failed / spread, events / spread
    up, down = bounds.upper(hits, of, alpha), 1.0 - bounds.lower(hits, of, alpha)
    usual = failed.sum(axis=0) / np.maximum(events.sum(axis=0), 1)
    return {
        "m": np.zeros((len(ODDS_RATIOS), 2, failed.shape[1])),
        "null": shifted(np.stack([up, down]), tolerance),
        "bets": np.stack([up <= np.minimum(_LOOSE * usual, _LOOSEST), down < 1.0]),
        "rate": failed / np.maximum(events, 1),
        "dispersion": spread,
    }
