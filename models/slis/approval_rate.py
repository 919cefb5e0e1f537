"""Share of the approvals asked of people that were given."""

from __future__ import annotations

import polars as pl

from models.slis.base import Ratio

APPROVAL_RATE = Ratio(
    "approval_rate",
    total=pl.col("approvals"),
    good=pl.col("approved"),
    good_means="the person approved",
)
