"""What a task costs in USD, over the tasks of which every LLM call is priced: a partial cost would look cheap."""

from __future__ import annotations

import polars as pl

from models.slis.base import Histogram
from models.slis.effective import NANO, effective_cost

COST_PER_TASK = Histogram(
    "cost_per_task", value=effective_cost(), unit="USD", where=pl.col("unpriced") == 0, scale=NANO
)
