"""Hour of week: e-SR of J rates against what they were at this hour of the week: for traffic with a daily cycle.

Guarantee: as `frozen_rate`, for rates that are constant within each hour of the week (UTC) and the same each week; the
ALPHA of the bounds is shared by the 168 hours and the rates. Hours whose past says little are not bet on: held against
a bound far above the rate, any look would speak for the baseline. detection.md 4, 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift import bounds
from models.drift.esr import ODDS_RATIOS, SLOW_ODDS_RATIOS, bet_on_counts, shifted
from models.drift.exceedance import Exceedance

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
    """Streams of (failed, events, hour of the week), or of J hits in place of what failed."""

    tolerance: float = bounds.TOLERANCE
    is_slow: bool = False
    """Look for what is small at first: the bets of the clock of hours."""
    name: str = "hour_of_week"
    columns: tuple[str, ...] = ("failed", "events", HOUR)

    def fit(self, past: NDArray[np.int64]) -> State:
        """Freeze the baseline of each hour."""
        *all_hits, all_events, hours = past
        sums = np.zeros((len(past) - 1, HOURS, past.shape[1]))
        streams = np.broadcast_to(np.arange(past.shape[1])[:, None], past.shape[1:])
        for row, counts in zip(sums, (*all_hits, all_events), strict=True):
            np.add.at(row, (hours, streams), counts)
        return start(sums[:-1], sums[-1], self.tolerance)

    def look(self, state: State, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take one look."""
        *all_hits, events, hour = counts
        watched, streams = len(all_hits), np.arange(len(hour))
        found = np.empty((2 * watched, len(hour)))
        for j, up in enumerate(all_hits):
            for row, hits in ((j, up), (watched + j, events - up)):
                null, bets = state["null"][row, hour, streams], state["bets"][row, hour, streams]
                look = state["m"][:, row], hits * bets, events * bets, null, state["dispersion"][j]
                found[row] = bet_on_counts(*look, SLOW_ODDS_RATIOS if self.is_slow else ODDS_RATIOS)
        mean: NDArray[np.float64] = found.mean(axis=0)
        return mean

    def restart(self, state: State, which: NDArray[np.bool_]) -> None:
        """Begin anew with the same baseline."""
        state["m"][..., which] = 0.0


@dataclass(frozen=True)
class HourOfWeekValues(HourOfWeek):
    """Streams of (values over each threshold ..., events, hour of the week)."""

    name: str = "hour_of_week_values"
    columns: tuple[str, ...] = (*Exceedance().columns, HOUR)


def start(hits: Any, events: Any, tolerance: float = bounds.TOLERANCE, dispersion: Any = None) -> State:
    """Freeze `hits` [J, hour, stream] of `events` [hour, stream]. `dispersion` [J, stream] tempers, without proof."""
    watched, _, streams = hits.shape
    spread = np.ones((watched, streams)) if dispersion is None else dispersion
    alpha = bounds.ALPHA / (2 * watched * HOURS)
    of = events / spread[:, None]
    up, down = bounds.upper(hits / spread[:, None], of, alpha), 1.0 - bounds.lower(hits / spread[:, None], of, alpha)
    usual = (hits.sum(axis=1) / np.maximum(events.sum(axis=0), 1))[:, None]
    return {
        "m": np.zeros((len(ODDS_RATIOS), 2 * watched, streams)),
        "null": shifted(np.concatenate([up, down]), tolerance),
        "bets": np.concatenate([up <= np.minimum(_LOOSE * usual, _LOOSEST), down < 1.0]),
        "rate": hits / np.maximum(events, 1),
        "dispersion": spread,
    }
