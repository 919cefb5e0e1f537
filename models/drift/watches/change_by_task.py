"""Change by task: what was rolled out against the old value's rates of each type of task, weighed by what it is asked.

In place of `models.drift.watches.change` where nearly all runs say their type: that users of the new version ask for
harder things is not called a change of the version. Types that the old value had too few events of are left out, and so
are runs that say none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift import mixed_rate
from models.drift.minute import J
from models.drift.mixed_rate import MILLI, PARTS, MixedRate
from models.drift.past import Past
from models.drift.watches.change import ChangeRate, contrast_of
from models.drift.watches.own import before_of
from models.drift.watches.words import rate_effect, values_effect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.bank import Stream
    from models.drift.detector import Detector
    from models.drift.minute import Minute
    from models.drift.shard import Shard
    from models.drift.watches.base import Effect


@dataclass(frozen=True)
class ChangeRateByTask(ChangeRate):
    """Ratio SLIs."""

    name: str = "change_rate_by_task"
    detector: Detector = field(default_factory=MixedRate)
    is_by_task: bool = True

    def _start(self, shard: Shard, new: list[Stream]) -> State:
        old = np.array([stream.against for stream in new])
        past = Past(*(array[..., old] for array in shard.learners[self.baselines].past))
        state = mixed_rate.start(past)
        for place, stream in enumerate(new):
            of_types = shard.crossed.past(stream.against)
            shard.nulls[self.baselines].add(stream.series, *of_types, state["dispersion"][:, place])
        return state

    def counts(
        self, shard: Shard, minute: Minute, series: NDArray[np.int64], against: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (hits J, most, least and expected J each in thousandths, events)."""
        return shard.nulls[self.baselines].counts(series, shard.asked[self.baselines])

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain."""
        found = rate_effect(contrast_of(shard, stream), state, counts[[0, -1]], self._expected(shard, stream, counts))
        return found._replace(words=f"{found.words}, held against {found.contrast.from_} within types of task")

    def _expected(self, shard: Shard, stream: Stream, counts: NDArray[np.int64]) -> dict[str, Any]:
        """Tell the baseline; `rates` [J] are those that the old value would have had with these tasks."""
        *_, expected = counts[:-1].reshape(PARTS, -1)
        rates = expected / (MILLI * max(int(counts[-1]), 1))
        return before_of(shard, self.baselines, stream) | {"rates": rates}


@dataclass(frozen=True)
class ChangeValuesByTask(ChangeRateByTask):
    """Histogram SLIs of the same."""

    name: str = "change_values_by_task"
    baselines: str = "values"
    detector: Detector = field(default_factory=lambda: MixedRate(J))
    is_histogram: bool = True

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain."""
        label, over = shard.roles.labels[stream.series], shard.thresholds.over[:, stream.series]
        mine = np.append(counts[: len(over)], counts[-1])
        before = self._expected(shard, stream, counts)
        found = values_effect(contrast_of(shard, stream), label.sli, over, state, mine, before)
        return found._replace(words=f"{found.words}, held against {found.contrast.from_} within types of task")
