"""Share of tool calls that a guard decided: what is missing ran where no guard was asked, or the guard was silent.

Counted by run, from the guard spans that name a tool: which call a decision was for is not told by every framework, so
a run with more decisions than calls (one of a call that was never made) counts as covered.
"""

from __future__ import annotations

import polars as pl

from models.slis.base import Ratio

GUARD_COVERAGE = Ratio(
    "guard_coverage",
    total=pl.col("tool_calls"),
    good=pl.min_horizontal("tool_calls", "guarded_calls"),
    good_means="a guard decided the call",
)
