"""Drift: detectors with a proven run length between false alarms. One detector a file, one line here.

A detector that is added must pass tests/models/drift/test_contract.py, which runs over `ALL`.
"""

from __future__ import annotations

from models.drift.categories import Categories
from models.drift.cohort_exceedance import CohortExceedance
from models.drift.cohorts import Cohorts
from models.drift.cohorts_by_task import CohortsByTask
from models.drift.exceedance import Exceedance
from models.drift.frozen_rate import FrozenRate
from models.drift.hour_of_week import HourOfWeek, HourOfWeekValues
from models.drift.known_rate import KnownRate
from models.drift.minute_mean import MinuteMean
from models.drift.mixed_rate import MixedRate
from models.drift.split import Split

ALL = (
    KnownRate(objective=0.05),
    FrozenRate(),
    MinuteMean(),
    HourOfWeek(),
    HourOfWeekValues(),
    Exceedance(),
    Categories(),
    Cohorts(),
    CohortExceedance(),
    CohortsByTask(),
    MixedRate(),
    Split(),
)
"""One of each, as the contract suite takes them."""
