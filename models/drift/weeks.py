"""Weeks: what the rate of a workflow is at each hour of the week, and whether it follows the hours of the day at all.

The test is the usual F of an analysis of variance by weights: how much the 24 hours of the day differ from each other,
against how much the same hour differs from day to day. Bursts are in both, so they make no cycle. Dispersion is what is
left beside the hours of the week, which is what a look is held against.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import f as law_of_f

from models.drift.arrays import widened
from models.drift.hour_of_week import HOURS, hour_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DAY = 24
_ALPHA = 1e-3
"""Of so many workflows without a cycle one is taken to have one: then its hours are looked at one by one in vain."""
_HOUR = 60
_KEPT = ("series", "opened", "frozen", "failed", "events", "squares", "looks")


class Clock(IntEnum):
    """What is one look."""

    MINUTE = 0
    HOUR = 1


class Weeks:
    """Baselines of rates in the making, of the series that have events; frozen once, then left alone."""

    def __init__(self) -> None:
        self.series = np.empty(0, np.int64)
        """Series by place, in order of their first events."""
        self.opened, self.frozen = np.empty((2, 0), np.int64)
        """Unix minutes by place; 0: not yet."""
        self.failed, self.events = np.zeros((2, HOURS, 0), np.int64)
        """By hour of the week and place."""
        self.squares, self.looks = np.zeros((2, len(Clock), 0))
        """By `Clock` and place: failed ** 2 / events added up over the looks with events, and how many there were."""
        self._now = np.zeros((2, 0), np.int64)
        """(failed, events) of the hour that is under way."""
        self._window = 0

    def take(self, series: NDArray[np.int64], failed: NDArray[np.int64], events: NDArray[np.int64], at: int) -> None:
        """Take in what these series (ascending) did in Unix minute `at`."""
        if at // _HOUR > self._window:
            self._end_hour()
            self._window = at // _HOUR
        seen = series[events > 0]
        self._enter(np.setdiff1d(seen, self.series, assume_unique=True), at)
        order = np.argsort(self.series)
        places = order[np.searchsorted(self.series[order], seen)]
        learns = places[self.frozen[places] == 0]
        self.opened[learns[self.opened[learns] == 0]] = at
        rows = np.searchsorted(series, self.series[learns])
        self._now[:, learns] += np.stack([failed[rows], events[rows]])
        self.squares[Clock.MINUTE, learns] += failed[rows] ** 2 / events[rows]
        self.looks[Clock.MINUTE, learns] += 1

    def _enter(self, series: NDArray[np.int64], at: int) -> None:
        more = len(series)
        if not more:
            return
        self.series = np.append(self.series, series)
        self.opened, self.frozen = np.append(self.opened, np.full(more, at)), widened(self.frozen, more)
        self.failed, self.events = widened(self.failed, more), widened(self.events, more)
        self.squares, self.looks = widened(self.squares, more), widened(self.looks, more)
        self._now = widened(self._now, more)

    def _end_hour(self) -> None:
        """Take in the hour that is under way, as far as it is."""
        failed, events = self._now
        hour = hour_of(self._window * _HOUR)
        self.failed[hour] += failed
        self.events[hour] += events
        self.squares[Clock.HOUR] += failed**2 / np.maximum(events, 1)
        self.looks[Clock.HOUR] += events > 0
        self._now = np.zeros_like(self._now)

    def settle(self, most_span: int, at: int) -> None:
        """Ask those that are old enough at Unix minute `at`: who follows the day is frozen, the others begin again."""
        old = np.flatnonzero((self.frozen == 0) & (self.opened > 0) & (at - self.opened + 1 >= most_span))
        if len(old):
            self._end_hour()
            follows = self.follows_the_day(old)
            self.frozen[old[follows]] = at
            self._begin_again(old[~follows])

    def follows_the_day(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say whose rate differs from hour to hour of the day by more than chance."""
        by_day = (HOURS // _DAY, _DAY, len(places))
        failed = self.failed[:, places].reshape(by_day).sum(axis=0)
        events = self.events[:, places].reshape(by_day).sum(axis=0)
        between, within, freedom = self._variances(places, Clock.HOUR, failed, events)
        apart = np.maximum((events > 0).sum(axis=0) - 1, 1)
        far = law_of_f.sf(between / apart / np.maximum(within, 1e-300), apart, freedom) < _ALPHA
        found: NDArray[np.bool_] = far & (freedom > 0) & (within > 0)
        return found

    def dispersion(self, places: NDArray[np.int64], clock: Clock) -> NDArray[np.float64]:
        """Give by how much looks vary more than independent events would, beside the hours of the week; at least 1."""
        _, within, _ = self._variances(places, clock, self.failed[:, places], self.events[:, places])
        rate = self.rate(places)
        usual = rate * (1 - rate)
        return np.where(usual > 0, np.maximum(within / np.maximum(usual, 1e-12), 1.0), 1.0)

    def rate(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the rates of all hours together."""
        rate: NDArray[np.float64] = self.failed[:, places].sum(axis=0) / self.events[:, places].sum(axis=0).clip(1)
        return rate

    def _variances(self, places: NDArray[np.int64], clock: Clock, failed: Any, events: Any) -> tuple[Any, Any, Any]:
        """Give the squares between hours, the mean square of looks within them, and its degrees of freedom.

        `failed` of `events` are by hour, of the day or the week, and place.
        """
        of_hours = (failed**2 / np.maximum(events, 1)).sum(axis=0)
        of_all = failed.sum(axis=0) ** 2 / np.maximum(events.sum(axis=0), 1)
        freedom = self.looks[clock, places] - (events > 0).sum(axis=0)
        within = (self.squares[clock, places] - of_hours) / np.maximum(freedom, 1)
        return of_hours - of_all, within, freedom

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Open the baselines of these series [S] anew."""
        self._begin_again(np.flatnonzero(which[self.series]))

    def _begin_again(self, places: NDArray[np.int64]) -> None:
        for array in (self.opened, self.frozen, self.failed, self.events, self.squares, self.looks, self._now):
            array[..., places] = 0

    # what is kept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything, to be packed."""
        own = {name: getattr(self, name) for name in _KEPT}
        return {**own, "under_way": self._now, "window": np.array([self._window], np.int64)}

    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave."""
        for name in _KEPT:
            setattr(self, name, arrays[name].copy())
        self._now, self._window = arrays["under_way"].copy(), int(arrays["window"][0])
