"""Tokens and cost of a run, as Polars expressions over RUN rows: those of its LLM spans or, without any, of its agent.

The run record and the SLIs both use these, so that they never tell different things.
"""

from __future__ import annotations

import polars as pl

from models.spans.columns import UNKNOWN

NANO = 1_000_000_000


def _either(of_llm_spans: pl.Expr, of_agent_span: pl.Expr) -> pl.Expr:
    return pl.when(pl.col("llm_calls") > 0).then(of_llm_spans).otherwise(of_agent_span)


def effective_input_tokens() -> pl.Expr:
    """Input tokens (cached ones included); 0 when nobody said."""
    return _either(pl.col("input_tokens"), pl.col("agent_input_tokens").clip(lower_bound=0))


def effective_output_tokens() -> pl.Expr:
    """Output tokens; 0 when nobody said."""
    return _either(pl.col("output_tokens"), pl.col("agent_output_tokens").clip(lower_bound=0))


def effective_cost() -> pl.Expr:
    """Nano-USD of what is priced (a lower bound when `unpriced` > 0); null, not 0, when nothing is priced.

    Without LLM spans, or bills of their calls, the agent span's cost counts.
    """
    # without LLM spans only a bill is `reported`, and `computed` is said of the agent span
    by_spans = (pl.col("reported") > 0) | ((pl.col("llm_calls") > 0) & (pl.col("computed") > 0))
    by_agent = (pl.col("llm_calls") == 0) & (pl.col("agent_cost") != UNKNOWN)
    return pl.when(by_spans).then("cost").when(by_agent).then("agent_cost")
