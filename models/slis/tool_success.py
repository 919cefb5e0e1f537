"""Share of tool calls that returned without an error (a timeout is an error too)."""

from __future__ import annotations

import polars as pl

from models.slis.base import Ratio

TOOL_SUCCESS = Ratio(
    "tool_success",
    total=pl.col("calls"),
    good=pl.col("calls") - pl.col("errors"),
    good_means="the call did not fail",
    per="call",
)
