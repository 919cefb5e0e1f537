"""Caps: no run goes on for ever, whatever it does. Warn at three quarters, stop at the whole."""

from __future__ import annotations

from heapq import merge
from typing import TYPE_CHECKING

from models.runaways.base import NANO, Count, Rule, Suspects, cap
from models.runs.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.runaways.base import OpenRun


def _llm_calls(run: OpenRun) -> Iterator[Count]:
    return (Count(point.at_ns, point.llm_calls) for point in run.growth)


def _tool_calls(run: OpenRun) -> Iterator[Count]:
    yield from (Count(call.at_ns, number) for number, call in enumerate(run.calls, 1))
    if run.calls_beyond:
        yield Count(run.growth[-1].at_ns, len(run.calls) + run.calls_beyond)


def steps_along(run: OpenRun) -> Iterator[Count]:
    """Count LLM calls and tool calls together; tool calls from before this batch are there already."""
    tools = llm = 0
    points = ((point.at_ns, 1, point.llm_calls) for point in run.growth)
    calls = ((count.at_ns, 0, int(count.number)) for count in _tool_calls(run))
    for at_ns, is_llm, number in merge(calls, points):
        llm, tools = (number, tools) if is_llm else (llm, number)
        if llm or at_ns >= run.growth[0].at_ns:
            yield Count(at_ns, llm + tools)


def _tokens(run: OpenRun) -> Iterator[Count]:
    return (Count(point.at_ns, point.tokens) for point in run.growth)


def _cost(run: OpenRun) -> Iterator[Count]:
    return (Count(point.at_ns, point.cost / NANO) for point in run.growth)


def _wall(run: OpenRun) -> Iterator[Count]:
    """Count seconds since the start; looked at when something ends, for a run that does nothing sends nothing."""
    return (Count(point.at_ns, (point.at_ns - run.began_ns) / NANO) for point in run.growth)


CAP_STEPS = Rule(
    "cap.steps",
    cap(150),
    Suspects((Pulse.LLM_CALLS, Pulse.TOOL_SPANS)),
    steps_along,
    "{count:full} steps, the limit is {limit:full}",
)
CAP_LLM_CALLS = Rule(
    "cap.llm_calls",
    cap(50),
    Suspects((Pulse.LLM_CALLS,)),
    _llm_calls,
    "{count:full} LLM calls, the limit is {limit:full}",
    mode="enforce",
)
CAP_TOOL_CALLS = Rule(
    "cap.tool_calls",
    cap(100),
    Suspects((Pulse.TOOL_SPANS,)),
    _tool_calls,
    "{count:full} tool calls, the limit is {limit:full}",
    mode="enforce",
)
CAP_TOKENS = Rule(
    "cap.tokens",
    cap(5_000_000),
    Suspects((Pulse.TOKENS,)),
    _tokens,
    "{count:full} tokens, the limit is {limit:full}",
)
CAP_COST = Rule(
    "cap.cost",
    cap(20),
    Suspects((Pulse.COST,)),
    _cost,
    "{count:usd} USD, the limit is {limit:usd} USD",
    unit=NANO,
)
CAP_WALL = Rule(
    "cap.wall",
    cap(4 * 3600),
    Suspects((Pulse.LAST,), less=Pulse.BEGAN),
    _wall,
    "{count:.0f} s since its start, the limit is {limit:.0f} s",
    unit=NANO,
)
