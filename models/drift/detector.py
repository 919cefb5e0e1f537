"""Detector: what every drift detector is. Counts of a look in, evidence M out; its state is arrays over all streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.drift.band import State

LOOKS_A_YEAR = {60: 525_600, 3600: 8_760}
"""Looks of a year, by the seconds between two: the run length that a stream is given, one false alarm a year."""


class Detector(Protocol):
    """One kind of test, made for all its streams at once.

    `counts` are whole numbers [column, stream] that add up: what several workers counted of one look is added first, so
    any number of workers gives the same. A look without events counts as one. State: arrays, streams on the last axis;
    a picture of it is a copy of them.
    """

    @property
    def name(self) -> str:
        """What records call it."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """What the rows of `counts` are."""
        ...

    def fit(self, past: NDArray[np.int64]) -> State:
        """Open streams on their past, [column, stream, look]; those that need none leave it alone."""
        ...

    def look(self, state: State, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take one look: changes `state`, gives M [stream]. An alarm is M >= c, the run length wanted, in looks."""
        ...

    def restart(self, state: State, which: NDArray[np.bool_]) -> None:
        """Begin anew for some streams, as after an alarm that is over."""
        ...
