"""Tool calls of a run, from its tool spans. One call may show as three nested ones (agent, MCP client, server).

A tool span inside another one of the same call, with no run or LLM span between, belongs to it. The call has tool and
minute of the outermost span; it failed or timed out if any of its spans did.
"""
# ruff: noqa: PLR0913, PLR0917 - compiled kernels over flat arrays

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from models.digest import mix64
from models.runs.arena import find
from models.runs.changes import CALL
from models.runs.state import (
    FLAG_ERROR,
    FLAG_ESCALATION,
    FLAG_TIMEOUT,
    MAX_DEPTH,
    MAX_TOOLS,
    SEEN_WORDS,
    TALLY_WORDS,
    TOOL_WORDS,
)

_SLOTS = 4 * MAX_TOOLS
_SHIFT = np.uint64(23)
_MERGE = 16
"""How many of the last rows are looked through to add a call to the row of its tool and minute."""

CALL_FIELDS = tuple(CALL.names or ())


@njit(cache=True, inline="always")
def call_key(tool: Any, arguments: Any) -> Any:
    """Digest a tool and its arguments, never 0."""
    key = np.int64(mix64(np.uint64(arguments) ^ (mix64(tool) >> _SHIFT)))
    return key if key != 0 else 1


@njit(cache=True)
def _same_call(arena: Any, a: Any, b: Any) -> Any:
    """Compare two tool spans: by call id where both have one, else by tool name; absent is never equal."""
    if arena[a + 2] != 0 and arena[b + 2] != 0:
        return arena[a + 2] == arena[b + 2]
    return arena[a + 1] != 0 and arena[a + 1] == arena[b + 1]


@njit(cache=True)
def _place(table: Any, key: Any) -> Any:
    mask = table.shape[0] - 1
    place = np.int64(mix64(key)) & mask
    while table[place, 0] != 0 and table[place, 0] != key:
        place = (place + 1) & mask
    return place


@njit(cache=True)
def _outer(arena: Any, s: Any, k: Any, by_id: Any) -> Any:
    """Give the nearest ancestor of tool span k that is the same call, or -1."""
    me = s.tools_at + TOOL_WORDS * k
    span = arena[me]
    for _ in range(MAX_DEPTH):
        at = find(arena, s.seen_at, s.seen_n, s.seen_room, s.seen_index, span)
        if at < 0:
            return -1
        span = arena[s.seen_at + SEEN_WORDS * at + 1]
        if span == 0:
            return -1
        place = _place(by_id, span)
        if by_id[place, 0] != 0:
            other = by_id[place, 1]
            if other == k:
                return -1
            if _same_call(arena, me, s.tools_at + TOOL_WORDS * other):
                return other
    return -1


@njit(cache=True)
def collapse(arena: Any, s: Any, outer: Any, flags: Any) -> Any:
    """Fill `outer[k]` (same call, one level out; -1: outermost) and `flags[k]` (outermost: of the whole call)."""
    n = min(s.tools_n, MAX_TOOLS)
    size = 16
    while size < 2 * n:
        size *= 2
    by_id = np.zeros((size, 2), np.int64)
    for k in range(n):
        at = s.tools_at + TOOL_WORDS * k
        place = _place(by_id, arena[at])
        by_id[place, 0] = arena[at]
        by_id[place, 1] = k
        flags[k] = arena[at + 5] & 0xFF
    for k in range(n):
        outer[k] = _outer(arena, s, k, by_id)
    for k in range(n):
        top = k
        for _ in range(n):
            if outer[top] < 0:
                break
            top = outer[top]
        flags[top] |= flags[k]
    return n


@njit(cache=True)
def derive_calls(arena: Any, s: Any) -> None:
    """Set tool_calls, tool_errors, tool_timeouts, duplicate_calls and handoffs of a run."""
    outer = np.empty(MAX_TOOLS, np.int64)
    flags = np.empty(MAX_TOOLS, np.int64)
    n = collapse(arena, s, outer, flags)
    size = 16
    while size < 2 * n:
        size *= 2
    distinct = np.zeros((size, 2), np.int64)
    calls = errors = timeouts = escalations = known = different = 0
    for k in range(n):
        if outer[k] >= 0:
            continue
        calls += 1
        errors += flags[k] & FLAG_ERROR != 0
        timeouts += flags[k] & FLAG_TIMEOUT != 0
        escalations += flags[k] & FLAG_ESCALATION != 0
        at = s.tools_at + TOOL_WORDS * k
        if arena[at + 3] == 0:
            continue
        known += 1
        key = call_key(arena[at + 1], arena[at + 3])
        place = _place(distinct, key)
        if distinct[place, 0] == 0:
            distinct[place, 0] = key
            made = s.made_n > 0 and find(arena, s.made_at, s.made_n, s.made_room, s.made_index, key) >= 0
            different += not made
    for k in range(s.tally_n):
        at = s.tally_at + TALLY_WORDS * k
        calls += arena[at + 2]
        errors += arena[at + 3]
        timeouts += arena[at + 4]
    for k in range(s.made_n):
        known += arena[s.made_at + SEEN_WORDS * k + 1]
        different += 1
    s.tool_calls, s.tool_errors, s.tool_timeouts = calls, errors, timeouts
    s.duplicate_calls = known - different
    s.handoffs = s.handed + escalations


@njit(cache=True)
def _add_call(out: Any, first: Any, n: Any, tool: Any, minute: Any, calls: Any, errors: Any, timeouts: Any) -> Any:
    for k in range(n - 1, max(first, n - _MERGE) - 1, -1):
        if out[k].tool == tool and out[k].minute == minute:
            out[k].calls += calls
            out[k].errors += errors
            out[k].timeouts += timeouts
            return n
    row = out[n]
    row.tool, row.minute = tool, minute
    row.calls, row.errors, row.timeouts = calls, errors, timeouts
    return n + 1


@njit(cache=True)
def tell_calls(arena: Any, s: Any, out: Any, n: Any, run: Any, sign: Any) -> Any:
    """Write the calls of a run as CALL rows from row n on, times `sign`; give the next free row."""
    outer = np.empty(MAX_TOOLS, np.int64)
    flags = np.empty(MAX_TOOLS, np.int64)
    kept = collapse(arena, s, outer, flags)
    first = n
    for k in range(kept):
        if outer[k] >= 0:
            continue
        at = s.tools_at + TOOL_WORDS * k
        error, timeout = flags[k] & FLAG_ERROR != 0, flags[k] & FLAG_TIMEOUT != 0
        n = _add_call(out, first, n, arena[at + 1], arena[at + 5] >> 8, sign, sign * error, sign * timeout)
    for k in range(s.tally_n):
        at = s.tally_at + TALLY_WORDS * k
        calls, errors, timeouts = sign * arena[at + 2], sign * arena[at + 3], sign * arena[at + 4]
        n = _add_call(out, first, n, arena[at], arena[at + 1], calls, errors, timeouts)
    for k in range(first, n):
        out[k].run = run
    return n
