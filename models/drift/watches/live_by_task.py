"""Live by task: a cohort, or one value of what is rolled out, against the rest within each type of task.

In place of `models.drift.watches.live` where nearly all runs say their type: that users of a version ask for harder
things is not called a change of the version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift import cohorts_by_task
from models.drift.cohorts_by_task import CohortsByTask
from models.drift.minute import J
from models.drift.table_bank import TableBank
from models.drift.watches.change import contrast_of
from models.drift.watches.live import LiveRate, LiveValues
from models.drift.watches.words_by_task import rate_by_task_effect, values_by_task_effect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.bank import Bank, Stream
    from models.drift.detector import Detector
    from models.drift.minute import Minute
    from models.drift.shard import Shard
    from models.drift.watches.base import Effect

_WIDEST = 1e6
"""Odds ratio that is no bound any more."""


class _ByTask:
    """What both have."""

    baselines: str

    def look(self, shard: Shard, minute: Minute, bank: Bank) -> None:
        """Count by type of task."""
        if isinstance(bank, TableBank):
            bank.see(shard.tables[self.baselines], minute.at)

    def _is_known(self, low: Any) -> Any:
        return low[0] > 0

    def _start(self, shard: Shard, low: Any, high: Any, parent: NDArray[np.int64]) -> State:
        low, high = np.maximum(low, 1 / _WIDEST), np.minimum(high, _WIDEST)
        return cohorts_by_task.start(low, high, self._dispersion(shard, parent))

    def _dispersion(self, shard: Shard, parent: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.ones(len(parent))


@dataclass(frozen=True)
class LiveRateByTask(_ByTask, LiveRate):
    """Ratio SLIs."""

    name: str = "live_rate_by_task"
    detector: Detector = field(default_factory=CohortsByTask)
    is_by_task: bool = True

    def bank(self) -> Bank:
        """Give one that is empty."""
        return TableBank(CohortsByTask())

    def _dispersion(self, shard: Shard, parent: NDArray[np.int64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = shard.learners[self.baselines].past.dispersion()[0][parent]
        return found

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain."""
        return rate_by_task_effect(contrast_of(shard, stream), state, counts, shard.roles)


@dataclass(frozen=True)
class LiveValuesByTask(_ByTask, LiveValues):
    """Histogram SLIs, over the thresholds of the workflow."""

    name: str = "live_values_by_task"
    detector: Detector = field(default_factory=lambda: CohortsByTask(J))
    is_by_task: bool = True

    def bank(self) -> Bank:
        """Give one that is empty."""
        return TableBank(CohortsByTask(J))

    def effect(self, shard: Shard, stream: Stream, state: State, counts: NDArray[np.int64]) -> Effect:
        """Explain."""
        label, over = shard.roles.labels[stream.series], shard.thresholds.over[:, stream.series]
        return values_by_task_effect(contrast_of(shard, stream), label.sli, over, state, counts, shard.roles)
