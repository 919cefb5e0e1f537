"""Lanes: of each instance what pages and what is a ticket; which of them are worth hearing now.

With ten thousand SLOs an incident book that hears all of them each second does nothing else. It need only hear what
opens, gets worse, ends or has ended not long ago, and now and then what stays open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_WORST_UNKNOWN = 2**62
AGAIN_S = 60
"""What stays open is heard at least so often (spread over the instances), so that it can be told again."""


class Lanes:
    """State by [lane, instance]."""

    def __init__(self) -> None:
        self.open = np.zeros((2, 0), np.bool_)
        self._rule = np.zeros((2, 0), np.int64)
        self._quiet = np.zeros((2, 0), np.bool_)

    def grow(self, n: int) -> None:
        """Make room for n instances."""
        more = ((0, 0), (0, n - self.open.shape[1]))
        self.open, self._rule = np.pad(self.open, more), np.pad(self._rule, more)
        self._quiet = np.pad(self._quiet, more)

    def clear(self, slot: int) -> None:
        """Forget an instance: another one gets its place."""
        self.open[:, slot] = self._quiet[:, slot] = False
        self._rule[:, slot] = 0

    def news(
        self, rule: NDArray[np.int64], on: NDArray[np.bool_], resting: NDArray[np.bool_], now: int
    ) -> Iterator[tuple[int, int]]:
        """Give (lane, instance) of those to hear; `rule` is the first rule that is on, where `on`.

        Of `resting` ones only that they are: they are open, nothing is on, and nothing says that it is over.
        """
        worse = on & self.open & (rule < self._rule)
        again = on & self.open & (np.arange(on.shape[1]) % AGAIN_S == now % AGAIN_S)
        chosen = (on != self.open) & ~(resting & self._quiet) | worse | again | (on & self._quiet)
        self._quiet = self.open & ~on
        self._rule = np.where(on, rule, self._rule)
        yield from zip(*(each.tolist() for each in np.nonzero(chosen)), strict=True)

    def heard(self, lane: int, slot: int, *, is_open: bool) -> None:
        """Note what became of it."""
        self.open[lane, slot] = is_open

    def resume(self, lane: int, slot: int, *, is_open: bool, is_quiet: bool) -> None:
        """Go on where the book is after a restart; whatever is on now is heard, it may have got worse."""
        self.open[lane, slot], self._quiet[lane, slot] = is_open, is_quiet
        self._rule[lane, slot] = _WORST_UNKNOWN
