"""How long agents take the way: steps, LLM calls and tool calls per task; good is within the cap."""

from __future__ import annotations

import polars as pl

from models.slis.base import Histogram

TRAJECTORY_LENGTH = Histogram(
    "trajectory_length", value=pl.col("llm_calls") + pl.col("tool_calls"), unit="steps", cap=150, whole=True
)
TRAJECTORY_LENGTH_LLM_CALLS = Histogram(
    "trajectory_length_llm_calls", value=pl.col("llm_calls"), unit="calls", cap=50, whole=True
)
TRAJECTORY_LENGTH_TOOL_CALLS = Histogram(
    "trajectory_length_tool_calls", value=pl.col("tool_calls"), unit="calls", cap=100, whole=True
)
