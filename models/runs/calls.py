"""Tool calls of a run, from its tool spans. One call may show as three nested ones (agent, MCP client, server).

A tool span inside another one of the same call, with no run or LLM span between, belongs to it. The call has tool and
minute of the outermost span; it failed or timed out if any of its spans did, or an execution directly inside one. Its
error type is that of the outermost span, else the largest digest of those inside.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import digest_of, mix64
from models.kernels import kernel, small
from models.runs.arena import find
from models.runs.changes import CALL
from models.runs.state import (
    FLAG_ERROR,
    FLAG_ESCALATION,
    FLAG_TIMEOUT,
    FLAG_TYPED,
    FLAGS,
    MAX_DEPTH,
    MAX_TOOLS,
    SEEN_WORDS,
    TALLY_WORDS,
    TOOL_WORDS,
)

_OUTER, _FLAGS, _IDS, _PLACES, _ERRORS = range(5)
WORK = (5, 2 * MAX_TOOLS)
"""Shape of the work array: outermost spans and flags by tool span; a table of ids or digests, and its values; error
types by tool span."""
START = digest_of("start")
"""What comes before the first call of a run."""
_SHIFT = np.uint64(23)
_FAILED = np.uint64(0x5851F42D4C957F2D)
_MERGE = 16
"""How many of the last rows are looked through to add a call to the row of its tool and minute."""

MINUTE = 60_000_000_000
"""Nanoseconds; a multiple of the 256 in which ends of calls are kept."""

CALL_FIELDS = tuple(CALL.names or ())


@small
def call_key(tool: Any, arguments: Any) -> Any:
    """Digest a tool and its arguments, never 0."""
    key = np.int64(mix64(np.uint64(arguments) ^ (mix64(tool) >> _SHIFT)))
    return key if key != 0 else 1


@small
def failure_key(span: Any) -> Any:
    """Give the key in the map of seen spans under which it says how executions inside a span failed."""
    return np.int64(mix64(np.uint64(span) ^ _FAILED) | np.uint64(1))


@small
def error_type(arena: Any, at: Any) -> Any:
    """Give the error type of the tool span at a word of the arena; 0: none, or none whose text is kept."""
    return arena[at + 4] if arena[at + 5] & FLAG_TYPED != 0 else 0


@kernel
def failures(arena: Any, s: Any, span: Any) -> Any:
    """Give the flags of the executions directly inside a span."""
    if s.failures == 0:
        return 0
    at = find(arena, s.seen_at, s.seen_n, s.seen_room, s.seen_index, failure_key(span))
    return arena[s.seen_at + SEEN_WORDS * at + 1] if at >= 0 else 0


@kernel
def _same_call(arena: Any, a: Any, b: Any) -> Any:
    """Compare two tool spans: by call id where both have one, else by tool name; absent is never equal."""
    if arena[a + 2] != 0 and arena[b + 2] != 0:
        return arena[a + 2] == arena[b + 2]
    return arena[a + 1] != 0 and arena[a + 1] == arena[b + 1]


@kernel
def _place(keys: Any, size: Any, key: Any) -> Any:
    """Give the place of a key in a table of `size` places, or the free place where it belongs."""
    place = np.int64(mix64(key)) & (size - 1)
    while keys[place] != 0 and keys[place] != key:
        place = (place + 1) & (size - 1)
    return place


@small
def _table_size(n: Any) -> Any:
    size = 4
    while size < 2 * n:
        size *= 2
    return size


@kernel
def _outer(arena: Any, s: Any, k: Any, work: Any, size: Any) -> Any:
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
        place = _place(work[_IDS], size, span)
        if work[_IDS, place] != 0:
            other = work[_PLACES, place]
            if other == k:
                return -1
            if _same_call(arena, me, s.tools_at + TOOL_WORDS * other):
                return other
    return -1


@kernel
def collapse(arena: Any, s: Any, work: Any) -> Any:
    """Fill rows OUTER of `work` (same call, one level out; -1: outermost), FLAGS and ERRORS (outermost: of the call).

    Give the number of tool spans.
    """
    n = min(s.tools_n, MAX_TOOLS)
    size = _table_size(n)
    for place in range(size):
        work[_IDS, place] = 0
    for k in range(n):
        at = s.tools_at + TOOL_WORDS * k
        place = _place(work[_IDS], size, arena[at])
        work[_IDS, place], work[_PLACES, place] = arena[at], k
        work[_FLAGS, k] = (arena[at + 5] & FLAGS) | failures(arena, s, arena[at])
        work[_ERRORS, k] = error_type(arena, at)
    for k in range(n):
        work[_OUTER, k] = _outer(arena, s, k, work, size)
    for k in range(n):
        top = k
        for _ in range(n):
            if work[_OUTER, top] < 0:
                break
            top = work[_OUTER, top]
        work[_FLAGS, top] |= work[_FLAGS, k]
        if top != k and error_type(arena, s.tools_at + TOOL_WORDS * top) == 0:
            inner = error_type(arena, s.tools_at + TOOL_WORDS * k)
            if inner != 0 and (work[_ERRORS, top] == 0 or inner > work[_ERRORS, top]):
                work[_ERRORS, top] = inner
    return n


@kernel
def _count_different(arena: Any, s: Any, n: Any, work: Any) -> Any:
    """Give how many calls have known arguments, and how many different ones there are."""
    known = different = 0
    size = _table_size(n)
    for place in range(size):
        work[_IDS, place] = 0
    for k in range(n):
        at = s.tools_at + TOOL_WORDS * k
        if work[_OUTER, k] >= 0 or arena[at + 3] == 0:
            continue
        known += 1
        key = call_key(arena[at + 1], arena[at + 3])
        place = _place(work[_IDS], size, key)
        if work[_IDS, place] == 0:
            work[_IDS, place] = key
            different += s.made_n == 0 or find(arena, s.made_at, s.made_n, s.made_room, s.made_index, key) < 0
    for k in range(s.made_n):
        known += arena[s.made_at + SEEN_WORDS * k + 1]
        different += 1
    return known, different


@kernel
def derive_calls(arena: Any, s: Any, work: Any) -> None:
    """Set tool_calls, tool_errors, tool_timeouts, duplicate_calls and handoffs of a run."""
    n = collapse(arena, s, work)
    calls = errors = timeouts = escalations = 0
    for k in range(n):
        if work[_OUTER, k] >= 0:
            continue
        flags = work[_FLAGS, k]
        calls += 1
        errors += flags & FLAG_ERROR != 0
        timeouts += flags & FLAG_TIMEOUT != 0
        escalations += flags & FLAG_ESCALATION != 0
    for k in range(s.tally_n):
        at = s.tally_at + TALLY_WORDS * k
        calls += arena[at + 2]
        errors += arena[at + 3]
        timeouts += arena[at + 4]
    known, different = _count_different(arena, s, n, work)
    s.tool_calls, s.tool_errors, s.tool_timeouts = calls, errors, timeouts
    s.duplicate_calls = known - different
    s.handoffs = s.handed + escalations


@kernel
def _add_call(out: Any, first: Any, n: Any, what: Any, counts: Any) -> Any:
    """Add calls to the row of `what` (tool, minute, error type, before), a new one where there is none.

    Give the next free.
    """
    tool, minute, error, before = what
    calls, errors, timeouts = counts
    for k in range(n - 1, max(first, n - _MERGE) - 1, -1):
        same = out[k].tool == tool and out[k].minute == minute and out[k].error == error
        if same and out[k].before == before:
            out[k].calls += calls
            out[k].errors += errors
            out[k].timeouts += timeouts
            return n
    row = out[n]
    row.tool, row.minute, row.error, row.before = what
    row.calls, row.errors, row.timeouts = counts
    return n + 1


@small
def _ends_before(arena: Any, a: Any, b: Any) -> Any:
    """Compare two tool spans by their ends, equal ones by their tools and ids: never by which came first."""
    end, other = arena[a + 5] & ~FLAGS, arena[b + 5] & ~FLAGS
    if end != other:
        return end < other
    if arena[a + 1] != arena[b + 1]:
        return arena[a + 1] < arena[b + 1]
    return arena[a] < arena[b]


@kernel
def _in_order(arena: Any, s: Any, n: Any, work: Any) -> Any:
    """Fill row PLACES of a collapsed `work` with the calls, by their ends; give how many. They mostly come in order."""
    calls = 0
    for k in range(n):
        if work[_OUTER, k] >= 0:
            continue
        place = calls
        while place > 0:
            other = work[_PLACES, place - 1]
            if not _ends_before(arena, s.tools_at + TOOL_WORDS * k, s.tools_at + TOOL_WORDS * other):
                break
            work[_PLACES, place] = other
            place -= 1
        work[_PLACES, place] = k
        calls += 1
    return calls


@kernel
def tell_calls(arena: Any, s: Any, work: Any, out: Any, n: Any, told: Any) -> Any:
    """Write the calls of a run as CALL rows from row n on; give the next free row.

    `told` is (run, sign, steps): counts are times the sign. With steps, what was called before each is told, unless
    there are calls whose time was not kept.
    """
    run, sign, steps = told
    calls = _in_order(arena, s, collapse(arena, s, work), work)
    known = steps != 0 and s.tools_n <= MAX_TOOLS
    first, before = n, np.int64(START)
    for place in range(calls):
        k = work[_PLACES, place]
        at = s.tools_at + TOOL_WORDS * k
        error, timeout = work[_FLAGS, k] & FLAG_ERROR != 0, work[_FLAGS, k] & FLAG_TIMEOUT != 0
        what = arena[at + 1], arena[at + 5] // MINUTE, work[_ERRORS, k], before if known else np.int64(0)
        n = _add_call(out, first, n, what, (sign, sign * error, sign * timeout))
        before = arena[at + 1]
    for k in range(s.tally_n):
        at = s.tally_at + TALLY_WORDS * k
        counts = sign * arena[at + 2], sign * arena[at + 3], sign * arena[at + 4]
        n = _add_call(out, first, n, (arena[at], arena[at + 1], np.int64(0), np.int64(0)), counts)
    for k in range(first, n):
        out[k].run = run
    return n
