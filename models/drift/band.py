"""Band: e-SR tests of J rates from both sides at once, against a frozen baseline. The core of three detectors.

Each watched rate is bounded from both sides on the baseline; "up" bets on the hits against the upper bound, "down" on
the rest against one less the lower bound. The mean over the 2 J tests and their bets is one e-detector. So: with
probability at least 1 - ALPHA over the baseline, ARL >= c looks, for independent events at rates within the bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift import bounds
from models.drift.esr import ODDS_RATIOS, bet_on_counts, bet_on_mean, shifted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.past import Past

State = dict[str, "NDArray[Any]"]
"""Arrays by name, the streams on the last axis of each."""

CLEAN, BURSTY = 1.2, 5.0
"""Dispersion up to which counts are taken as they are, and from which on only the mean of a look is believed."""
_AT_ONCE = 4096
"""Tests of all streams together up to which they are taken as one row."""
FEWEST_LOOKS = 200
"""Looks of a baseline from which its dispersion is known; with fewer, only the mean of a look is believed."""


def start(past: Past, *, tolerance: float = bounds.TOLERANCE, is_robust: bool | None = None) -> State:
    """Freeze the baseline. `is_robust`: believe the mean of a look only (True), counts as they are (False), or judge.

    Tempering by the dispersion (between CLEAN and BURSTY), and bounds from effective counts, are heuristics without
    proof; the bet on means is exact given its bound.
    """
    alpha = bounds.ALPHA / (2 * len(past.hits))
    found = past.dispersion()
    dispersion = tempering(found, is_robust=is_robust)
    hits, events = past.hits / dispersion, past.events / dispersion
    low, high = bounds.lower(hits, events, alpha), bounds.upper(hits, events, alpha)
    return between(low, high, found, past.looks, tolerance=tolerance, is_robust=is_robust)


def tempering(found: Any, *, is_robust: bool | None = None) -> Any:
    """Give what tempers the tests where this dispersion was found."""
    return np.where((found <= CLEAN) | (is_robust is False), 1.0, found)


def between(low: Any, high: Any, found: Any, looks: Any, *, tolerance: float, is_robust: bool | None = None) -> State:
    """Open tests against rates between `low` and `high`; the dispersion `found`, [J, stream] each, is of `looks`."""
    watched, streams = low.shape
    bursty = (found > BURSTY) | (looks < FEWEST_LOOKS)
    return {
        "m": np.zeros((len(ODDS_RATIOS), 2 * watched, streams)),
        "null": shifted(np.concatenate([high, 1.0 - low]), tolerance),
        "dispersion": tempering(found, is_robust=is_robust),
        "by_mean": bursty if is_robust is None else np.full(bursty.shape, is_robust),
    }


def look(
    state: State, hits: NDArray[np.int64], events: NDArray[np.int64], odds_ratios: NDArray[np.float64] = ODDS_RATIOS
) -> NDArray[np.float64]:
    """Take one look: `hits` [J, stream] of `events` [stream]. Changes `state`; gives M [stream]."""
    return rows(state, hits, events, odds_ratios).mean(axis=0)  # type: ignore[no-any-return]


def rows(
    state: State, hits: NDArray[np.int64], events: NDArray[np.int64], odds_ratios: NDArray[np.float64] = ODDS_RATIOS
) -> Any:
    """As `look`, but gives M of each of the 2 J tests by itself, [2 J, stream]: the explanation."""
    rows_of = np.concatenate([hits, events - hits])
    if rows_of.size <= _AT_ONCE:
        return _as_one_row(state, rows_of, events, odds_ratios)
    found, dispersion, by_mean = np.empty(rows_of.shape), _twice(state["dispersion"]), _twice(state["by_mean"])
    for row, count in enumerate(rows_of):
        test = state["null"][row], dispersion[row], np.flatnonzero(by_mean[row])
        found[row] = _row(state["m"][:, row], count, events, *test, odds_ratios)
    return found


def _as_one_row(state: State, rows_of: Any, events: Any, odds_ratios: Any) -> Any:
    """Take the tests for streams: of few, each call of numpy takes longer than the numbers that it is about."""
    m, flat = state["m"], state["m"].reshape(len(state["m"]), -1)
    every = np.broadcast_to(events, rows_of.shape).reshape(-1)
    dispersion, by_mean = (_twice(state[name]).reshape(-1) for name in ("dispersion", "by_mean"))
    test = state["null"].reshape(-1), dispersion, np.flatnonzero(by_mean)
    found = _row(flat, rows_of.reshape(-1), every, *test, odds_ratios)
    if not np.may_share_memory(flat, m):  # the layout of some that were chosen from others
        m[...] = flat.reshape(m.shape)
    return found.reshape(rows_of.shape)


def _twice(array: Any) -> Any:
    return np.concatenate([array, array])


def _row(m: Any, hits: Any, events: Any, null: Any, dispersion: Any, by_mean: Any, odds_ratios: Any) -> Any:
    if len(by_mean) == len(events):
        return bet_on_mean(m, hits, events, null)
    kept = m[:, by_mean]
    found = bet_on_counts(m, hits, events, null, dispersion, odds_ratios)
    if len(by_mean):
        found[by_mean] = bet_on_mean(kept, hits[by_mean], events[by_mean], null[by_mean])
        m[:, by_mean] = kept
    return found


def restart(state: State, which: Any) -> None:
    """Begin anew for streams `which` (mask or indices), with the same baseline."""
    state["m"][..., which] = 0.0
