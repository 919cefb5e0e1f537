"""Live: a cohort, or one value of what is rolled out, against the rest of its workflow at the same time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift import cohort_exceedance, cohorts
from models.drift.bank import Stream
from models.drift.cohort_exceedance import CohortExceedance
from models.drift.cohorts import Cohorts
from models.drift.minute import UNKNOWN
from models.drift.roles import Role
from models.drift.shard import Compared
from models.drift.usual_ratio import UsualRatio
from models.drift.watches.base import Standing
from models.drift.watches.change import contrast_of, rolled_out
from models.drift.watches.words import cohort_effect, cohort_values_effect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.detector import Detector
    from models.drift.minute import Minute
    from models.drift.shard import Shard
    from models.drift.watches.base import Effect


@dataclass(frozen=True)
class LiveRate(Standing):
    """Ratio SLIs. Null of what is rolled out: no difference. Null of a cohort: the difference that it always had."""

    name: str = "live_rate"
    minutes: int = 1
    baselines: str = "rates"
    detector: Detector = field(default_factory=Cohorts)
    is_histogram: bool = False
    is_by_task: bool = False
    """Within types of task, where runs say them: else over all."""

    def ready(self, shard: Shard, streams: list[Stream], at: int) -> tuple[list[Stream], State] | None:
        """Open changes at once, cohorts when their usual odds ratio is known, from a day of their own at least."""
        found = self._candidates(shard, streams)
        if not len(found):
            return None
        usual = self._usual(shard, found)
        low, high = usual.bounds(once := usual.is_enough())
        learner, roles = shard.learners[self.baselines], shard.roles
        parent = roles.parent[found]
        is_change = (roles.role[found] == Role.CHANGE) & rolled_out(shard, learner)[found]
        low, high = np.where(is_change, 1.0, low), np.where(is_change, 1.0, high)
        begun = shard.begun[found]
        spans = (begun > 0) & (at - begun + 1 >= shard.settings.least_span)
        opens = is_change | (spans & self._is_known(low))
        found, parent = found[opens], parent[opens]
        if not len(found):
            return None
        opened, version = learner.opened[parent].tolist(), learner.version[parent].tolist()
        new = [Stream(*each) for each in zip(found.tolist(), parent.tolist(), opened, version, strict=True)]
        shard.settled[found] = (is_change | once)[opens]
        shard.compared[found] = Compared.BY_TASK if self.is_by_task else Compared.OVER_ALL
        return new, self._start(shard, low[..., opens], high[..., opens], parent)

    def tightened(self, shard: Shard, streams: list[Stream], state: State) -> tuple[NDArray[np.int64], State] | None:
        """Narrow what is usual of a cohort of which little was known: once, when it is, or no baseline takes longer.

        Where both bounds exclude each other it has changed meanwhile: it is held against what it was.
        """
        series = np.array([stream.series for stream in streams], np.int64)
        places = np.flatnonzero(~shard.settled[series])
        if not len(places):
            return None
        series = series[places]
        spans = shard.seen[shard.roles.parent[series]] - shard.begun[series] + 1 >= shard.settings.most_span
        is_due = spans | self._usual(shard, series).is_enough()
        places, series = places[is_due], series[is_due]
        shard.settled[series] = True
        low, high = self._usual(shard, series).bounds(once=False)
        was_low, was_high = state["low"][..., places], state["high"][..., places]
        low, high = np.maximum(low, was_low), np.minimum(high, was_high)
        fits = low <= high
        return places, {"low": np.where(fits, low, was_low), "high": np.where(fits, high, was_high)}

    def _usual(self, shard: Shard, series: NDArray[np.int64]) -> UsualRatio:
        usual = shard.usual[f"{self.baselines}_by_task" if self.is_by_task else self.baselines]
        return UsualRatio(*(array[..., series] for array in usual))

    def _candidates(self, shard: Shard, streams: list[Stream]) -> NDArray[np.int64]:
        roles = shard.roles
        if self.is_by_task and not len(shard.crossed):
            return np.empty(0, np.int64)
        right = ((roles.role == Role.CHANGE) | (roles.role == Role.COHORT)) & (roles.parent >= 0)
        right &= roles.is_histogram == self.is_histogram
        right[np.array([stream.series for stream in streams], np.int64)] = False
        found = np.flatnonzero(right)
        mine = (shard.compares_by_task(found) == self.is_by_task) & shard.is_known_how(found)
        chosen: NDArray[np.int64] = found[mine]
        return chosen

    def _is_known(self, low: Any) -> Any:
        return low > 0

    def _start(self, shard: Shard, low: Any, high: Any, parent: NDArray[np.int64]) -> State:
        dispersion = shard.learners[self.baselines].past.dispersion()[0][parent]
        return cohorts.start(low, high, dispersion)

    def holds(self, shard: Shard, streams: list[Stream], state: State) -> NDArray[np.bool_]:
        """Say of which the role is still that of a contrast: types of task were cohorts once."""
        role = shard.roles.role[[stream.series for stream in streams]]
        return np.isin(role, (Role.CHANGE, Role.COHORT))

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (failed and events of the rest, failed and events of the cohort)."""
        mine = minute.rates(series)
        return np.concatenate([minute.rates(against) - mine, mine])

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain."""
        return cohort_effect(contrast_of(shard, stream), state, counts)


@dataclass(frozen=True)
class LiveValues(LiveRate):
    """Histogram SLIs, over the thresholds of the workflow."""

    name: str = "live_values"
    baselines: str = "values"
    detector: Detector = field(default_factory=CohortExceedance)
    is_histogram: bool = True

    def _candidates(self, shard: Shard, streams: list[Stream]) -> NDArray[np.int64]:
        found: NDArray[np.int64] = super()._candidates(shard, streams)
        known: NDArray[np.int64] = found[shard.thresholds.over[0, found] < UNKNOWN]
        return known

    def _is_known(self, low: Any) -> Any:
        return low[0] > 0  # of the median; what is rare in the tail is not bet on where it is not known

    def _start(self, shard: Shard, low: Any, high: Any, parent: NDArray[np.int64]) -> State:
        return cohort_exceedance.start(np.maximum(low, 1e-6), np.minimum(high, 1e6))

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (values of the rest over each threshold ..., all of them, and the same of the cohort)."""
        mine = minute.exceedances(series)
        return np.concatenate([minute.exceedances(against) - mine, mine])

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain."""
        label, over = shard.roles.labels[stream.series], shard.thresholds.over[:, stream.series]
        return cohort_values_effect(contrast_of(shard, stream), label.sli, over, state, counts)
