"""Steps: what a run does, one span at a time: a model call, a tool call, a wait for approval. Compiled.

A step reads and moves the cursor of the run; whatever is random comes from `state`, the run's own draws.
"""
# ruff: noqa: PLR0917, PLR2004 - kernels take what they need one by one; the constants say how agents behave

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from models.digest import mix64
from models.kernels import allocating
from models.simulation.draws import next_spread, next_unit
from models.simulation.rows import Row
from models.simulation.runs import Ending, Line

SECOND = 1_000_000_000


class World(NamedTuple):
    """What a kernel reads and where it writes."""

    rows: Any
    """int64 [Row, capacity]."""
    lines: Any
    prices: Any
    settings: Any
    tools: Any
    outages: Any


# the cursor: int64 [5]
ROWS, CLOCK, PARENT, CONTEXT_TOKENS, CACHED_TOKENS = range(5)

_MONEY_MOST = 9_999_999_999
"""10 USD a model call: what the fixed width of a cost in JSON holds."""
_TOKENS_MOST = 900_000
_TIMEOUT_S = 30.0
_UNIT_OF_CACHE = 128
"""Tokens; providers cache prompts in blocks of this size."""
_TEMPLATE, _CONTEXT, _RESOURCE = int(Row.TEMPLATE), int(Row.CONTEXT), int(Row.RESOURCE)
_TRACE_HI, _TRACE_LO, _SPAN_ID, _PARENT_ID = int(Row.TRACE_HI), int(Row.TRACE_LO), int(Row.SPAN_ID), int(Row.PARENT_ID)
_START, _END, _NUMBER, _COST = int(Row.START), int(Row.END), int(Row.NUMBER), int(Row.COST)
_INPUT, _OUTPUT, _CACHED = int(Row.INPUT), int(Row.OUTPUT), int(Row.CACHED)
_OK, _ERROR, _TIMEOUT, _REJECTED = int(Ending.OK), int(Ending.ERROR), int(Ending.TIMEOUT), int(Ending.REJECTED)
_CHAT, _APPROVED, _REFUSED = int(Line.CHAT), int(Line.APPROVED), int(Line.REJECTED)
_OUTAGE_SALT = np.uint64(0x0071A6E)


@allocating
def nanoseconds(seconds: Any) -> Any:
    """Turn seconds into whole nanoseconds, at least one microsecond."""
    return max(np.int64(seconds * SECOND), np.int64(1000))


@allocating
def id_of(key: Any, number: Any) -> Any:
    """Give the non-zero span id of a run's span."""
    span = np.int64(mix64(key ^ mix64(np.uint64(number) + np.uint64(1))))
    return span if span != 0 else np.int64(1)


@allocating
def emit(world: Any, cursor: Any, run: Any, shape: Any, span: Any, parent: Any, start: Any, end: Any) -> Any:
    """Write a row, without number and tokens; gives its position."""
    at = cursor[ROWS]
    rows = world.rows
    rows[_TEMPLATE, at] = shape
    rows[_CONTEXT, at] = run.user
    rows[_RESOURCE, at] = run.resource
    rows[_TRACE_HI, at] = run.trace_hi
    rows[_TRACE_LO, at] = run.trace_lo
    rows[_SPAN_ID, at] = span
    rows[_PARENT_ID, at] = parent
    rows[_START, at] = start
    rows[_END, at] = end
    rows[_NUMBER, at] = 0
    rows[_INPUT, at] = -1
    rows[_OUTPUT, at] = -1
    rows[_CACHED, at] = -1
    rows[_COST, at] = 0
    cursor[ROWS] = at + 1
    return at


@allocating
def step(world: Any, cursor: Any, run: Any, shape: Any, seconds: Any) -> Any:
    """Write a child span of this duration and move the clock to its end; gives its position."""
    run.spans += 1
    start = cursor[CLOCK]
    cursor[CLOCK] = start + nanoseconds(seconds)
    return emit(world, cursor, run, shape, id_of(run.key, run.spans), cursor[PARENT], start, cursor[CLOCK])


@allocating
def chat(world: Any, cursor: Any, state: Any, run: Any) -> None:
    """Call the model with all that was said so far; what the call before had sent comes from the cache."""
    settings = world.settings[0]
    price, cached_price, output_price, speed = world.prices[run.model]
    prompt: Any = min((settings.prompt_tokens + cursor[CONTEXT_TOKENS]) * run.cost_factor, _TOKENS_MOST)
    prompt = np.int64(prompt)
    drawn = next_spread(state, settings.output_tokens, 0.6)
    output = np.int64(min(drawn * run.cost_factor, _TOKENS_MOST)) + 1
    cached = min(cursor[CACHED_TOKENS], prompt)
    cost = np.int64(min((prompt - cached) * price + cached * cached_price + output * output_price, _MONEY_MOST))
    at = step(world, cursor, run, world.lines[_CHAT + run.model], 0.3 + drawn / speed)
    world.rows[_INPUT, at] = prompt
    world.rows[_OUTPUT, at] = output
    world.rows[_CACHED, at] = cached
    world.rows[_COST, at] = cost
    cursor[CONTEXT_TOKENS] += np.int64(drawn)
    cursor[CACHED_TOKENS] = prompt // _UNIT_OF_CACHE * _UNIT_OF_CACHE
    run.llm_calls += 1
    run.input_tokens += prompt
    run.output_tokens += output
    run.cost += cost


@allocating
def call(world: Any, cursor: Any, state: Any, run: Any, tool: Any, number: Any) -> Any:
    """Call a tool, after approval where it is asked for; gives the Ending."""
    settings = world.tools[tool]
    if next_unit(state) < settings.approval and not _approved(world, cursor, state, run):
        return _REJECTED
    ending = _OK
    if next_unit(state) < settings.errors:
        ending = _TIMEOUT if next_unit(state) < settings.timeouts else _ERROR
    seconds = next_spread(state, settings.seconds, settings.spread)
    ending = _outage(world, cursor, run, tool, ending)
    call_ending(world, cursor, run, tool, number, ending, seconds)
    return ending


@allocating
def call_ending(world: Any, cursor: Any, run: Any, tool: Any, number: Any, ending: Any, seconds: Any) -> None:
    """Write a tool call that ends as told."""
    seconds = _TIMEOUT_S if ending == _TIMEOUT else min(seconds, 0.9 * _TIMEOUT_S)
    at = step(world, cursor, run, world.tools[tool].shape[ending], seconds)
    world.rows[_NUMBER, at] = number
    cursor[CONTEXT_TOKENS] += 120
    run.tool_calls += 1
    run.tool_errors += ending != _OK
    run.tool_timeouts += ending == _TIMEOUT


@allocating
def _approved(world: Any, cursor: Any, state: Any, run: Any) -> Any:
    granted = next_unit(state) < 0.9
    step(world, cursor, run, world.lines[_APPROVED if granted else _REFUSED], next_spread(state, 8.0, 0.8))
    run.approvals += 1
    run.approved += granted
    return granted


@allocating
def _outage(world: Any, cursor: Any, run: Any, tool: Any, ending: Any) -> Any:
    """Let calls fail that begin while their tool is out; the draw is the call's own, so that no other draw moves."""
    now = cursor[CLOCK]
    for i in range(len(world.outages)):
        outage = world.outages[i]
        if outage.tool == tool and outage.start <= now < outage.stop:
            bits = mix64(np.uint64(id_of(run.key, run.spans)) ^ mix64(_OUTAGE_SALT + np.uint64(outage.bit)))
            if np.float64(bits >> np.uint64(11)) * 2.0**-53 < outage.rate:
                run.touched |= np.int64(1) << outage.bit
                ending = outage.ending
    return ending
