"""Looks of very many events: any detector says as much as it can, without overflow."""

from __future__ import annotations

import numpy as np
import pytest

from models.drift.cohort_exceedance import CohortExceedance
from models.drift.cohorts import Cohorts
from models.drift.esr import CEILING

MANY = 100_000


@pytest.mark.parametrize("detector", [Cohorts(), CohortExceedance()], ids=["rates", "values"])
def test_a_burst_in_which_one_cohort_fails(detector: Cohorts | CohortExceedance) -> None:
    """Half of B's hundred thousand against none of A's: as sure as can be, and no warning (those are errors here)."""
    state = detector.fit(np.zeros((len(detector.columns), 1, 0), np.int64))
    kinds = len(detector.columns) // 2 - 1
    counts = np.array([*[0] * kinds, MANY, *[MANY // 2] * kinds, MANY])[:, None]
    for _ in range(3):
        found = detector.look(state, counts)
    assert CEILING / 100 < found[0] <= CEILING
