"""Weeks: what J rates of a series are at each hour of the week, and whether they follow the hours of the day at all.

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
"""Of so many series without a cycle one is taken to have one: then its hours are looked at one by one in vain."""
_HOUR = 60
_KEPT = ("series", "opened", "frozen", "hits", "events", "squares", "looks")


class Clock(IntEnum):
    """What is one look."""

    MINUTE = 0
    HOUR = 1


class Weeks:
    """Baselines of rates in the making, of the series that have events; frozen once, then left alone."""

    def __init__(self, watched: int = 1) -> None:
        self.series = np.empty(0, np.int64)
        """Series by place, in order of their first events."""
        self.opened, self.frozen = np.empty((2, 0), np.int64)
        """Unix minutes by place; 0: not yet."""
        self.hits, self.events = np.zeros((watched, HOURS, 0), np.int32), np.zeros((HOURS, 0), np.int32)
        """By hour of the week and place, hits by rate: 672 (J + 1) bytes a series, up to two billion events an hour."""
        self.squares, self.looks = np.zeros((len(Clock), watched, 0)), np.zeros((len(Clock), 0))
        """By `Clock` and place: hits ** 2 / events added up over the looks with events, and how many there were."""
        self._now = np.zeros((watched + 1, 0), np.int64)
        """(hits ..., events) of the hour that is under way."""
        self._window = 0
        self._places = np.empty(0, np.int64)
        """Place by series number; -1: none."""
        self.denied = np.empty(0, np.int64)
        """Series that were asked when last settled, and do not follow the day."""

    def take(self, series: NDArray[np.int64], hits: NDArray[np.int64], events: NDArray[np.int64], at: int) -> None:
        """Take in `hits` [J, n] of `events` [n] of these series [n] in Unix minute `at`."""
        if at // _HOUR > self._window:
            self._end_hour()
            self._window = at // _HOUR
        some = events > 0
        if not some.any():
            return
        places = self._entered(series[some], at)
        learns = self.frozen[places] == 0
        places, hits, events = places[learns], hits[:, some][:, learns], events[some][learns]
        self.opened[places[self.opened[places] == 0]] = at
        self._now[:-1, places] += hits
        self._now[-1, places] += events
        self.squares[Clock.MINUTE][:, places] += hits.astype(float) ** 2 / events
        self.looks[Clock.MINUTE, places] += 1

    def _entered(self, series: NDArray[np.int64], at: int) -> NDArray[np.int64]:
        """Give the places of these series; those that are new come last."""
        self._have_room(int(series.max()) + 1)
        new = series[self._places[series] < 0]
        if more := len(new):
            self._places[new] = np.arange(len(self.series), len(self.series) + more)
            self.series = np.append(self.series, new)
            self.opened, self.frozen = np.append(self.opened, np.full(more, at)), widened(self.frozen, more)
            self.hits, self.events = widened(self.hits, more), widened(self.events, more)
            self.squares, self.looks = widened(self.squares, more), widened(self.looks, more)
            self._now = widened(self._now, more)
        return self._places[series]

    def _have_room(self, size: int) -> None:
        more = max(0, size - len(self._places))
        self._places = np.append(self._places, np.full(more, -1))

    def places(self, series: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the places of series; -1: it had no events yet."""
        self._have_room(int(series.max(initial=-1)) + 1)
        return self._places[series]

    def of_the_day(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give hits [J, 24, n] of events [24, n] by hour of the day, with the hour that is under way."""
        hits, events = self._by_day(places)
        hits[:, self._window % _DAY] += self._now[:-1, places]
        events[self._window % _DAY] += self._now[-1, places]
        return hits, events

    def _by_day(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give hits [J, 24, n] of events [24, n] by hour of the day, of hours that are over."""
        days = HOURS // _DAY
        hits = self.hits[..., places].reshape(len(self.hits), days, _DAY, -1).sum(axis=1, dtype=np.int64)
        return hits, self.events[:, places].reshape(days, _DAY, -1).sum(axis=0, dtype=np.int64)

    def _end_hour(self) -> None:
        """Take in the hour that is under way, as far as it is."""
        hits, events = self._now[:-1], self._now[-1]
        hour = hour_of(self._window * _HOUR)
        self.hits[:, hour] += hits.astype(np.int32)
        self.events[hour] += events.astype(np.int32)
        self.squares[Clock.HOUR] += hits.astype(float) ** 2 / np.maximum(events, 1)
        self.looks[Clock.HOUR] += events > 0
        self._now = np.zeros_like(self._now)

    def settle(self, most_span: int, at: int) -> None:
        """Ask those that are old enough at Unix minute `at`: who follows the day is frozen, the others begin again."""
        self.denied = np.empty(0, np.int64)
        old = np.flatnonzero((self.frozen == 0) & (self.opened > 0) & (at - self.opened + 1 >= most_span))
        if len(old):
            self._end_hour()
            follows = self.follows_the_day(old)
            self.frozen[old[follows]] = at
            self.denied = self.series[old[~follows]]
            self._begin_again(old[~follows])

    def follows_the_day(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of whom a rate differs from hour to hour of the day by more than chance."""
        hits, events = self._by_day(places)
        between, within, freedom = self._variances(places, Clock.HOUR, hits, events)
        apart = np.maximum((events > 0).sum(axis=0) - 1, 1)
        far = law_of_f.sf(between / apart / np.maximum(within, 1e-300), apart, freedom) < _ALPHA / len(self.hits)
        found: NDArray[np.bool_] = (far & (freedom > 0) & (within > 0)).any(axis=0)
        return found

    def dispersion(self, places: NDArray[np.int64], clock: Clock) -> NDArray[np.float64]:
        """Give [J, n] by how much looks vary more than independent events, beside the hours of the week; at least 1."""
        _, within, _ = self._variances(places, clock, self.hits[..., places], self.events[:, places])
        rate = self.rates(places)
        usual = rate * (1 - rate)
        return np.where(usual > 0, np.maximum(within / np.maximum(usual, 1e-12), 1.0), 1.0)

    def rates(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the rates [J, n] of all hours together."""
        events = self.events[:, places].sum(axis=0).clip(1)
        rates: NDArray[np.float64] = self.hits[..., places].sum(axis=1) / events
        return rates

    def _variances(self, places: NDArray[np.int64], clock: Clock, hits: Any, events: Any) -> tuple[Any, Any, Any]:
        """Give the squares between hours, the mean square of looks within them, [J, n], and its degrees of freedom.

        `hits` of `events` are by hour, of the day or the week, and place.
        """
        of_hours = (hits.astype(float) ** 2 / np.maximum(events, 1)).sum(axis=1)
        of_all = hits.sum(axis=1).astype(float) ** 2 / np.maximum(events.sum(axis=0), 1)
        freedom = self.looks[clock, places] - (events > 0).sum(axis=0)
        within = (self.squares[clock][:, places] - of_hours) / np.maximum(freedom, 1)
        return of_hours - of_all, within, freedom

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Open the baselines of these series [S] anew."""
        self._begin_again(np.flatnonzero(which[self.series]))

    def _begin_again(self, places: NDArray[np.int64]) -> None:
        for name in _KEPT[1:]:
            getattr(self, name)[..., places] = 0
        self._now[:, places] = 0

    # what is kept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything, to be packed."""
        own = {name: getattr(self, name) for name in _KEPT}
        return {**own, "under_way": self._now, "window": np.array([self._window], np.int64)}

    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave; of a state from before there were several rates, the one."""
        kept = arrays if "hits" in arrays else {**arrays, "hits": arrays["failed"]}
        for name in _KEPT:
            own = getattr(self, name)
            setattr(self, name, kept[name].reshape(*own.shape[:-1], -1).astype(own.dtype))
        self._now, self._window = arrays["under_way"].copy(), int(arrays["window"][0])
        self._places = np.empty(0, np.int64)
        self._have_room(int(self.series.max(initial=-1)) + 1)
        self._places[self.series] = np.arange(len(self.series))
