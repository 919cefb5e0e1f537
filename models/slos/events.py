"""Events: what a batch of changes means to the SLOs: signed counts, who they fell on, and example runs.

An instance of an SLO is (SLO, value): digests of its name and of the value it is split by, 0 where it is not split.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from models.slos.dimensions import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

SHARDS = 8
"""Judge shards: the most workers that SLOs can be judged by. Part of the stored state: it must never change."""

SLO, VALUE, SHARD, TIME_S = range(4)
"""The first rows of all arrays: the instance, its judge shard, event time in Unix seconds (start of a pane)."""

KNOWN_S = -1
"""The last row of all arrays: from when on it is known, Unix seconds (start of a pane too); 0: now. Without a clock it
is not when it was read: how much is read at once must not decide when it counts."""

TOTAL, BAD = 4, 5
"""Further rows of `counts`, signed."""

DIMENSION, NAME, OF_TOTAL, OF_BAD, FIRST_S = range(4, 9)
"""Further rows of `slices`: dimension (its number), digest of its value, signed counts, Unix second at which it
was first seen in the batch."""

ENDED_NS, TRACE_HI, TRACE_LO, SIGN, VALUES_AT = range(4, 9)
"""Further rows of `runs`: end of a bad run, its id, +1 or -1 (no longer bad), then its value of each dimension."""

ROWS = 7, 10, 9 + len(DIMENSIONS)

NEVER = 2**62


@dataclass(frozen=True)
class Events:
    """`counts`, `slices` and `runs` are int64 [row, n]; `names` gives the text of each digest in them."""

    counts: NDArray[np.int64]
    slices: NDArray[np.int64]
    runs: NDArray[np.int64]
    names: dict[int, str]

    @property
    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Give the three arrays."""
        return self.counts, self.slices, self.runs

    def __len__(self) -> int:
        """Count the rows of all arrays."""
        return sum(array.shape[1] for array in self.arrays)

    @staticmethod
    def none() -> Events:
        """Give no events."""
        counts, slices, runs = (np.empty((rows, 0), np.int64) for rows in ROWS)
        return Events(counts, slices, runs, {})

    @staticmethod
    def joined(parts: Sequence[Events]) -> Events:
        """Put events one behind the other."""
        if not parts:
            return Events.none()
        names: dict[int, str] = {}
        for part in parts:
            names |= part.names
        counts, slices, runs = (np.concatenate(each, axis=1) for each in zip(*(p.arrays for p in parts), strict=True))
        return Events(counts, slices, runs, names)

    @property
    def _times(self) -> list[NDArray[np.int64]]:
        """Give the Unix second from which on each row counts."""
        times = zip(self.arrays, (TIME_S, FIRST_S, TIME_S), strict=True)
        return [np.maximum(array[at], array[KNOWN_S]) for array, at in times]

    @cached_property
    def first_due(self) -> int:
        """The Unix second from which on the first row counts; `NEVER`: there is none. Asked at every look."""
        return min(int(times.min(initial=NEVER)) for times in self._times)

    @cached_property
    def first_counted(self) -> int:
        """The same of the rows of `counts` alone."""
        return int(self._times[0].min(initial=NEVER))

    def until(self, second: int) -> tuple[Events, Events]:
        """Part them: known by that time, and later. A slice is of the time it was first seen at: its pane is long."""
        if self.first_due > second:
            return Events.none(), self
        due = [times <= second for times in self._times]
        return self._where(due), self._where([~those for those in due])

    def in_one_order(self) -> Events:
        """Give the slices as one row each, ordered: whatever batches they came in, they are added alike."""
        if self.slices.shape[1] <= 1:
            return self
        ordered = self.slices[:, np.lexsort((self.slices[FIRST_S], *self.slices[NAME::-1]))]
        head = ordered[: NAME + 1]
        starts = np.flatnonzero(np.append(True, (head[:, 1:] != head[:, :-1]).any(axis=0)))
        sums = np.add.reduceat(ordered[OF_TOTAL : OF_BAD + 1], starts, axis=1)
        slices = np.vstack([head[:, starts], sums, ordered[FIRST_S, starts], ordered[KNOWN_S, starts]])
        return Events(self.counts, slices, self.runs, self.names)

    def of(self, slos: Iterable[int]) -> Events:
        """Give those of some SLOs (digests)."""
        chosen = np.fromiter(slos, np.int64)
        return self._where([np.isin(array[SLO], chosen) for array in self.arrays])

    def _where(self, chosen: Sequence[NDArray[np.bool_]]) -> Events:
        counts, slices, runs = (array[:, those] for array, those in zip(self.arrays, chosen, strict=True))
        return Events(counts, slices, runs, self.names)

    def split(self) -> dict[int, Events]:
        """Part them by judge shard, each with the names it needs; order is kept."""
        out = {}
        for shard in range(SHARDS):
            events = self._where([array[SHARD] == shard for array in self.arrays])
            if len(events):
                out[shard] = Events(*events.arrays, events.used_names())
        return out

    def used_names(self) -> dict[int, str]:
        """Give the names that are in the arrays."""
        used = np.concatenate(
            [
                *(array[: VALUE + 1].ravel() for array in self.arrays),
                self.slices[NAME],
                self.runs[VALUES_AT:KNOWN_S].ravel(),
            ]
        )
        return {digest: self.names[digest] for digest in np.unique(used).tolist() if digest in self.names}
