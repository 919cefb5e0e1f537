"""Envelope: the band of a rate that follows the hours: between those of the lowest and of the highest of its hours.

Held against its mean it would alarm without a change. Guarantee: as `band`, for a rate that stays within what any five
hours in a row of its baseline's day were: a bet on more, against a rate, is one against every lower rate too, so all of
these are no change. Not covered: the single hour at the top of a wave of twelve hours, or beside the hours left out as
out of line; for the former the tolerance and the bounds are enough but for large waves of much traffic. The price: at a
low hour a change is told only once it is beyond the highest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.drift import band, bounds
from models.drift.past import Past

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.band import State
    from models.drift.day import Day


def start(past: Past, day: Day, follows: NDArray[np.bool_], *, tolerance: float = bounds.TOLERANCE) -> State:
    """Freeze the baseline: as `band.start`, but for the streams [stream] that follow the hours of `day`.

    There dispersion is what is left beside the hours.
    """
    state = band.start(past, tolerance=tolerance)
    if follows.any():
        own, hours = Past(*(each[..., follows] for each in past)), type(day)(*(each[..., follows] for each in day))
        found = hours.dispersion(own)
        low, high = hours.bounds(band.tempering(found))
        wide = band.between(low, high, found, own.looks, tolerance=tolerance)
        wide["null"] = np.maximum(wide["null"], state["null"][..., follows])  # never narrower than that of the mean
        for name, array in wide.items():
            state[name][..., follows] = array
    return state
