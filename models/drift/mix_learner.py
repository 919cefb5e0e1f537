"""Mix learner: baselines of kinds in the making, with what was counted at each hour of the day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift.arrays import widened
from models.drift.day import HOURS, Day
from models.drift.learner import Learner

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MINUTES = 60


class MixLearner(Learner):
    """Of one rate, by the minute."""

    def __init__(self) -> None:
        super().__init__(1, 1)
        self.by_hour = np.zeros((HOURS, 0), np.int32)
        """Hits by hour of the day (UTC): 96 bytes a series."""

    def grow(self, series: int) -> None:
        """Have room for so many series."""
        super().grow(series)
        self.by_hour = widened(self.by_hour, series - self.by_hour.shape[1])

    def take(self, hits: NDArray[np.int64], events: NDArray[np.int64], at: int) -> None:
        """Take in `hits` [1, S] of `events` [S] of Unix minute `at`."""
        self.by_hour[at // _MINUTES % HOURS] += np.where(self.frozen == 0, hits[0], 0).astype(np.int32)
        super().take(hits, events, at)

    def day(self, whole: int, kinds: NDArray[np.int64], most: int) -> Day:
        """Give the day of a mix [most, 24, 1]: `kinds`, the rest of `whole` last; nothing where it is not all there.

        A state from before the hours were kept lacks those that it had seen.
        """
        hits = np.zeros((most, HOURS, 1), np.int64)
        of, events = self.by_hour[:, kinds].T.astype(np.int64), self.by_hour[:, whole].astype(np.int64)
        rest = events - of.sum(axis=0)
        all_hits, all_events = self.past.hits[0, kinds], self.past.events[whole]
        if (of.sum(axis=1) != all_hits).any() or events.sum() != all_events or (rest < 0).any():
            return Day(hits, np.zeros((HOURS, 1), np.int64))
        hits[: len(kinds), :, 0], hits[-1, :, 0] = of, rest
        return Day(hits, events[:, None])

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Open anew: what was learnt is let go of."""
        super().reset(which)
        self.by_hour[:, which] = 0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything, to be packed."""
        return {**super().arrays(), "by_hour": self.by_hour}

    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave; of a state from before the hours were kept, none."""
        super().fill(arrays)
        self.by_hour = arrays.get("by_hour", np.zeros((HOURS, len(self.opened)), np.int32)).copy()
