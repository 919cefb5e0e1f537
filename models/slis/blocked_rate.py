"""Share of guard decisions that let the agent go on."""

from __future__ import annotations

import polars as pl

from models.slis.base import Ratio

BLOCKED_RATE = Ratio(
    "blocked_rate",
    total=pl.col("guarded"),
    good=pl.col("guarded") - pl.col("blocked"),
    good_means="the guard did not block",
)
