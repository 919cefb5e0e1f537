"""Week: rates of workflows that follow the hours of the day, each hour against the same hour of the weeks before.

A rate with a daily cycle really is above its mean for hours each day: held against that it would alarm without a
change. So where two weeks show a cycle, these streams take the place of those against the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.drift.band import BURSTY, CLEAN
from models.drift.bank import Stream, opened_streams
from models.drift.bounds import tolerance
from models.drift.hour_of_week import MILLI, HourOfWeek, start
from models.drift.watches.base import Contrast, Standing
from models.drift.watches.words import rate_effect
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


@dataclass(frozen=True)
class WeekRate(Standing):
    """Ratio SLIs of workflows."""

    name: str
    minutes: int
    detector: Detector = HourOfWeek()  # noqa: RUF009 - frozen, and without state

    def ready(self, shard: Shard, streams: list[Stream], at: int) -> tuple[list[Stream], State] | None:
        """Open the streams of workflows that were found to follow the day.

        Bursts so large that only the mean of a look could be believed are left to those against the mean.
        """
        weeks = shard.weeks
        places = np.flatnonzero(weeks.frozen == at)
        if not len(places):
            return None
        found = weeks.dispersion(places, Clock.MINUTE if self.minutes == 1 else Clock.HOUR)
        places, spread = places[found <= BURSTY], np.where(found <= CLEAN, 1.0, found)[found <= BURSTY]
        series = weeks.series[places]
        new = opened_streams(series, weeks.opened[places], shard.learners["rates"].version[series])
        return new, start(weeks.failed[:, places], weeks.events[:, places], tolerance(self.minutes), spread)

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (failed, events); the bank knows the hour."""
        return minute.rates(series)

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain: against the rate that the same hours had. `counts` are (failed, events, thousandths expected)."""
        weeks, wait = shard.weeks, shard.wait(stream.series)
        place = int(np.flatnonzero(weeks.series == stream.series)[0])
        failed, events, expected = counts.tolist()
        before = {
            "rates": [expected / MILLI / max(events, 1)],
            "events": int(weeks.events[:, place].sum()),
            "from": rfc3339((stream.opened - wait) * _MINUTE_NS),
            "to": rfc3339((int(weeks.frozen[place]) - wait) * _MINUTE_NS),
            "version": stream.version,
        }
        contrast = Contrast("time", "the same hours of the week", "now")
        return rate_effect(contrast, state, np.array([failed, events]), before)
