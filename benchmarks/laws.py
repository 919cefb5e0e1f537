"""Laws: whole numbers drawn from one distribution, many at a time. A minute's failures are one draw, not one an event.

Walker's alias method (Electronics Letters 10, 1974): exact to the 53 bits of a uniform draw, and the same time for a
law of bursts, for which numpy would draw two gammas and a binomial with a rate of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import betabinom, binom

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Law:
    """A distribution over 0 .. len(chances) - 1."""

    def __init__(self, chances: NDArray[np.float64]) -> None:
        scaled = chances / chances.sum() * len(chances)
        self._kept, self._alias = np.ones(len(scaled)), np.arange(len(scaled))
        short = [place for place, height in enumerate(scaled.tolist()) if height < 1]
        tall = [place for place, height in enumerate(scaled.tolist()) if height >= 1]
        while short and tall:
            low, high = short.pop(), tall.pop()
            self._kept[low], self._alias[low] = scaled[low], high
            scaled[high] -= 1 - scaled[low]
            (short if scaled[high] < 1 else tall).append(high)

    def draw(self, chance: np.random.Generator, many: int) -> NDArray[np.int64]:
        """Draw so many, independently."""
        place = chance.random(many) * len(self._kept)
        column = place.astype(np.int64)
        return np.where(place - column < self._kept[column], column, self._alias[column])


def failures_of(events: int, rate: float, rho: float = 0.0) -> Law:
    """Give the law of the failures among `events`; `rho`: correlation between them (beta-binomial), 0 independent."""
    hits = np.arange(events + 1)
    if not rho:
        return Law(binom.pmf(hits, events, rate))
    size = 1 / rho - 1
    return Law(betabinom.pmf(hits, events, rate * size, (1 - rate) * size))
