"""Nulls by task: what an old version's rates were of each type of task, as the new one is held against them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift import bounds
from models.drift.mixed_rate import MILLI, PARTS, allowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.tables import Tables

_KEPT = ("of", "task", "rates", "low", "high")


class NullsByTask:
    """Rates [J, N] and their bounds, by series of the new value and of the type of task. Frozen."""

    def __init__(self, watched: int) -> None:
        self.of, self.task = np.empty((2, 0), np.int64)
        self.rates, self.low, self.high = np.empty((3, watched, 0))

    def add(self, series: int, task: NDArray[np.int64], hits: Any, events: Any, dispersion: Any) -> None:
        """Freeze those of a value: `hits` [J, n] of `events` [n] by type; `dispersion` [J] of all types together."""
        self.drop(np.array([series]))
        watched = len(hits)
        of_events = events / dispersion[:, None]
        alpha = bounds.ALPHA / (2 * watched)
        ends = [bound(hits / dispersion[:, None], of_events, alpha) for bound in (bounds.lower, bounds.upper)]
        more = (np.full(len(task), series), task, hits / events, *ends)
        for name, array in zip(_KEPT, more, strict=True):
            setattr(self, name, np.concatenate([getattr(self, name), array], axis=-1))

    def drop(self, series: NDArray[np.int64]) -> None:
        """Let go of those of these values."""
        kept = ~np.isin(self.of, series)
        for name in _KEPT:
            setattr(self, name, getattr(self, name)[..., kept])

    def counts(self, series: NDArray[np.int64], asked: Tables) -> NDArray[np.int64]:
        """Give counts as `MixedRate` has them of streams, by what they were `asked`: hits J and events by type."""
        watched = len(self.rates)
        out = np.zeros((PARTS * watched + 1, len(series)), np.int64)
        if not len(asked.of):
            return out
        place_of = {pair: place for place, pair in enumerate(zip(self.of.tolist(), self.task.tolist(), strict=True))}
        pairs = zip(asked.of.tolist(), asked.task.tolist(), strict=True)
        places = np.array([place_of.get(pair, -1) for pair in pairs], np.int64)
        here = np.flatnonzero(np.isin(series, asked.of[places >= 0]))
        for at, one in zip(here.tolist(), series[here].tolist(), strict=True):
            rows = np.flatnonzero((asked.of == one) & (places >= 0))
            null, mine = places[rows], asked.counts[:, rows]
            most, least, expected = allowed(mine[-1], self.rates[:, null], self.low[:, null], self.high[:, null])
            rounded = np.ceil(MILLI * most), np.floor(MILLI * least), np.rint(MILLI * expected)
            out[:, at] = np.concatenate([mine[:-1].sum(axis=1), *rounded, [mine[-1].sum()]])
        return out

    # what is kept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything, to be packed."""
        return {name: getattr(self, name) for name in _KEPT}

    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave."""
        for name in _KEPT:
            shape = (*getattr(self, name).shape[:-1], -1)
            setattr(self, name, arrays[name].reshape(shape).copy())
