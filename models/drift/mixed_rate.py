"""Mixed rate: e-SR of rates against a frozen past that is known by type of task, weighed by what is asked for now.

A new version that is asked for harder things fails more often than the old one did though it does each type as well.
So its null is, look by look, the mean of the old one's rates of the types, weighed by the look's own events of them.
Hits of several types are a sum of binomials of different rates; E[psi ** hits] is at most what it is of as many events
that all have the mean rate, as ln(1 + (psi - 1) q) is concave in q. So the bets on counts against the mean are e-values
(`models.drift.esr`), whatever the mix is and however it moves.
The bounds of the types come with the counts: both ends of an interval of the weighted mean, from those of each type
(Clopper and Pearson) by Zou and Donner's recovery of variances (Statistics in Medicine 27, 2008): half-widths add as
roots of squares, so where the mix is as it was, one of many types is no wider than one of all. Guarantee: as
`frozen_rate`, where that bound of a look holds with 1 - ALPHA; it is approximate with several types, exact with one.
arXiv 2203.03532; detection.md 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift import band
from models.drift.bounds import TOLERANCE
from models.drift.esr import shifted
from models.drift.past import Past

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State

MILLI = 1000
"""Hits that are allowed or expected are told in thousandths: whole numbers add up."""
PARTS = 4
"""Rows of each watched rate: hits, and thousandths of those most allowed, least allowed, and expected."""


@dataclass(frozen=True)
class MixedRate:
    """Streams of (hits J, most J, least J, expected J, events)."""

    watched: int = 1
    tolerance: float = TOLERANCE
    name: str = "mixed_rate"

    @property
    def columns(self) -> tuple[str, ...]:
        """What the rows of counts are."""
        names = ("hits", "most", "least", "expected")
        return (*(f"{name}_{j}" for name in names for j in range(self.watched)), "events")

    def fit(self, past: NDArray[np.int64]) -> State:
        """Open streams on the past of all types together: it tells how bursty they are."""
        return start(Past.of(past[: self.watched], past[-1]))

    def look(self, state: State, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take one look."""
        hits, most, least, _ = counts[:-1].reshape(PARTS, self.watched, -1)
        events = counts[-1]
        some = MILLI * np.maximum(events, 1)
        null = np.clip(np.concatenate([most / some, 1.0 - least / some]), 0.0, 1.0)
        return band.look(state | {"null": shifted(null, self.tolerance)}, hits, events)

    def restart(self, state: State, which: NDArray[np.bool_]) -> None:
        """Begin anew."""
        band.restart(state, which)


def start(past: Past) -> State:
    """Open streams whose old value had this past, of all types together."""
    found = past.dispersion()
    none = np.zeros(found.shape)
    state = band.between(none, none, found, past.looks, tolerance=1.0)
    return {name: state[name] for name in ("m", "dispersion", "by_mean")}


def allowed(events: Any, rates: Any, low: Any, high: Any) -> Any:
    """Give (most, least, expected) hits [3, J] of events [T] at these rates, between their bounds, [J, T] each."""
    expected = _sum(events * rates)
    most = expected + np.sqrt(_sum((events * (high - rates)) ** 2))
    least = expected - np.sqrt(_sum((events * (rates - low)) ** 2))
    return np.stack([most, least, expected])


def _sum(of_types: Any) -> Any:
    """Add up, to the same last digit whatever order the types are in."""
    return np.sort(of_types, axis=-1).sum(axis=-1)
