"""Learner: baselines in the making, for all series of a shard at once, on one clock. Frozen once, then left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift.arrays import widened
from models.drift.band import FEWEST_LOOKS
from models.drift.past import Past, events_needed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.settings import DriftSettings


class Learner:
    """Baselines of J rates a series, [S] series; grows with them."""

    def __init__(self, watched: int, minutes: int) -> None:
        self.minutes = minutes
        self.past = Past.none(watched, 0)
        self.opened = np.empty(0, np.int64)
        """Unix minute of the first events; 0: none yet."""
        self.frozen = np.empty(0, np.int64)
        """Unix minute at which it was frozen; 0: it still learns."""
        self.version = np.empty(0, np.int64)
        self._hits, self._events = np.zeros((watched, 0), np.int64), np.zeros(0, np.int64)
        self._window = 0

    def grow(self, series: int) -> None:
        """Have room for so many series."""
        more = series - len(self.opened)
        if more > 0:
            wider = [widened(array, more) for array in (*self.past, self.opened, self.frozen, self.version)]
            self.past = Past(*wider[:4])
            self.opened, self.frozen, self.version = wider[4:]
            self._hits, self._events = widened(self._hits, more), widened(self._events, more)

    def take(self, hits: NDArray[np.int64], events: NDArray[np.int64], at: int) -> None:
        """Take in `hits` [J, S] of `events` [S] of Unix minute `at`."""
        window = at // self.minutes
        if window > self._window:
            self._learn(window)
        learns = self.frozen == 0
        self._hits += np.where(learns, hits, 0)
        self._events += np.where(learns, events, 0)
        self.opened[(self.opened == 0) & (events > 0)] = at
        if self.minutes == 1:
            self._learn(window)

    def set_back(self, at: int) -> None:
        """Go back to Unix minute `at`: the clock was ahead."""
        self._window = min(self._window, at // self.minutes)
        np.minimum(self.opened, at, out=self.opened)

    def _learn(self, window: int) -> None:
        self._window = window
        if self._events.any():
            self.past = self.past.with_look(self._hits, self._events)
            self._hits, self._events = np.zeros_like(self._hits), np.zeros_like(self._events)

    def ready(self, settings: DriftSettings, at: int) -> NDArray[np.bool_]:
        """Say which [S] may be frozen at Unix minute `at`: large enough and over a day, or old enough."""
        span = np.where(self.opened > 0, at - self.opened + 1, 0)
        learns: NDArray[np.bool_] = (self.frozen == 0) & (span >= settings.least_span)
        old = span >= settings.most_span
        if self.minutes > 1 or not learns.any():
            learns &= old
            return learns
        of = np.flatnonzero(learns)
        some = Past(*(array[..., of] for array in self.past))
        needed = events_needed(some.rates(), settings.shift, some.dispersion()).max(axis=0)
        enough = np.zeros_like(learns)
        enough[of] = (some.events >= needed) & (some.looks >= np.minimum(FEWEST_LOOKS, settings.least_span))
        learns &= old | enough
        return learns

    def freeze(self, which: NDArray[np.int64], at: int) -> Past:
        """Freeze these series, with the hour that is under way as far as it is, as `Weeks` has it; gives their past."""
        self.frozen[which] = at
        some = Past(*(array[..., which] for array in self.past))
        some = some.with_look(self._hits[:, which], self._events[which])
        for array, learnt in zip(self.past, some, strict=True):
            array[..., which] = learnt
        self._hits[..., which] = 0
        self._events[which] = 0
        return some

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Open anew: what was learnt is let go of."""
        for array in (*self.past, self._hits, self._events, self.opened, self.frozen):
            array[..., which] = 0
        self.version[which] += 1

    # what is kept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything, to be packed."""
        return {
            **self.past._asdict(),
            "opened": self.opened,
            "frozen": self.frozen,
            "version": self.version,
            "under_way": self._hits,
            "under_way_of": self._events,
            "window": np.array([self._window], np.int64),
        }

    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave."""
        self.past = Past(*(arrays[name].copy() for name in Past._fields))
        self.opened, self.frozen, self.version = (arrays[name].copy() for name in ("opened", "frozen", "version"))
        self._hits, self._events = arrays["under_way"].copy(), arrays["under_way_of"].copy()
        self._window = int(arrays["window"][0])
