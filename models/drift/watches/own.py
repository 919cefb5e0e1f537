"""Own past: rates and values of a workflow, and of each of its tools, against their frozen baselines.

Where its runs say which type of task they are, those of each type in their place (`models.drift.strata`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift import band, envelope
from models.drift.bank import Stream, opened_streams
from models.drift.bounds import tolerance
from models.drift.exceedance import Exceedance
from models.drift.frozen_rate import FrozenRate
from models.drift.past import Past
from models.drift.roles import Role, are
from models.drift.watches.base import Contrast, Standing
from models.drift.watches.words import rate_effect, values_effect
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
class OwnRate(Standing):
    """Ratio SLIs of workflows and, on the clock of minutes, of tools. `baselines` names the learner."""

    name: str
    minutes: int
    baselines: str
    detector: Detector = field(default_factory=FrozenRate)
    is_histogram: bool = False

    def ready(self, shard: Shard, streams: list[Stream], at: int) -> tuple[list[Stream], State] | None:
        """Open the streams whose baseline is large enough."""
        learner, roles = shard.learners[self.baselines], shard.roles
        own = are(roles.role, Role.WHOLE, Role.TOOL, Role.STRATUM)
        found = np.flatnonzero(learner.ready(shard.settings, at) & own & (roles.is_histogram == self.is_histogram))
        if not len(found):
            return None
        past, kept = learner.freeze(found, at), ~shard.strata.leave_out(roles, found)
        found, past = found[kept], Past(*(array[..., kept] for array in past))
        if not len(found):
            return None
        new = opened_streams(found, learner.opened[found], learner.version[found])
        day, follows = shard.day(self._weeks, found, learner.opened[found], at)
        return new, envelope.start(past, day, follows, tolerance=tolerance(self.minutes))

    def tightened(self, shard: Shard, streams: list[Stream], state: State) -> tuple[NDArray[np.int64], State] | None:
        """Hold against the mean again what seemed to follow the hours in its first days, and in two weeks does not."""
        denied = shard.weeks[self._weeks].denied
        if not len(denied) or not streams:
            return None
        series = np.array([stream.series for stream in streams])
        places = np.flatnonzero(np.isin(series, denied))
        past = Past(*(array[..., series[places]] for array in shard.learners[self.baselines].past))
        plain = band.start(past, tolerance=tolerance(self.minutes))
        wide = (plain["null"] != state["null"][..., places]).any(axis=0)
        return places[wide], {name: array[..., wide] for name, array in plain.items()}

    @property
    def _weeks(self) -> str:
        return "values" if self.is_histogram else "rates"

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (failed, events)."""
        return minute.rates(series)

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain."""
        return rate_effect(_own(stream), state, counts, before_of(shard, self.baselines, stream))


@dataclass(frozen=True)
class OwnValues(OwnRate):
    """Histogram SLIs of workflows."""

    detector: Detector = field(default_factory=Exceedance)
    is_histogram: bool = True

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (values over each threshold ..., events)."""
        return minute.exceedances(series)

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain."""
        before = before_of(shard, self.baselines, stream)
        label, over = shard.roles.labels[stream.series], shard.thresholds.over[:, stream.series]
        return values_effect(_own(stream), label.sli, over, state, counts, before)


def before_of(shard: Shard, baselines: str, stream: Stream) -> dict[str, Any]:
    """Tell the baseline of a stream: [rates], events, from when to when, by the time of events, version."""
    of = stream.series if stream.against < 0 else stream.against
    learner, wait = shard.learners[baselines], shard.wait(of)
    frozen = int(learner.frozen[of])
    return {
        "rates": learner.past.rates()[:, of],
        "events": int(learner.past.events[of]),
        "from": rfc3339((stream.opened - wait) * _MINUTE_NS),
        "to": rfc3339((frozen - wait) * _MINUTE_NS) if frozen else None,
        "version": stream.version,
    }


def _own(stream: Stream) -> Contrast:
    return Contrast("time", "baseline", "now")
