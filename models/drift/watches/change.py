"""Change: what was rolled out against what was there before: did the upgrade hurt? The old value is the null."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.drift import band
from models.drift.bank import Stream
from models.drift.exceedance import Exceedance
from models.drift.frozen_rate import FrozenRate
from models.drift.past import Past
from models.drift.roles import Role
from models.drift.shard import Compared
from models.drift.watches.base import Contrast, Standing
from models.drift.watches.own import before_of
from models.drift.watches.words import rate_effect, values_effect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.detector import Detector
    from models.drift.learner import Learner
    from models.drift.minute import Minute
    from models.drift.shard import Shard
    from models.drift.watches.base import Effect

FEWEST = 200
"""Events of the old value from which it is a null."""
TOGETHER = 1440
"""Minutes between their newest events within which values ran side by side: a day, so that none is missed at night."""
BEGINNING = 30
"""Minutes after a workflow's first events within which all that is seen was there before: two models side by side may
differ for ever."""


@dataclass(frozen=True)
class ChangeRate(Standing):
    """Ratio SLIs of a version, prompt, set of tools, model or variant, against the one before it."""

    name: str = "change_rate"
    minutes: int = 1
    baselines: str = "rates"
    detector: Detector = field(default_factory=FrozenRate)
    is_histogram: bool = False
    is_by_task: bool = False
    """By type of task, where runs say them: else over all."""

    def ready(self, shard: Shard, streams: list[Stream], at: int) -> tuple[list[Stream], State] | None:
        """Open a stream for each value that has events and follows another, and was not there from the beginning."""
        if self.is_by_task and not len(shard.crossed):
            return None
        learner, roles = shard.learners[self.baselines], shard.roles
        there = {stream.series for stream in streams}
        begun = (roles.role == Role.CHANGE) & (roles.is_histogram == self.is_histogram) & rolled_out(shard, learner)
        begun &= (shard.replaced == Compared.NOT_YET) | ((shard.replaced == Compared.BY_TASK) == self.is_by_task)
        new = []
        for series in np.flatnonzero(begun).tolist():
            old = None if series in there else self._before(shard, series)
            if old is not None and self._is_mine(shard, series, old):
                new.append(Stream(series, old, int(learner.opened[old]), int(learner.version[old])))
        if not new:
            return None
        replaced = Compared.BY_TASK if self.is_by_task else Compared.OVER_ALL
        shard.replaced[[stream.series for stream in new]] = replaced
        return new, self._start(shard, new)

    def _is_mine(self, shard: Shard, series: int, old: int) -> bool:
        """Say whether it is held against the old value as here; once it is, it stays."""
        if shard.replaced[series] != Compared.NOT_YET:
            return bool((shard.replaced[series] == Compared.BY_TASK) == self.is_by_task)
        one = np.array([series])
        said = shard.compares_by_task(one)[0] and shard.crossed.known(old) >= FEWEST
        return bool(said == self.is_by_task and shard.is_known_how(one)[0])

    def _start(self, shard: Shard, new: list[Stream]) -> State:
        of = np.array([stream.against for stream in new])
        return band.start(Past(*(array[..., of] for array in shard.learners[self.baselines].past)))

    def _before(self, shard: Shard, series: int) -> int | None:
        """Find the value that had most events of those that began before this one, and ran last.

        What was replaced long before is no null of it, however long it had run.
        """
        learner, others = shard.learners[self.baselines], shard.roles.siblings(series)
        older = others[(learner.opened[others] > 0) & (learner.opened[others] < learner.opened[series])]
        older = older[learner.past.events[older] >= FEWEST]
        if not len(older):
            return None
        last = older[shard.seen[older] >= shard.seen[older].max() - TOGETHER]
        return int(last[np.argmax(learner.past.events[last])])

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (failed, events)."""
        return minute.rates(series)

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain."""
        before = before_of(shard, self.baselines, stream)
        return rate_effect(contrast_of(shard, stream), state, counts, before)


@dataclass(frozen=True)
class ChangeValues(ChangeRate):
    """Histogram SLIs of the same."""

    name: str = "change_values"
    baselines: str = "values"
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
        return values_effect(contrast_of(shard, stream), label.sli, over, state, counts, before)


def rolled_out(shard: Shard, learner: Learner) -> NDArray[np.bool_]:
    """Say of which series [S] the first events came when their workflow had long begun."""
    parent = shard.roles.parent
    began = np.where(parent >= 0, learner.opened[parent], 0)
    found: NDArray[np.bool_] = (parent >= 0) & (began > 0) & (learner.opened > began + BEGINNING)
    return found


def contrast_of(shard: Shard, stream: Stream) -> Contrast:
    """Name the contrast of two series."""
    dimension, value = shard.roles.dimension(stream.series) or ("", "")
    _, old = shard.roles.dimension(stream.against) or ("", "the rest")
    return Contrast(dimension, old, value)
