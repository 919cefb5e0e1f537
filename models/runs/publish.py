"""From touched runs to Changes: how each was told before, how it is now, and what follows from the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.kernels import kernel, small
from models.runs.apply import AHEAD, apply_rows
from models.runs.calls import WORK, tell_calls
from models.runs.changes import CALL
from models.runs.derive import derive, since
from models.runs.names import name_place
from models.runs.pulse import BEFORE
from models.runs.record import DIMENSIONS, MAX_COHORTS, ClosedBy
from models.runs.state import COHORTS_AT, MAX_TOOLS, NAMES_AT, RULE_REVISION, RUN_WORDS, Head, rows_like, words_of
from models.runs.task_types import task_of
from models.spans.columns import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROOT, _IDLE, _PENDING = int(ClosedBy.ROOT), int(ClosedBy.IDLE), int(Outcome.PENDING)
_TOUCHED, _LEARNT, _RELEARN, _STAMP = int(Head.TOUCHED), int(Head.LEARNT), int(Head.RELEARN), int(Head.STAMP)
_CLOSED_ROOT, _CLOSED_IDLE, _UNPRICED = int(Head.CLOSED_ROOT), int(Head.CLOSED_IDLE), int(Head.UNPRICED)

_RETRACT, _TELL, _RECORD, _MOVED = 1, 2, 4, 8
_OF_ERRORS = np.int64(-7046029254386353131)  # odd: no count of calls looks like one of errors


class Scratch(NamedTuple):
    """What a batch needs beside the state, by place among the touched runs."""

    touched: NDArray[np.int64]  # slot
    before: NDArray[np.void]  # STATE as it was, the RUN in it as it was told
    before_words: NDArray[np.int64]  # the same memory
    was: NDArray[np.uint8]
    action: NDArray[np.uint8]
    old_first: NDArray[np.int64]  # rows of `old_calls`; -1: its calls are as they were
    old_last: NDArray[np.int64]
    old_calls: NDArray[np.void]  # CALL, negative
    fresh: NDArray[np.int64]
    learnt: NDArray[np.int64]  # [place, (workflow, event time)]
    work: NDArray[np.int64]  # of `models.runs.calls`
    slots: NDArray[np.int64]  # runs of the next rows
    stood: NDArray[np.int64]  # [place, Pulse]: how it stood, the first columns


@kernel
def derive_touched(store: Any, scratch: Any, rules: Any, names: Any, times: Any, watermark: Any) -> None:
    """Derive the touched runs and note what they tell of evaluated workflows."""
    for place in range(store.head[_TOUCHED]):
        slot = scratch.touched[place]
        derive(store, scratch.work, slot, rules, names, times, watermark)
        s, b = store.states[slot], scratch.before[place]
        if not s.published or s.evaluated == 0:
            continue
        moved = b.workflow != s.workflow or b.evaluated_at != s.evaluated_at
        if moved and scratch.was[place] and b.evaluated != 0:
            store.head[_RELEARN] = 1
        if s.evaluated_at < since(names, times, s.workflow):
            at = store.head[_LEARNT]
            scratch.learnt[at, 0], scratch.learnt[at, 1] = s.workflow, s.evaluated_at
            store.head[_LEARNT] = at + 1


@kernel
def _is_same_record(a: Any, b: Any) -> Any:
    """Compare what a run record prints."""
    return (
        a.workflow == b.workflow
        and a.agent == b.agent
        and a.version == b.version
        and a.environment == b.environment
        and a.tenant == b.tenant
        and a.user == b.user
        and a.started_at == b.started_at
        and a.ended_at == b.ended_at
        and a.closed_by == b.closed_by
        and a.outcome == b.outcome
        and a.outcome_from == b.outcome_from
        and a.escalated == b.escalated
        and a.llm_calls == b.llm_calls
        and a.tool_calls == b.tool_calls
        and a.tool_errors == b.tool_errors
        and a.input_tokens == b.input_tokens
        and a.output_tokens == b.output_tokens
        and a.agent_input_tokens == b.agent_input_tokens
        and a.agent_output_tokens == b.agent_output_tokens
        and a.cost == b.cost
        and a.agent_cost == b.agent_cost
        and a.reported == b.reported
        and a.computed == b.computed
        and a.unpriced == b.unpriced
        and task_of(a) == task_of(b)
    )


@kernel
def _is_same(store: Any, scratch: Any, slot: Any, place: Any) -> Any:
    differ = 0
    for k in range(RUN_WORDS):
        differ |= store.words[slot, k] ^ scratch.before_words[place, k]
    return differ == 0


@small
def _is_unpriced(run: Any) -> Any:
    """Say whether the cost of a run is not known, or only in part."""
    if run.llm_calls == 0 and run.reported == 0:
        return run.agent_cost < 0
    return run.unpriced > 0 or run.reported + run.computed == 0


@kernel
def _count(store: Any, s: Any, b: Any, was: Any) -> None:
    """Keep the counters: they are sums of weights too."""
    head = store.head
    head[_CLOSED_ROOT] += s.closed_by == _ROOT
    head[_CLOSED_IDLE] += s.closed_by == _IDLE
    head[_UNPRICED] += _is_unpriced(s)
    if was:
        head[_CLOSED_ROOT] -= b.closed_by == _ROOT
        head[_CLOSED_IDLE] -= b.closed_by == _IDLE
        head[_UNPRICED] -= _is_unpriced(b)


@kernel
def decide(store: Any, scratch: Any) -> Any:
    """Choose what to do for each touched run, end its touch; count the run, call, record and tool rows.

    Of all but run rows: how many there are at most.
    """
    runs = calls = records = tools = 0
    for place in range(store.head[_TOUCHED]):
        slot = scratch.touched[place]
        s, b = store.states[slot], scratch.before[place]
        s.mark = 0
        action = 0
        if s.published:
            was = scratch.was[place]
            if not was or not _is_same(store, scratch, slot, place):
                action = _TELL | _RETRACT if was else _TELL
                _count(store, s, b, was)
            moved = scratch.old_first[place] >= 0
            if s.outcome != _PENDING and (not s.recorded or moved or not _is_same_record(s, b)):
                action |= _RECORD if not s.recorded or not _is_same_record(s, b) else _MOVED
                records += 1
                tools += min(s.tools_n, MAX_TOOLS) + s.tally_n
            if action & _TELL:
                runs += 2 if was else 1
                if not was or moved:
                    calls += min(s.tools_n, MAX_TOOLS) + s.tally_n
                    if was:
                        calls += scratch.old_last[place] - scratch.old_first[place]
        scratch.action[place] = action
    return runs, calls, records, tools


@kernel
def settle(store: Any, scratch: Any, rules: Any, names: Any, times: Any, watermark: Any, pending: Any) -> Any:
    """Derive and decide in one call, unless expectations are `pending` or have changed: then no runs, -1."""
    derive_touched(store, scratch, rules, names, times, watermark)
    if pending or store.head[_LEARNT] or store.head[_RELEARN]:
        return -1, 0, 0, 0
    return decide(store, scratch)


@kernel
def track_rows(store: Any, scratch: Any, batch: Any, start: Any, policy: Any, expected: Any, now: Any) -> Any:
    """`apply_rows`, then `settle` if all fitted: one call into compiled code costs as much as ten spans."""
    spans, rows, cohorts = batch  # [row, column]: numba would take the transpose of a single row for another type
    rules, fixed = policy
    done = apply_rows(store, scratch, spans.T, rows, start, cohorts, rules, fixed)
    if done < rows.shape[0]:
        return done, (0, 0, 0, 0)
    return done, settle(store, scratch, rules, expected[0], expected[1], now[0], now[1])


@kernel
def _tell_name(store: Any, names: Any, n: Any, digest: Any) -> Any:
    if digest == 0:
        return n
    place = name_place(store.name_keys, digest)
    if store.name_keys[place] == 0 or store.name_stamps[place] == store.head[_STAMP]:
        return n
    store.name_stamps[place] = store.head[_STAMP]
    names[n] = digest
    return n + 1


@kernel
def _tell_names(store: Any, words: Any, k: Any, names: Any, n: Any) -> Any:
    for d in range(len(DIMENSIONS)):
        n = _tell_name(store, names, n, words[k, NAMES_AT + d])
    for c in range(2 * MAX_COHORTS):  # names, then values
        n = _tell_name(store, names, n, words[k, COHORTS_AT + c])
    return n


@kernel
def _copy(to: Any, k: Any, words: Any, row: Any) -> None:
    for w in range(RUN_WORDS):
        to[k, w] = words[row, w]


@kernel
def _has_other_calls(scratch: Any, place: Any, tools: Any, first: Any, last: Any) -> Any:
    """Say whether calls or errors of a tool are not those that were told: minutes are not in a record."""
    total = np.int64(0)
    for k in range(scratch.old_first[place], scratch.old_last[place]):
        old = scratch.old_calls[k]
        total += old.tool * (old.calls + old.errors * _OF_ERRORS)
    for k in range(first, last):
        total += tools[k].tool * (tools[k].calls + tools[k].errors * _OF_ERRORS)
    return total != 0


@kernel
def emit(store: Any, scratch: Any, rules: Any, out: Any) -> Any:
    """Write what `decide` chose; give the numbers of call, record and tool rows and names. Run rows are full."""
    runs, weight, calls, records, tools, names = out
    store.head[_STAMP] += 1
    n_runs = n_calls = n_records = n_tools = n_names = 0
    for place in range(store.head[_TOUCHED]):
        action, slot = scratch.action[place], scratch.touched[place]
        s = store.states[slot]
        if action & (_RECORD | _MOVED):
            last = tell_calls(store.arena, s, scratch.work, tools, n_tools, (n_records, 1, 0))
            if action & _RECORD or _has_other_calls(scratch, place, tools, n_tools, last):
                s.revision = max(s.revision + 1, rules[RULE_REVISION]) if s.recorded else rules[RULE_REVISION]
                s.recorded = 1
                _copy(records, n_records, store.words, slot)
                n_names = _tell_names(store, records, n_records, names, n_names)
                n_records, n_tools = n_records + 1, last
        if action & _RETRACT:
            _copy(runs, n_runs, scratch.before_words, place)
            n_names = _tell_names(store, runs, n_runs, names, n_names)
            weight[n_runs] = -1
            for k in range(max(scratch.old_first[place], 0), scratch.old_last[place]):
                calls[n_calls] = scratch.old_calls[k]
                calls[n_calls].run = n_runs
                n_calls += 1
            n_runs += 1
        if action & _TELL:
            _copy(runs, n_runs, store.words, slot)
            n_names = _tell_names(store, runs, n_runs, names, n_names)
            weight[n_runs] = 1
            if not action & _RETRACT or scratch.old_first[place] >= 0:
                n_calls = tell_calls(store.arena, s, scratch.work, calls, n_calls, (n_runs, 1, 1))
            n_runs += 1
    for k in range(n_calls):
        n_names = _tell_name(store, names, n_names, calls[k].tool)
        n_names = _tell_name(store, names, n_names, calls[k].error)
    for k in range(n_tools):
        n_names = _tell_name(store, names, n_names, tools[k].tool)
    return n_calls, n_records, n_tools, n_names


def new_scratch(runs: int, old_calls: int = 512, fresh: int = 2048) -> Scratch:
    """Give scratch for up to `runs` touched runs; memory counts only where it is written."""
    before = rows_like(runs)
    flags = np.empty((2, runs), np.uint8)
    places = np.empty((5, runs), np.int64)
    return Scratch(
        places[0],
        before,
        words_of(before),
        flags[0],
        flags[1],
        places[1],
        places[2],
        np.empty(old_calls, CALL),
        np.empty(fresh, np.int64),
        places[3:].reshape(runs, 2),
        np.empty(WORK, np.int64),
        np.empty(AHEAD, np.int64),
        np.empty((runs, BEFORE), np.int64),
    )


def more_runs(scratch: Scratch, runs: int) -> Scratch:
    """Give the scratch with places for so many more touched runs."""
    size = len(scratch.touched)
    new = new_scratch(size + runs, 0, 0)
    new.touched[:size], new.before_words[:size], new.was[:size] = scratch.touched, scratch.before_words, scratch.was
    new.old_first[:size], new.old_last[:size] = scratch.old_first, scratch.old_last
    new.stood[:size] = scratch.stood
    return new._replace(old_calls=scratch.old_calls, fresh=scratch.fresh)
