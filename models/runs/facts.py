"""What one span tells of its run. Each fact is a minimum, maximum, sum or choice by rank: any order gives the same."""
# ruff: noqa: PLR0911 - compiled kernels over flat arrays

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import digest_of
from models.kernels import kernel, small
from models.runs.names import has_flag, keep_text
from models.runs.policy import GOOD_SCORE
from models.runs.record import DIMENSIONS, MAX_COHORTS
from models.runs.state import NAME_GOOD, NAMES_AT, Head
from models.spans.columns import NO_SCORE, UNKNOWN, Column, Decision, Outcome, Priced, SpanKind

_C = Column
_START, _END, _STATUS, _PARENT, _KIND = (int(c) for c in (_C.START, _C.END, _C.STATUS, _C.PARENT_ID, _C.KIND))
_WORKFLOW, _AGENT, _TOOL = int(_C.WORKFLOW), int(_C.AGENT), int(_C.TOOL)
_INPUT, _OUTPUT, _COST, _PRICED = (int(c) for c in (_C.INPUT_TOKENS, _C.OUTPUT_TOKENS, _C.COST, _C.PRICED))
_OUTCOME, _DECISION, _HANDOFF, _STOP = (int(c) for c in (_C.OUTCOME, _C.DECISION, _C.HANDOFF, _C.STOP))
_EVALUATION, _SCORE, _LABEL = int(_C.EVALUATION), int(_C.SCORE), int(_C.LABEL)
_RUN, _LLM, _GUARD, _APPROVAL = (int(k) for k in (SpanKind.RUN, SpanKind.LLM, SpanKind.GUARD, SpanKind.APPROVAL))
_BILL = int(SpanKind.BILL)
_REPORTED, _COMPUTED, _UNPRICED = int(Priced.REPORTED), int(Priced.COMPUTED), int(Priced.UNPRICED)
_SUCCESS, _FAILURE, _ESCALATED = int(Outcome.SUCCESS), int(Outcome.FAILURE), int(Outcome.ESCALATED)
_ALLOW, _BLOCK = int(Decision.ALLOW), int(Decision.BLOCK)
_DROPPED = int(Head.COHORTS_DROPPED)
_TASK, _EVAL = digest_of("task"), digest_of("eval")
"""Cohorts that say what a run was asked for: it is compared with runs that were asked for the same."""

_PLAIN = np.array([int(Column[name.upper()]) for name in DIMENSIONS[2:]])
"""Columns of the dimensions after workflow and agent, which have rules of their own."""


@kernel
def apply_names(store: Any, fresh: Any, slot: Any, cols: Any, j: Any) -> None:
    """Take the names by rank (parentless 3, run span 2, other 1), then by the larger digest."""
    s = store.states[slot]
    rank = 3 if cols[_PARENT, j] == 0 else (2 if cols[_KIND, j] == _RUN else 1)
    said = cols[_WORKFLOW, j]
    if said != 0 and (rank > s.ranks[0] or (rank == s.ranks[0] and said > s.said_workflow)):
        s.ranks[0] = rank
        s.said_workflow = said
        keep_text(store, fresh, said)
    said = cols[_AGENT, j]
    if said != 0 and (rank > s.ranks[1] or (rank == s.ranks[1] and said > s.other_agent)):
        s.ranks[1] = rank
        s.other_agent = said
        keep_text(store, fresh, said)
    for k in range(len(_PLAIN)):
        said = cols[_PLAIN[k], j]
        if said == 0:
            continue
        held, at = s.ranks[2 + k], NAMES_AT + 2 + k
        if rank > held or (rank == held and said > store.words[slot, at]):
            s.ranks[2 + k] = rank
            if said != store.words[slot, at]:
                store.words[slot, at] = said
                keep_text(store, fresh, said)


@kernel
def apply_cohort(store: Any, fresh: Any, slot: Any, name: Any, value: Any) -> None:
    """Keep those that are read here, then those with the smallest name digests; of two values the larger digest."""
    s = store.states[slot]
    at = MAX_COHORTS
    for k in range(MAX_COHORTS):
        if s.cohort_name[k] == name:
            if value > s.cohort_value[k]:
                s.cohort_value[k] = value
                keep_text(store, fresh, value)
            return
        if at == MAX_COHORTS and (s.cohort_name[k] == 0 or _stays_before(name, s.cohort_name[k])):
            at = k
    if s.cohort_name[MAX_COHORTS - 1] != 0:
        store.head[_DROPPED] += 1
    if at == MAX_COHORTS:
        return
    for k in range(MAX_COHORTS - 1, at, -1):
        s.cohort_name[k] = s.cohort_name[k - 1]
        s.cohort_value[k] = s.cohort_value[k - 1]
    s.cohort_name[at] = name
    s.cohort_value[at] = value
    keep_text(store, fresh, name)
    keep_text(store, fresh, value)


@small
def _stays_before(name: Any, other: Any) -> Any:
    if _is_read(name) != _is_read(other):
        return _is_read(name)
    return name < other


@small
def _is_read(name: Any) -> Any:
    return name in (_TASK, _EVAL)


@small
def _known(number: Any) -> Any:
    return number if number != UNKNOWN else 0


@kernel
def _is_first_agent(s: Any, cols: Any, j: Any) -> Any:
    """Compare by start, then the longer, then by every fact that is kept, so that ties cannot depend on order."""
    if cols[_START, j] != s.agent_start:
        return cols[_START, j] < s.agent_start
    if cols[_END, j] != s.agent_end:
        return cols[_END, j] > s.agent_end
    if cols[_STATUS, j] != s.agent_status:
        return cols[_STATUS, j] > s.agent_status
    if cols[_AGENT, j] != s.first_agent:
        return cols[_AGENT, j] > s.first_agent
    if _known(cols[_INPUT, j]) != s.agent_input_tokens:
        return _known(cols[_INPUT, j]) > s.agent_input_tokens
    if _known(cols[_OUTPUT, j]) != s.agent_output_tokens:
        return _known(cols[_OUTPUT, j]) > s.agent_output_tokens
    if cols[_COST, j] != s.agent_cost:
        return cols[_COST, j] > s.agent_cost
    return (cols[_PRICED, j] == _COMPUTED) > s.agent_computed


@kernel
def _apply_run_span(store: Any, fresh: Any, s: Any, cols: Any, j: Any) -> None:
    if not _is_first_agent(s, cols, j):
        return
    s.agent_start, s.agent_end = cols[_START, j], cols[_END, j]
    s.agent_status = cols[_STATUS, j]
    s.first_agent = cols[_AGENT, j]
    s.agent_input_tokens, s.agent_output_tokens = _known(cols[_INPUT, j]), _known(cols[_OUTPUT, j])
    s.agent_cost, s.agent_computed = cols[_COST, j], cols[_PRICED, j] == _COMPUTED
    keep_text(store, fresh, s.first_agent)


@kernel
def _apply_root(s: Any, cols: Any, j: Any) -> None:
    start, end, status = cols[_START, j], cols[_END, j], cols[_STATUS, j]
    if start > s.root_start or (start == s.root_start and end < s.root_end):
        return
    if start == s.root_start and end == s.root_end and status <= s.root_status:
        return
    s.root_start, s.root_end, s.root_status = start, end, status


@kernel
def _apply_llm(s: Any, cols: Any, j: Any) -> None:
    s.llm_calls += 1
    s.input_tokens += _known(cols[_INPUT, j])
    s.output_tokens += _known(cols[_OUTPUT, j])
    _apply_cost(s, cols, j, 1)
    stop, end = cols[_STOP, j], cols[_END, j]
    if stop != 0 and (end > s.stopped_at or (end == s.stopped_at and stop > s.stop)):
        s.stopped_at, s.stop = end, stop


@kernel
def _apply_cost(s: Any, cols: Any, j: Any, sign: Any) -> None:
    """Add a cost. A bill has one row of what was paid and one of its call, whose computed cost it takes away (sign -1).

    A bill without its span takes away nothing: what is not there stays below 0, until the span comes.
    """
    cost, priced = _known(cols[_COST, j]), cols[_PRICED, j]
    s.cost -= max(s.estimated, 0)
    if priced == _COMPUTED:
        s.estimated += sign * cost
        s.computed_open += sign
    else:
        s.cost += cost
        s.reported += priced == _REPORTED
        s.unpriced_open += sign * (priced == _UNPRICED)
    s.cost += max(s.estimated, 0)
    s.computed, s.unpriced = max(s.computed_open, 0), max(s.unpriced_open, 0)


@kernel
def _apply_approval(s: Any, cols: Any, j: Any) -> None:
    """Count a decision. A log may tell the same one as a span, and cannot say which: where spans tell, logs do not."""
    if cols[_EVALUATION, j] == 0 and not s.asked:
        s.asked = 1
        s.approvals = s.approved = 0
    if cols[_EVALUATION, j] == 0 or not s.asked:
        s.approvals += 1
        s.approved += cols[_DECISION, j] == _ALLOW


@kernel
def _apply_outcome(s: Any, cols: Any, j: Any) -> None:
    """Take an outcome by rank; of equal rank the worse one (success < failure < escalated)."""
    outcome = cols[_OUTCOME, j]
    if outcome == 0:
        return
    s.handed += outcome == _ESCALATED
    rank = 3 if cols[_PARENT, j] == 0 else (2 if cols[_KIND, j] == _RUN else 1)
    if rank > s.outcome_rank or (rank == s.outcome_rank and outcome > s.outcome_said):
        s.outcome_rank = rank
        s.outcome_said = outcome


@kernel
def apply_span(store: Any, fresh: Any, slot: Any, cols: Any, j: Any) -> None:
    """Apply all but the tool call of a span that is seen for the first time."""
    s = store.states[slot]
    s.spans += 1
    s.first_start = min(s.first_start, cols[_START, j])
    s.last_end = max(s.last_end, cols[_END, j])
    apply_names(store, fresh, slot, cols, j)
    if cols[_PARENT, j] == 0:
        _apply_root(s, cols, j)
    kind = cols[_KIND, j]
    if kind == _LLM:
        _apply_llm(s, cols, j)
    elif kind == _RUN:
        _apply_run_span(store, fresh, s, cols, j)
    elif kind == _APPROVAL:
        _apply_approval(s, cols, j)
    elif kind == _BILL:
        _apply_cost(s, cols, j, -1)
    elif kind == _GUARD:
        s.guarded += 1
        s.guarded_calls += cols[_TOOL, j] != 0
        s.blocked += cols[_DECISION, j] == _BLOCK
    s.handed += cols[_HANDOFF, j] == 1
    _apply_outcome(s, cols, j)


@kernel
def apply_evaluation(store: Any, s: Any, cols: Any, j: Any, task_success: Any) -> None:
    """Apply a score: `task_success` decides the outcome (the latest; at equal times failure), others are feedback."""
    score, label = cols[_SCORE, j], cols[_LABEL, j]
    if score == NO_SCORE and label == 0:
        return
    good = has_flag(store.name_keys, store.name_flags, label, NAME_GOOD) if score == NO_SCORE else score >= GOOD_SCORE
    if cols[_EVALUATION, j] != task_success:
        s.feedback += 1
        s.feedback_good += good
        return
    verdict = _SUCCESS if good else _FAILURE
    at = cols[_END, j]
    if s.evaluated == 0 or at > s.evaluated_at or (at == s.evaluated_at and verdict > s.evaluated):
        s.evaluated_at = at
        s.evaluated = verdict
