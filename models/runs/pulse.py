"""Pulses: how the runs touched by a batch stand, and how they stood before, for those who watch them while they run.

A pulse is a row of int64 by `Pulse`. Summing what pulses say of a run now, less what they say of before, over all
pulses ever given, gives how it stands: cost, tokens and calls may be spent against budgets while runs are open.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from models.kernels import kernel, small
from models.runs.calls import collapse
from models.runs.index import find_slot
from models.runs.record import NEVER
from models.runs.state import FLAG_ERROR, MAX_TOOLS, TOOL_WORDS, Head

_TOUCHED = int(Head.TOUCHED)


class Pulse(IntEnum):
    """Column of a pulse. Names are digests, times Unix ns, money nano-USD."""

    # how it stood; the names are those in force
    BEFORE_LIFE = 0
    BEFORE_BEGAN = 1  # start of its first span; NEVER: it is new
    BEFORE_WORKFLOW = 2
    BEFORE_TENANT = 3
    BEFORE_USER = 4
    BEFORE_LLM_CALLS = 5
    BEFORE_TOOL_SPANS = 6
    BEFORE_TOKENS = 7
    BEFORE_COST = 8
    # how it stands
    LIFE = 9
    BEGAN = 10
    WORKFLOW = 11
    TENANT = 12
    USER = 13
    LLM_CALLS = 14
    TOOL_SPANS = 15  # calls at most: one call may show as several spans
    TOKENS = 16
    COST = 17  # of what is priced
    TRACE_HI = 18
    TRACE_LO = 19
    LAST = 20  # end of its last span
    TIER = 21
    # these two are 0 where no call is new
    REPEATS = 22  # how often the most frequent call (tool and arguments) was made
    ERRORS = 23  # how often the most frequent error of a tool was met
    AGENT = 24  # the first agent of its own, else any


NAMES = tuple(column for column in Pulse if column.name.split("_")[-1] in {"WORKFLOW", "TENANT", "USER", "TIER"})
"""Columns that hold names."""

BEFORE = int(Pulse.LIFE)
"""How many columns tell of before; those of now follow in the same order."""
_WIDTH = len(Pulse)


@small
def effective_workflow(s: Any) -> Any:
    """Give the workflow said, else the agent, else the service."""
    if s.said_workflow != 0:
        return s.said_workflow
    if s.first_agent != 0:
        return s.first_agent
    return s.other_agent if s.other_agent != 0 else s.service


@kernel
def stand(s: Any, out: Any, row: Any, first: Any) -> None:
    """Write how a run stands into `out`[row, first ...]."""
    alone = s.llm_calls == 0 and s.reported == 0  # then the run span's own word counts, as in the record
    out[row, first] = s.life
    out[row, first + 1] = s.first_start
    out[row, first + 2] = effective_workflow(s)
    out[row, first + 3], out[row, first + 4] = s.tenant, s.user
    out[row, first + 5], out[row, first + 6] = s.llm_calls, s.tools_n
    tokens = s.agent_input_tokens + s.agent_output_tokens if s.llm_calls == 0 else s.input_tokens + s.output_tokens
    out[row, first + 7] = tokens
    out[row, first + 8] = max(s.agent_cost, 0) if alone else s.cost


@kernel
def _look_at_calls(arena: Any, s: Any, work: Any, out: Any, row: Any) -> None:
    """Find the call that was made most often, and the error that was met most often, among the calls that are kept."""
    n = collapse(arena, s, work)
    repeats: Any = 0
    errors: Any = 0
    for k in range(n):
        if work[0, k] >= 0:
            continue
        at = s.tools_at + TOOL_WORDS * k
        failed = work[1, k] & FLAG_ERROR != 0
        made, met = np.int64(arena[at + 3] != 0), np.int64(failed)
        for other in range(k):
            before = s.tools_at + TOOL_WORDS * other
            if work[0, other] >= 0 or arena[before + 1] != arena[at + 1]:
                continue
            made += arena[at + 3] != 0 and arena[before + 3] == arena[at + 3]
            met += failed and work[1, other] & FLAG_ERROR != 0 and arena[before + 4] == arena[at + 4]
        repeats, errors = max(repeats, made), max(errors, met)
    out[row, 22], out[row, 23] = repeats, errors


@kernel
def pulses(store: Any, scratch: Any, out: Any) -> Any:
    """Fill `out` [row, Pulse] with the touched runs that have spans; give the number of rows."""
    n = 0
    for place in range(store.head[_TOUCHED]):
        slot = scratch.touched[place]
        s = store.states[slot]
        if s.spans == 0:
            continue
        for k in range(BEFORE):
            out[n, k] = scratch.stood[place, k]
        stand(s, out, n, BEFORE)
        out[n, 18], out[n, 19] = s.trace_hi, s.trace_lo
        out[n, 20], out[n, 21] = s.last_end, s.tier
        out[n, 22] = out[n, 23] = 0
        out[n, 24] = s.first_agent if s.first_agent != 0 else s.other_agent
        if s.tools_n > scratch.stood[place, 6] and s.tools_n > 2:  # noqa: PLR2004 - fewer repeat nothing of note
            _look_at_calls(store.arena, s, scratch.work, out, n)
        n += 1
    return n


@kernel
def calls_of(store: Any, work: Any, hi: Any, lo: Any, out: Any) -> Any:
    """Fill `out` [call, (end, tool, arguments, result, failed, span)] with the kept calls of a run, and count them."""
    slot = find_slot(store, hi, lo)
    if slot < 0:
        return 0
    s = store.states[slot]
    n, kept = 0, collapse(store.arena, s, work)
    for k in range(kept):
        if work[0, k] >= 0:
            continue
        at = s.tools_at + TOOL_WORDS * k
        out[n, 0], out[n, 1] = store.arena[at + 5], store.arena[at + 1]
        out[n, 2], out[n, 3] = store.arena[at + 3], store.arena[at + 4]
        out[n, 4], out[n, 5] = work[1, k] & FLAG_ERROR != 0, store.arena[at]
        n += 1
    return n


def new_pulses(runs: int) -> Any:
    """Give room for the pulses of so many runs."""
    return np.empty((runs, _WIDTH), np.int64)


CALLS_ROOM = (MAX_TOOLS, 6)
NO_PULSES = new_pulses(0)
NEW_RUN = NEVER
