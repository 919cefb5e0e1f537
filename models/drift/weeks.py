"""Weeks: what J rates of a series are at each hour of the week, and whether they follow the hours of the day at all.

The test is the usual F of an analysis of variance by weights: how much the 24 hours of the day differ from each other,
against how much the same hour differs from day to day. Bursts are in both, so they make no cycle. Dispersion is what is
left beside the hours of the week, which is what a look is held against.

What changed within the two weeks must not become their baseline unasked. So each hour of the second week is held
against the same hour of the first: whatever the cycle of the week is, it is in both. Who has changed stays as it was,
against its earlier baseline, until a later two weeks are as that was, or a person accepts the change.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import f as law_of_f
from scipy.stats import norm

from models.drift.arrays import widened
from models.drift.hour_of_week import HOURS, hour_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.learner import Learner

_DAY = 24
_ALPHA = 1e-3
"""Of so many series without a cycle one is taken to have one: then its hours are looked at one by one in vain."""
_HOUR = 60
_KEPT = ("series", "opened", "frozen", "hits", "events", "squares", "looks", "apart", "chance")
_LARGE, _AS_BEFORE = math.log(1.1), math.log(1.25)
"""Logarithms of odds ratios: from which on two weeks differ, and up to which later ones are as before they did."""
_DAYS = 7


class Held(IntEnum):
    """Why a series does not get its hours of the week."""

    NOT = 0
    CHANGED = 1
    SETTLED = 2  # found just now: what its weeks were is asked for in this minute still


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
        self.apart, self.chance = np.zeros((2, watched, _DAYS, 0))
        """Hits of each day of the second week less those to be expected by the same hours of the first, and their
        variance: 112 J bytes a series."""
        self.held = np.empty(0, np.int8)
        """`Held` by place."""
        self._now = np.zeros((watched + 1, 0), np.int64)
        """(hits ..., events) of the hour that is under way."""
        self._window = 0
        self._places = np.empty(0, np.int64)
        """Place by series number; -1: none."""
        self.denied = np.empty(0, np.int64)
        """Series that were asked when last settled, and do not follow the day."""

    def take(self, series: NDArray[np.int64], hits: NDArray[np.int64], events: NDArray[np.int64], at: int) -> None:
        """Take in `hits` [J, n] of `events` [n] of these series [n] in Unix minute `at`."""
        if (settled := np.flatnonzero(self.held == Held.SETTLED)).size:
            self._begin_again(settled)
            self.held[settled] = Held.CHANGED
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

    def set_back(self, at: int) -> None:
        """Go back to Unix minute `at`: the clock was ahead."""
        self._window = min(self._window, at // _HOUR)
        np.minimum(self.opened, at, out=self.opened)

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
            self._now, self.held = widened(self._now, more), widened(self.held, more)
            self.apart, self.chance = widened(self.apart, more), widened(self.chance, more)
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
        self._hold_against_last_week(hits, events, hour)
        self.hits[:, hour] += hits.astype(np.int32)
        self.events[hour] += events.astype(np.int32)
        self.squares[Clock.HOUR] += hits.astype(float) ** 2 / np.maximum(events, 1)
        self.looks[Clock.HOUR] += events > 0
        self._now = np.zeros_like(self._now)

    def _hold_against_last_week(self, hits: Any, events: Any, hour: int) -> None:
        """Add up what this hour has beside the same one of the week before (Mantel and Haenszel 1959)."""
        again = np.flatnonzero((self._window - self.opened // _HOUR >= HOURS) & (events > 0) & (self.events[hour] > 0))
        if not len(again):
            return
        then, now, of_now = self.events[hour, again].astype(float), events[again], hits[:, again]
        both, of_both = then + now, self.hits[:, hour, again] + of_now
        day = (self._window - self.opened[again] // _HOUR) // _DAY % _DAYS
        self.apart[:, day, again] += of_now - now * of_both / both
        self.chance[:, day, again] += then * now * of_both * (both - of_both) / (both**2 * (both - 1))

    def settle(self, most_span: int, at: int, learner: Learner) -> None:
        """Ask those that are old enough at Unix minute `at`: who follows the day is frozen, the others begin again.

        So do those that follow it and have changed within their weeks, by what `learner` has of their earlier past.
        """
        self.denied = np.empty(0, np.int64)
        old = np.flatnonzero((self.frozen == 0) & (self.opened > 0) & (at - self.opened + 1 >= most_span))
        if len(old):
            self._end_hour()
            follows = self.follows_the_day(old)
            asked = old[follows]
            held, was_held = self.have_changed(asked), self.held[asked] > Held.NOT
            held[was_held] = ~self._are_as_before(asked[was_held], learner)
            self.held[asked] = np.where(held, Held.SETTLED, Held.NOT)
            self.frozen[asked[~held]] = at
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

    def have_changed(self, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of whom a rate is another in the second week than at the same hours of the first, by more than chance.

        A change in the first week sets the days before it apart, one in the second those from it on: the first days of
        the week or the last, however many. By odds of a tenth at least, too, on average (Peto's one-step estimate).
        What is chance is seen by the hours, and by what such a change leaves of the days.
        """
        days, variances = self.apart[..., places], self.chance[..., places]
        apart, chance = _firsts_and_lasts(days), _firsts_and_lasts(variances)
        of_days = (days**2 / np.maximum(variances, 1e-300)).sum(axis=1, keepdims=True)
        left = of_days - apart**2 / np.maximum(chance, 1e-300)
        spread = np.maximum(self.dispersion(places, Clock.HOUR)[:, None], left / (_DAYS - 1))
        z = apart / np.sqrt(np.maximum(chance * spread, 1e-300))
        far = 2 * norm.sf(np.abs(z)) < _ALPHA / (apart.shape[0] * apart.shape[1])
        return np.asarray((far & (np.abs(apart) >= _LARGE * chance) & (chance > 0)).any(axis=(0, 1)))

    def _are_as_before(self, places: NDArray[np.int64], learner: Learner) -> NDArray[np.bool_]:
        """Say whose rates are nearly those of the past that it is held against."""
        before, now = learner.past.rates()[:, self.series[places]], self.rates(places)
        return np.asarray((np.abs(_logit(now) - _logit(before)) <= _AS_BEFORE).all(axis=0))

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
        places = np.flatnonzero(which[self.series])
        self._begin_again(places)
        self.held[places] = Held.NOT

    def _begin_again(self, places: NDArray[np.int64]) -> None:
        for name in _KEPT[1:]:
            getattr(self, name)[..., places] = 0
        self._now[:, places] = 0

    # what is kept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything, to be packed."""
        own = {name: getattr(self, name) for name in _KEPT}
        return {**own, "held": self.held, "under_way": self._now, "window": np.array([self._window], np.int64)}

    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave; of a state from before there were several rates, the one."""
        kept = arrays if "hits" in arrays else {**arrays, "hits": arrays["failed"]}
        none = np.zeros((len(self.hits), _DAYS, len(kept["series"])))
        kept = {"apart": none, "chance": none, "held": none[0, 0], **kept}  # nothing of a state from before
        self.held = kept["held"].astype(np.int8)
        for name in _KEPT:
            own = getattr(self, name)
            setattr(self, name, kept[name].reshape(*own.shape[:-1], -1).astype(own.dtype))
        self._now, self._window = arrays["under_way"].copy(), int(arrays["window"][0])
        self._places = np.empty(0, np.int64)
        self._have_room(int(self.series.max(initial=-1)) + 1)
        self._places[self.series] = np.arange(len(self.series))


def _firsts_and_lasts(days: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the sums [J, 13, n] of the first days and of the last, 1 to 7 and 1 to 6 of them, of [J, 7, n]."""
    return np.concatenate([days.cumsum(axis=1), days[:, :0:-1].cumsum(axis=1)], axis=1)


def _logit(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    inner = np.clip(rate, 1e-9, 1 - 1e-9)
    out: NDArray[np.float64] = np.log(inner / (1 - inner))
    return out
