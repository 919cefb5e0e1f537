"""What an alarm says to the one who is paged: amounts have their unit, effects their interval."""

from __future__ import annotations

import numpy as np

from models.drift.watches.base import Contrast
from models.drift.watches.words import cohort_effect, cohort_values_effect, values_effect
from models.slis.bins import bin_of

OVER = np.array([bin_of(0.0825)])
COUNTS = np.array([5, 100, 20, 100])


def test_values_have_a_unit_and_an_interval() -> None:
    """Of cost per task: 20 of 100 over the threshold, 5 % before."""
    state = {"m": np.array([[[9.0]], [[1.0]]]).reshape(1, 2, 1)}
    before = {"rates": np.array([0.05]), "events": 1000}
    words = values_effect(Contrast("time", "baseline", "now"), "cost_per_task", OVER, state, COUNTS[2:], before).words
    assert words.startswith("the share over 0.08")
    assert " USD rose from 5.0% to 20.0% [" in words


def test_a_cohort_has_an_odds_ratio_with_its_interval() -> None:
    """Of rates and of values."""
    contrast = Contrast("tier", "the rest", "free")
    state = {"m": np.array([[9.0], [1.0]]), "low": np.ones(1), "high": np.ones(1)}
    rates = cohort_effect(contrast, state, COUNTS).words
    assert rates.startswith("20.0% bad against 5.0% of the rest, odds ratio 4.7 [")
    values = cohort_values_effect(contrast, "time_to_resolution", OVER, {"m": np.array([[[9.0]], [[1.0]]])}, COUNTS)
    assert " s against 5.0% of the rest, odds ratio 4.7 [" in values.words
