"""Blame: on whom the bad events of one SLO instance fell. Slices by value of a dimension, and the latest bad runs.

A slice counts events by ten minutes for six hours, by hour for a day and by day for the longest budget period. At most
`MAX_SLICES` are kept; when another comes, one of the dimension with the most of them goes, that with the fewest bad
events: of hundreds of tenants, not the version of which it is told when it was first seen. An instance takes 31 kB at
most.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.run_id import run_id_of
from models.slos.dimensions import DIMENSIONS, EVERYTHING
from models.slos.events import DIMENSION, ENDED_NS, FIRST_S, NAME, OF_BAD, OF_TOTAL, SIGN, TIME_S, TRACE_HI, VALUES_AT

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SLICES, MAX_RUNS = 24, 16
_FINE, _HOURS, _DAYS = 36, 24, 92
_COLUMNS = _FINE + _HOURS + _DAYS
_SPANS = ((600, 0, _FINE), (3600, _FINE, _HOURS), (86_400, _FINE + _HOURS, _DAYS))
"""(seconds of a column, first column, columns), the finest first."""


@dataclass(frozen=True)
class Slice:
    """Events of one value of a dimension; `name` is a digest."""

    dimension: int
    name: int
    total: int
    bad: int
    first_s: int
    """When it was first seen, Unix seconds."""


@dataclass(frozen=True)
class BadRun:
    """A run that was bad, with its value of each dimension (digests, 0: none)."""

    ended_ns: int
    trace: tuple[int, int]
    values: tuple[int, ...]

    @property
    def run_id(self) -> str:
        """Give its id as records print it."""
        return run_id_of(*self.trace)


class Blame:
    """The slices and bad runs of one instance."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, int], int] = {}
        self._counts = np.zeros((4, _COLUMNS, 2), np.int32)
        self._first: dict[tuple[int, int], int] = {}
        self._stamps = np.full(_COLUMNS, -1, np.int64)  # which ten minutes, hour or day a column holds
        self._runs: dict[tuple[int, int], BadRun] = {}

    def add_slice(self, row: list[int]) -> None:
        """Add one row of `Events.slices`."""
        key, second = (row[DIMENSION], row[NAME]), row[TIME_S]
        place = self._place(key)
        self._first[key] = min(self._first.get(key, row[FIRST_S]), row[FIRST_S])
        for seconds, at, columns in _SPANS:
            stamp = second // seconds
            column = at + stamp % columns
            if self._stamps[column] < stamp:
                self._stamps[column] = stamp
                self._counts[:, column] = 0
            if self._stamps[column] == stamp:
                self._counts[place, column] += (row[OF_TOTAL], row[OF_BAD])

    def add_run(self, row: list[int]) -> None:
        """Add one row of `Events.runs`; those that are no longer bad are to come first."""
        trace = row[TRACE_HI], row[TRACE_HI + 1]
        if row[SIGN] < 0:
            self._runs.pop(trace, None)
            return
        self._runs[trace] = BadRun(row[ENDED_NS], trace, tuple(row[VALUES_AT : VALUES_AT + len(DIMENSIONS)]))
        if len(self._runs) > MAX_RUNS:
            del self._runs[min(self._runs, key=lambda trace: (self._runs[trace].ended_ns, trace))]

    def slices(self, now_s: int, seconds: int) -> list[Slice]:
        """Give the slices over about the last `seconds`, everything first.

        In whole columns of the finest span that holds them: for an hour the ten minutes of `now` and the six before.
        """
        unit, at, columns = next((span for span in _SPANS if seconds <= span[0] * span[2]), _SPANS[-1])
        current = now_s // unit
        return self._slices((at, columns), current - min(columns, -(-seconds // unit) + 1) + 1, current)

    def since(self, now_s: int, begin_s: int) -> list[Slice]:
        """Give the slices from `begin_s` on (Unix seconds), everything first.

        In columns of the finest span that reaches back to it, from the edge on that is nearest to it.
        """
        reaching = (span for span in _SPANS if _nearest(begin_s, span[0]) > now_s // span[0] - span[2])
        unit, at, columns = next(reaching, _SPANS[-1])
        return self._slices((at, columns), _nearest(begin_s, unit), now_s // unit)

    def _slices(self, span: tuple[int, int], first: int, last: int) -> list[Slice]:
        """Add up the columns of a span (first column, columns) of these stamps."""
        at, columns = span
        stamps = self._stamps[at : at + columns]
        held = (stamps >= first) & (stamps <= last)
        sums = self._counts[:, at : at + columns][:, held].sum(axis=1, dtype=np.int64).tolist()
        found = [
            Slice(key[0], key[1], sums[place][0], sums[place][1], self._first[key])
            for key, place in self._places.items()
        ]
        return sorted(found, key=lambda s: (s.dimension != EVERYTHING, -s.bad, s.dimension, s.name))

    def runs(self) -> list[BadRun]:
        """Give the latest bad runs, latest first."""
        return sorted(self._runs.values(), key=lambda run: (-run.ended_ns, run.trace))

    def _place(self, key: tuple[int, int]) -> int:
        place = self._places.get(key)
        if place is not None:
            return place
        place = len(self._places) if len(self._places) < MAX_SLICES + 1 else self._freed()
        if place >= len(self._counts):
            more = np.zeros((min(len(self._counts), MAX_SLICES + 1 - place), *self._counts.shape[1:]), np.int32)
            self._counts = np.concatenate([self._counts, more])
        self._places[key] = place
        return place

    def _freed(self) -> int:
        """Let go of the slice with the fewest bad events of the dimension that has the most slices; gives its place."""
        bads = self._counts[:, _FINE + _HOURS :, 1].sum(axis=1)
        many = Counter(dimension for dimension, _ in self._places if dimension != EVERYTHING)
        most = max(many, key=lambda dimension: (many[dimension], dimension))
        key = min((key for key in self._places if key[0] == most), key=lambda key: (bads[self._places[key]], key))
        place = self._places.pop(key)
        del self._first[key]
        self._counts[place] = 0
        return place

    def state(self) -> dict[str, Any]:
        """Give everything as plain types."""
        held = np.flatnonzero(self._stamps >= 0)
        return {
            "slices": [[*key, place, self._first[key]] for key, place in self._places.items()],
            "stamps": [[column, int(self._stamps[column])] for column in held.tolist()],
            "counts": self._counts[:, held].ravel().tolist(),
            "room": len(self._counts),
            "runs": [[run.ended_ns, *run.trace, *run.values] for run in self._runs.values()],
        }

    def adopt(self, other: Blame) -> None:
        """Become what another one is."""
        vars(self).update(vars(other))

    @staticmethod
    def of(state: Mapping[str, Any]) -> Blame:
        """Restore what `state` gave."""
        blame = Blame()
        for dimension, name, place, first in state["slices"]:
            blame._places[dimension, name], blame._first[dimension, name] = place, first
        blame._counts = np.zeros((state["room"], _COLUMNS, 2), np.int32)
        columns = [column for column, _ in state["stamps"]]
        blame._stamps[columns] = [stamp for _, stamp in state["stamps"]]
        blame._counts[:, columns] = np.array(state["counts"], np.int32).reshape(state["room"], len(columns), 2)
        for ended, high, low, *values in state["runs"]:
            blame._runs[high, low] = BadRun(ended, (high, low), tuple(values))
        return blame


def _nearest(second: int, unit: int) -> int:
    """Give the number of the edge, `unit` seconds apart, that is nearest to a time."""
    return (second + unit // 2) // unit
