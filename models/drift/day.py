"""Day: does a baseline of about a day follow the hours, and between which rates did it lie?

One day has no "same hour of another day". What is regular is told from what happened once by its shape: a cycle moves
smoothly, so much of how the hours differ is in two waves, of 24 and of 12 hours; the error is what they leave. The
usual F of a regression by weights. What an outage of an hour or two makes is no wave, as it is in all of them alike,
and is no hour of the cycle either: hours out of line with their neighbours are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.stats import f as law_of_f

from models.drift import bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.past import Past

HOURS = 24
_ALPHA = 1e-3
"""Of so many series without a cycle one is taken to have one: then its null is wider than it need be."""
_ANGLE = 2 * np.pi * np.arange(HOURS) / HOURS
_WAVES = np.stack([np.ones(HOURS), *(wave(k * _ANGLE) for k in (1, 2) for wave in (np.sin, np.cos))], axis=1)
"""[hour, 5]: the mean and two waves."""
_FEWEST_HOURS = 12
"""Hours of the day that have events: five numbers are fitted to them."""
_FEWEST_HITS = 5
"""An hour, of hits and of others, from which a mean square is one (the rule for chi-square)."""
_OUT_OF_LINE = 5.0
"""Standard deviations from the hours around it."""
_AROUND = (-2, -1, 1, 2)
_NORMAL = 1.4826
"""Standard deviation over the median of what is absolute, of a normal law."""


class Day(NamedTuple):
    """What a baseline was by hour of the day (UTC), all days of it together."""

    hits: NDArray[np.int64]
    """[J, 24, stream]"""
    events: NDArray[np.int64]
    """[24, stream]"""

    def rates(self) -> NDArray[np.float64]:
        """Give the rates [J, 24, stream]; 0 without events."""
        rates: NDArray[np.float64] = self.hits / np.maximum(self.events, 1)
        return rates

    def dispersion(self, past: Past) -> NDArray[np.float64]:
        """Give [J, stream] by how much the looks of `past` vary more than independent events, beside the hours.

        What left hours out was no burst: there it is at most what the others vary by around the waves.
        """
        mean = self.hits.sum(axis=1) / np.maximum(self.events.sum(axis=0), 1)
        left = past.squares - (self.hits.astype(float) ** 2 / np.maximum(self.events, 1)).sum(axis=1)
        freedom = np.maximum(past.looks - (self.events > 0).sum(axis=0), 1)
        within = left / freedom
        weight = self._weight()
        asked = (((weight == 0) & (self.events > 0)).any(axis=1)) & ((weight > 0).sum(axis=1) >= _FEWEST_HOURS)
        _, around, free = self._squares(weight, asked)
        within[asked] = np.minimum(within[asked], around / free)
        usual = mean * (1 - mean)
        return np.where(usual > 0, np.maximum(within / np.maximum(usual, 1e-12), 1.0), 1.0)

    def follows(self) -> NDArray[np.bool_]:
        """Say of which streams a rate follows the hours by more than chance."""
        weight = self._weight()
        there = (weight > 0).sum(axis=1)
        least = np.minimum(self.hits.sum(axis=1), (self.events - self.hits).sum(axis=1))
        asked = (there >= _FEWEST_HOURS) & (least >= _FEWEST_HITS * there)
        around, left, freedom = self._squares(weight, asked)
        waves = _WAVES.shape[1] - 1
        ratio = (around - left) / waves / np.maximum(left / freedom, 1e-300)
        found = np.zeros(asked.shape, np.bool_)
        found[asked] = (law_of_f.sf(ratio, waves, freedom) < _ALPHA / len(self.hits)) & (left > 0)
        return np.asarray(found.any(axis=0))

    def _weight(self) -> NDArray[np.int64]:
        """Give the events of the hours that are in line, [J, 24, stream]; 0 of others."""
        return np.where(self.in_line(), self.events, 0)

    def _squares(self, weight: NDArray[np.int64], asked: NDArray[np.bool_]) -> tuple[Any, Any, Any]:
        """Give the squares of hours around their mean, what the waves leave of them, and its degrees of freedom."""
        rates, of = np.moveaxis(self.rates(), 1, -1)[asked], np.moveaxis(weight, 1, -1)[asked]
        return *_squares(rates, of), (of > 0).sum(axis=1) - _WAVES.shape[1]

    def in_line(self) -> NDArray[np.bool_]:
        """Say which hours [J, 24, stream] are as those around them are, or nearly."""
        rates = self.rates()
        rates = np.where(self.events > 0, rates, np.nan)
        around = np.sort(np.stack([np.roll(rates, step, axis=1) for step in _AROUND]), axis=0)  # nan last
        known = np.isfinite(around).sum(axis=0)
        lower, upper = (np.take_along_axis(around, each[None], axis=0)[0] for each in ((known - 1) // 2, known // 2))
        off = np.where(known > 0, np.abs(rates - (lower + upper) / 2), 0.0)
        mean = (self.hits.sum(axis=1) / np.maximum(self.events.sum(axis=0), 1))[:, None]
        chance = np.sqrt(mean * (1 - mean) / np.maximum(self.events, 1))
        usual = _NORMAL * _median(off)
        found: NDArray[np.bool_] = ~(off > _OUT_OF_LINE * np.maximum(usual, chance))
        return found

    def bounds(self, dispersion: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give (lowest, highest) [J, stream]: bounds of the rate of the hours around any hour, ALPHA shared by all.

        The five hours around each are taken together: alone they would be bound twice as loosely, and a wave of a day
        is by no more than a fifteenth lower there than at its top, one of twelve hours by a quarter. `dispersion`
        [J, stream] as of `Past`.
        """
        kept, alpha = self.in_line(), bounds.ALPHA / (2 * len(self.hits) * HOURS)
        hits, events = (_together(np.where(kept, each, 0)) / dispersion[:, None] for each in (self.hits, self.events))
        low = np.where(events > 0, bounds.lower(hits, events, alpha), 1.0)
        high = np.where(events > 0, bounds.upper(hits, events, alpha), 0.0)
        return low.min(axis=1), high.max(axis=1)


def _together(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add up each hour and those around it, [J, 24, stream]."""
    return counts + sum(np.roll(counts, step, axis=1) for step in _AROUND)


def _median(off: NDArray[np.float64]) -> Any:
    """Give the median of the hours that there are, [J, 1, stream]; 0 where there are none."""
    known = np.isfinite(off).sum(axis=1, keepdims=True)
    middle = np.take_along_axis(np.sort(off, axis=1), np.maximum(known - 1, 0) // 2, axis=1)
    return np.where(known > 0, middle, 0.0)


def _squares(rates: NDArray[np.float64], weight: NDArray[np.int64]) -> tuple[Any, Any]:
    """Give the squares of `rates` [k, 24] around their mean, and what the waves leave of them."""
    mean = (rates * weight).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
    normal = np.einsum("kh,hp,hq->kpq", weight.astype(float), _WAVES, _WAVES)
    waves = np.linalg.solve(normal, np.einsum("kh,hp->kp", weight * (rates - mean), _WAVES)[..., None])[..., 0]
    left = (weight * (rates - mean - waves @ _WAVES.T) ** 2).sum(axis=1)
    return (weight * (rates - mean) ** 2).sum(axis=1), left
