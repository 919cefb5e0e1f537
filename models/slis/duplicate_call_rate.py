"""Share of tool calls that did not repeat an earlier call of the run (same tool, same known arguments)."""

from __future__ import annotations

import polars as pl

from models.slis.base import Ratio

DUPLICATE_CALL_RATE = Ratio(
    "duplicate_call_rate",
    total=pl.col("tool_calls"),
    good=pl.col("tool_calls") - pl.col("duplicate_calls"),
    good_means="the call did not repeat an earlier one",
)
