"""The usual detectors, to be compared with: first alarm of each stream after `start`, 0 where there is none.

None of them has a dial in false alarms a year. ADWIN and Page-Hinkley are River's, at their defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from river import drift
from scipy.stats import chi2

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WINDOW = 10
"""Minutes that are looked at together."""


def first(flags: NDArray[np.bool_], start: int) -> NDArray[np.int64]:
    """Give the first minute (from 1) over `start` that is flagged; flags [stream, minute]."""
    late = flags[:, start:]
    return np.where(late.any(axis=1), late.argmax(axis=1) + start + 1, 0)


def windowed_z(failed: Any, events: int, start: int, z: float = 3.0) -> Any:
    """Tell the rate of ten minutes more than z standard errors over the rate up to `start`."""
    q = failed[:, :start].mean(axis=1, keepdims=True) / events
    rates = sliding_window_view(failed, WINDOW, axis=1).mean(axis=-1) / events
    flags = np.pad((rates - q) / np.sqrt(q * (1 - q) / (events * WINDOW)) > z, ((0, 0), (WINDOW - 1, 0)))
    return first(flags, start)


def psi(mix: Any, start: int, limit: float = 0.2) -> Any:
    """Tell a population stability index of ten minutes over the limit; `mix` [stream, minute, category]."""
    p = mix[:, :start].sum(axis=1, keepdims=True) + 0.5
    q = sliding_window_view(mix, WINDOW, axis=1).sum(axis=-1) + 0.5
    p, q = p / p.sum(axis=2, keepdims=True), q / q.sum(axis=2, keepdims=True)
    flags = ((q - p) * np.log(q / p)).sum(axis=2) > limit
    return first(np.pad(flags, ((0, 0), (WINDOW - 1, 0))), start)


def chi_square(mix: Any, start: int, level: float = 1e-4) -> Any:
    """Tell a chi-square test of ten minutes against the mix up to `start`."""
    p = mix[:, :start].sum(axis=1, keepdims=True)
    p = p / p.sum(axis=2, keepdims=True)
    seen = sliding_window_view(mix, WINDOW, axis=1).sum(axis=-1)
    expected = p * seen.sum(axis=2, keepdims=True)
    flags = chi2.sf(((seen - expected) ** 2 / expected).sum(axis=2), mix.shape[2] - 1) < level
    return first(np.pad(flags, ((0, 0), (WINDOW - 1, 0))), start)


def adwin(failed: Any, events: int, start: int) -> Any:
    """River's ADWIN, event by event."""
    return _river(failed, events, start, drift.ADWIN)


def page_hinkley(failed: Any, events: int, start: int) -> Any:
    """River's Page-Hinkley, upwards."""
    return _river(failed, events, start, lambda: drift.PageHinkley(mode="up"))


def _river(failed: Any, events: int, start: int, make: Callable[[], Any]) -> Any:
    chance, found = np.random.default_rng(0), np.zeros(len(failed), np.int64)
    for stream, minutes in enumerate(failed.tolist()):
        detector = make()
        for minute, bad in enumerate(minutes, 1):
            order = chance.permutation(events) < bad
            alarmed = False
            for event in order.tolist():
                detector.update(int(event))
                alarmed |= detector.drift_detected
            if alarmed and minute > start:
                found[stream] = minute
                break
    return found
