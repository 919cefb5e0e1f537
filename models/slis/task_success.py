"""Share of tasks that succeeded; how an unknown outcome counts was decided by policy (`RUN.task`)."""

from __future__ import annotations

import polars as pl

from models.slis.base import Ratio

TASK_SUCCESS = Ratio(
    "task_success",
    total=(pl.col("task") > 0).cast(pl.Int64),
    good=(pl.col("task") == 1).cast(pl.Int64),
    good_means="the task succeeded",
    waits=True,
)
