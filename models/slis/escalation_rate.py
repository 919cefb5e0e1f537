"""Share of tasks that were not handed to a person."""

from __future__ import annotations

import polars as pl

from models.slis.base import Ratio

ESCALATION_RATE = Ratio(
    "escalation_rate",
    total=pl.lit(1),
    good=1 - pl.col("escalated"),
    good_means="the task was not handed to a person",
)
