"""Past: what a baseline has to be known of, as sums that add up: events, looks, hits, and how the looks differ.

A baseline is frozen, never sliding: one that adapts takes a slow decline in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Z = 3.1
_SHARE = 4.0
"""The margin of the bound, _Z standard errors, may be a quarter of the shift that is to be found."""


class Past(NamedTuple):
    """Sums over the looks with events; streams on the last axis, J watched things (hits) on the first."""

    events: NDArray[np.float64]
    """[stream]"""
    looks: NDArray[np.float64]
    """[stream]"""
    hits: NDArray[np.float64]
    """[J, stream]"""
    squares: NDArray[np.float64]
    """[J, stream]: hits**2 / events, added up over the looks."""

    @staticmethod
    def none(watched: int, streams: int) -> Past:
        """Give no past."""
        return Past(*np.zeros((2, streams)), *np.zeros((2, watched, streams)))

    @staticmethod
    def of(hits: Any, events: Any) -> Past:
        """Give the past of `hits` [J, stream, look] of `events` [stream, look]."""
        some = np.maximum(events, 1)
        return Past(
            events.sum(-1).astype(float),
            (events > 0).sum(-1).astype(float),
            hits.sum(-1).astype(float),
            (hits.astype(float) ** 2 / some).sum(-1),
        )

    def with_look(self, hits: Any, events: Any) -> Past:
        """Give the past with one more look: `hits` [J, stream] of `events` [stream]."""
        return Past(*(one + other for one, other in zip(self, Past.of(hits[..., None], events[:, None]), strict=True)))

    def rates(self) -> NDArray[np.float64]:
        """Give the rates [J, stream]; 0 without events."""
        rates: NDArray[np.float64] = self.hits / np.maximum(self.events, 1)
        return rates

    def dispersion(self) -> NDArray[np.float64]:
        """Give by how much the rates of looks vary more than independent events would, [J, stream], at least 1.

        Pearson's chi-square of the looks over their number: 1 + (n - 1) rho for looks of n events with correlation rho.
        """
        q = self.rates()
        spread = self.squares - 2 * q * self.hits + q**2 * self.events
        usual = np.maximum(self.looks * q * (1 - q), 1e-12)
        return np.where(q * (1 - q) > 0, np.maximum(spread / usual, 1.0), 1.0)


def events_needed(rate: Any, shift: float, dispersion: Any = 1.0) -> Any:
    """Give how many events a baseline needs so that a shift of the rate by `shift` (absolute) is found.

    n >= 16 z**2 q (1 - q) / shift**2, times the dispersion. A smaller one makes no false alarms: the margin eats the
    shift.
    """
    return _SHARE**2 * _Z**2 * rate * (1 - rate) / shift**2 * dispersion
