"""The clock of hours bets on smaller changes than that of minutes, and promises as much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom

from models.drift.esr import ODDS_RATIOS, SLOW_ODDS_RATIOS, bet_on_counts
from models.drift.frozen_rate import FrozenRate
from models.drift.watches import WATCHES
from tests.helpers.drift_runs import alarms_of

if TYPE_CHECKING:
    from types import SimpleNamespace

_HOURS = 8_760
_FLAT = 14 * 24


def test_a_look_is_an_e_value() -> None:
    """By exact summation over all outcomes: of expectation 1 at the null, for each bet."""
    events, null = 40, 0.1
    hits = np.arange(events + 1)
    m = np.zeros((len(SLOW_ODDS_RATIOS), len(hits)))  # (0 + 1) L
    bet_on_counts(m, hits, np.full_like(hits, events), np.full(len(hits), null), np.ones(len(hits)), SLOW_ODDS_RATIOS)
    assert np.allclose(m @ binom.pmf(hits, events, null), 1.0, rtol=1e-12)


def test_a_slow_decline_is_told_earlier(lab: SimpleNamespace) -> None:
    """Success falling 5 % a month at 200 tasks an hour: within ten days, and before the bets of minutes tell it."""
    failed = lab.scenarios.slow_decline(200, 200, decline_days=30)
    counts = np.stack([failed, np.full_like(failed, 200)])
    days = {}
    for is_slow in (True, False):
        detector = FrozenRate(tolerance=1.0, is_slow=is_slow)
        found = alarms_of(detector, counts[:, :, :_FLAT], counts[:, :, _FLAT:], _HOURS)
        days[is_slow] = np.median([each[0] / 24 if each else np.inf for each in found])
    assert days[True] <= 10.0
    assert days[True] < days[False]


def test_watches_of_hours_bet_so() -> None:
    """Those of minutes do as detection.md says."""
    slow = {watch.name for watch in WATCHES if getattr(watch.detector, "is_slow", False)}
    assert slow == {watch.name for watch in WATCHES if watch.minutes == 60}
    assert len(ODDS_RATIOS) == len(SLOW_ODDS_RATIOS)  # what is kept of a stream has one shape
