"""Seconds from the start to the end of a task."""

from __future__ import annotations

import polars as pl

from models.slis.base import Histogram
from models.slis.effective import NANO

TIME_TO_RESOLUTION = Histogram(
    "time_to_resolution", value=pl.col("ended_at") - pl.col("started_at"), unit="s", scale=NANO
)
