"""Tables: what a value of a contrast and the rest of its workflow did in a minute, within each type of task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Tables(NamedTuple):
    """T tables; of each both sides have events."""

    of: NDArray[np.int64]
    """[T] Series of the value."""
    task: NDArray[np.int64]
    """[T] Series of the type of task, of all runs; of runs of no type that of what is left."""
    counts: NDArray[np.int64]
    """[2 J + 2, T]: hits J and events of the rest, hits J and events of the value."""

    @staticmethod
    def none(watched: int) -> Tables:
        """Give no tables."""
        return Tables(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((2 * watched + 2, 0), np.int64))

    @staticmethod
    def all_of(parts: Sequence[Tables]) -> Tables:
        """Give those of several looks, at least one, one after another."""
        return Tables(*(np.concatenate([part[at] for part in parts], axis=-1) for at in range(3)))

    @property
    def events(self) -> NDArray[np.int64]:
        """[T] Events of the value."""
        events: NDArray[np.int64] = self.counts[-1]
        return events

    def only(self, which: NDArray[np.bool_]) -> Tables:
        """Give some."""
        return Tables(self.of[which], self.task[which], self.counts[:, which])

    def small(self) -> Tables:
        """Give them as they are kept: half as large."""
        small: list[Any] = [array.astype(np.int32) for array in self]
        return Tables(*small)

    def of_series(self, series: NDArray[np.int64]) -> Tables:
        """Give those of these series."""
        return self.only(np.isin(self.of, series)) if len(self.of) else self

    def places(self, series: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the place of each in `series`, which has them all."""
        order = np.argsort(series, kind="stable")
        found: NDArray[np.int64] = order[np.searchsorted(series[order], self.of)]
        return found

    def together(self) -> Tables:
        """Give one of each value and type: their sums."""
        if not len(self.of):
            return self
        pairs, whose = np.unique(np.stack([self.of, self.task]), axis=1, return_inverse=True)
        sums = np.zeros((len(self.counts), pairs.shape[1]), np.int64)
        np.add.at(sums.T, whose.reshape(-1), self.counts.T)
        return Tables(pairs[0], pairs[1], sums)

    def in_order(self) -> Tables:
        """Give them by value, and of each by what they hold: sums over them are the same whatever came first."""
        order = np.lexsort((*self.counts, self.of))
        return Tables(self.of[order], self.task[order], self.counts[:, order])
