"""A run that thinks and thinks and does nothing: many more LLM calls than tool calls."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from models.runaways.base import Count, Ladder, Rule, Suspects
from models.runs.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.runaways.base import OpenRun


def _counts(run: OpenRun) -> Iterator[Count]:
    """Count LLM calls less tool calls so far; each tool call is asked for by one LLM call."""
    ends = [call.at_ns for call in run.calls]
    return (Count(point.at_ns, point.llm_calls - bisect_right(ends, point.at_ns)) for point in run.growth)


RATE_REPLAN = Rule(
    "rate.replan",
    Ladder(warn=40),
    Suspects((Pulse.LLM_CALLS,), less=Pulse.TOOL_SPANS),
    _counts,
    "{count:full} LLM calls more than tool calls",
)
