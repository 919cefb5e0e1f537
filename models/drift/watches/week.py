"""Week: rates and values that follow the hours of the day, each hour against the same hour of the weeks before.

A rate with a daily cycle really is above its mean for hours each day: held against that it would alarm without a
change, and held against its highest hour a change at any other is told late. So where two weeks show a cycle, these
streams take the place of those against the past as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift.band import BURSTY, tempering
from models.drift.bank import Stream, opened_streams
from models.drift.bounds import tolerance
from models.drift.esr import shifted
from models.drift.hour_of_week import MILLI, HourOfWeek, HourOfWeekValues, start
from models.drift.watches.base import Contrast, Standing
from models.drift.watches.words import rate_effect, values_effect
from models.drift.weeks import Clock
from models.times import rfc3339

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.detector import Detector
    from models.drift.minute import Minute
    from models.drift.shard import Shard
    from models.drift.watches.base import Effect

_MINUTE_NS = 60_000_000_000
_NARROW, _MOSTLY = 2.0, 0.5
"""Of its events so many are at least in hours whose null has at most so many times the odds of all hours together."""
_CONTRAST = Contrast("time", "the same hours of the week", "now")


@dataclass(frozen=True)
class WeekRate(Standing):
    """Ratio SLIs of workflows and of tools. `baselines` names the weeks."""

    name: str
    minutes: int
    detector: Detector = HourOfWeek()  # noqa: RUF009 - frozen, and without state
    baselines: str = "rates"

    def ready(self, shard: Shard, streams: list[Stream], at: int) -> tuple[list[Stream], State] | None:
        """Open the streams of series that were found to follow the day.

        Bursts so large that only the mean of a look could be believed are left to those against the mean, and so is who
        has too few events an hour: held against what little is known of each, no change of it would be told any more.
        """
        weeks = shard.weeks[self.baselines]
        places = np.flatnonzero(weeks.frozen == at)
        places = places[~shard.strata.leave_out(shard.roles, weeks.series[places])]
        if not len(places):
            return None
        found = weeks.dispersion(places, Clock.MINUTE if self.minutes == 1 else Clock.HOUR)
        calm = (found <= BURSTY).all(axis=0)
        places, spread = places[calm], tempering(found)[:, calm]
        state = start(weeks.hits[..., places], weeks.events[:, places], tolerance(self.minutes), spread)
        told = _is_narrow(state, weeks.rates(places), weeks.events[:, places])
        if not told.any():
            return None
        places, state = places[told], {name: array[..., told] for name, array in state.items()}
        series = weeks.series[places]
        return opened_streams(series, weeks.opened[places], shard.learners[self.baselines].version[series]), state

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (failed, events); the bank knows the hour."""
        return minute.rates(series)

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain: against the rate that the same hours had. `counts` are (failed, events, thousandths expected)."""
        return rate_effect(_CONTRAST, state, counts[:2], self._before(shard, stream, counts))

    def _before(self, shard: Shard, stream: Stream, counts: NDArray[np.int64]) -> dict[str, Any]:
        """Tell the baseline; `rates` [J] are those expected at the hours of `counts` (J hits, events, J expected)."""
        weeks, wait = shard.weeks[self.baselines], shard.wait(stream.series)
        place, watched = int(weeks.places(np.array([stream.series]))[0]), len(weeks.hits)
        return {
            "rates": counts[watched + 1 :] / MILLI / max(int(counts[watched]), 1),
            "events": int(weeks.events[:, place].sum()),
            "from": rfc3339((stream.opened - wait) * _MINUTE_NS),
            "to": rfc3339((int(weeks.frozen[place]) - wait) * _MINUTE_NS),
            "version": stream.version,
        }


@dataclass(frozen=True)
class WeekValues(WeekRate):
    """Histogram SLIs of the same."""

    detector: Detector = HourOfWeekValues()  # noqa: RUF009 - frozen, and without state
    baselines: str = "values"

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (values over each threshold ..., events); the bank knows the hour."""
        return minute.exceedances(series)

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain: against the shares over each threshold that the same hours had."""
        over, label = shard.thresholds.over[:, stream.series], shard.roles.labels[stream.series]
        before = self._before(shard, stream, counts)
        return values_effect(_CONTRAST, label.sli, over, state, counts[: len(over) + 1], before)


def _is_narrow(state: State, rates: NDArray[np.float64], events: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Say of which streams more of at least one of the `rates` [J, stream] is told, most of the time.

    `events` [hour, stream].
    """
    watched = len(rates)
    told = state["bets"][:watched] & (state["null"][:watched] <= shifted(rates, _NARROW)[:, None])
    share = (told * events).sum(axis=1) / np.maximum(events.sum(axis=0), 1)
    found: NDArray[np.bool_] = (share >= _MOSTLY).any(axis=0)
    return found
