"""Share of tool calls that did not time out."""

from __future__ import annotations

import polars as pl

from models.slis.base import Ratio

TOOL_TIMEOUT = Ratio(
    "tool_timeout",
    total=pl.col("calls"),
    good=pl.col("calls") - pl.col("timeouts"),
    good_means="the call did not time out",
    per="call",
)
