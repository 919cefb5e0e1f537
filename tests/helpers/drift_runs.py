"""Runs a drift detector over counts, as a bank does: alarm at the threshold, then anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.detector import Detector

YEAR = 525_600


def alarms_of(
    detector: Detector, past: NDArray[np.int64], counts: NDArray[np.int64], threshold: float = YEAR
) -> list[list[int]]:
    """Give the looks (from 1) of all alarms by stream; `past`, `counts` are [column, stream, look]."""
    state = detector.fit(past)
    found: list[list[int]] = [[] for _ in range(counts.shape[1])]
    for look in range(counts.shape[2]):
        over = detector.look(state, counts[:, :, look]) >= threshold
        for stream in np.flatnonzero(over).tolist():
            found[stream].append(look + 1)
        if over.any():
            detector.restart(state, over)
    return found
