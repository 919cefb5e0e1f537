"""What is published of a run: a pure function of its facts, the watermark and what is expected, never of order."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.kernels import kernel, small
from models.runs.calls import derive_calls
from models.runs.pulse import effective_workflow
from models.runs.record import NEVER, ClosedBy, Life, OutcomeFrom
from models.runs.state import (
    RULE_GRACE,
    RULE_IDLE,
    RULE_MAX_AGE,
    RULE_REMEMBER,
    RULE_REMEMBER_OTHER,
    RULE_UNKNOWN,
    Head,
)
from models.spans.columns import Outcome, SpanStatus

_OPEN, _AWAITING, _SETTLED = int(Life.OPEN), int(Life.AWAITING), int(Life.SETTLED)
_ROOT, _IDLE = int(ClosedBy.ROOT), int(ClosedBy.IDLE)
_NOTHING, _BY_STATUS, _BY_EVALUATION, _BY_ATTRIBUTE = (int(o) for o in OutcomeFrom)
_UNKNOWN, _SUCCESS, _FAILURE, _ESCALATED, _PENDING = (int(o) for o in Outcome)
_ERROR = int(SpanStatus.ERROR)
_KEPT, _NOT_AGENT = int(Head.KEPT), int(Head.NOT_AGENT)


@small
def idle_close(s: Any, rules: Any) -> Any:
    """Give the event time at which a run without a root closes."""
    return min(s.last_end + rules[RULE_IDLE], s.first_start + rules[RULE_MAX_AGE])


@kernel
def _is_agentic(s: Any) -> Any:
    """Say whether any span was an agent's; ordinary traces are no runs."""
    return s.agent_start != NEVER or s.llm_calls + s.tools_n + s.guarded + s.approvals > 0


@kernel
def since(names: Any, times: Any, name: Any) -> Any:
    """Give the event time since which a workflow or service is evaluated; NEVER: it is not. `names` is sorted."""
    at = np.searchsorted(names, name)
    if name != 0 and at < names.shape[0] and names[at] == name:
        return times[at]
    return NEVER


@kernel
def _is_expected(s: Any, rules: Any, names: Any, times: Any) -> Any:
    first = since(names, times, s.workflow)
    if s.said_workflow == 0:  # else one evaluated workflow would speak for all others of its service
        first = min(first, since(names, times, s.service))
    return first != NEVER and first <= s.closed_at + rules[RULE_GRACE]


@kernel
def _derive_outcome(s: Any, rules: Any, names: Any, times: Any, watermark: Any) -> None:
    s.life = _SETTLED
    if s.outcome_said != 0:
        s.outcome, s.outcome_from = min(s.outcome_said, _FAILURE), _BY_ATTRIBUTE
    elif s.evaluated != 0:
        s.outcome, s.outcome_from = s.evaluated, _BY_EVALUATION
    elif _is_expected(s, rules, names, times):
        waits = watermark < s.closed_at + rules[RULE_GRACE]
        s.life = _AWAITING if waits else _SETTLED
        s.outcome, s.outcome_from = _PENDING if waits else _UNKNOWN, _NOTHING
    elif s.agent_start != NEVER:
        s.outcome, s.outcome_from = _FAILURE if s.agent_status == _ERROR else _SUCCESS, _BY_STATUS
    elif s.root_start != NEVER:
        s.outcome, s.outcome_from = _FAILURE if s.root_status == _ERROR else _SUCCESS, _BY_STATUS
    else:
        s.outcome, s.outcome_from = _UNKNOWN, _NOTHING
    if s.outcome == _UNKNOWN:
        s.task = rules[RULE_UNKNOWN]
    else:
        s.task = 0 if s.outcome == _PENDING else s.outcome


@kernel
def _derive_closed(store: Any, work: Any, s: Any, rules: Any, names: Any, times: Any, watermark: Any) -> None:
    rooted = s.root_start != NEVER
    s.closed_by = _ROOT if rooted else _IDLE
    s.closed_at = s.root_end if rooted else idle_close(s, rules)
    s.started_at = s.root_start if rooted else s.first_start
    s.ended_at = s.root_end if rooted else s.last_end
    s.agent = s.first_agent if s.first_agent != 0 else s.other_agent
    s.workflow = effective_workflow(s)
    if s.llm_calls == 0:  # a bill, which is a report, comes before what the agent span says
        s.computed = s.agent_computed if s.reported == 0 else 0
    _derive_outcome(s, rules, names, times, watermark)
    derive_calls(store.arena, s, work)
    s.escalated = s.handoffs > 0


@kernel
def _next_due(s: Any, rules: Any) -> Any:
    if s.life == _OPEN:
        return idle_close(s, rules)
    if s.life == _AWAITING:
        return s.closed_at + rules[RULE_GRACE]
    return s.closed_at + (rules[RULE_REMEMBER_OTHER] if s.foreign else rules[RULE_REMEMBER])


@kernel
def derive(store: Any, work: Any, slot: Any, rules: Any, names: Any, times: Any, watermark: Any) -> None:
    """Bring a touched run up to date: whether it is closed, what its outcome is, when to look at it again."""
    s = store.states[slot]
    if s.spans > 0:
        if s.life != _OPEN or s.root_start != NEVER or watermark >= idle_close(s, rules):
            _derive_closed(store, work, s, rules, names, times, watermark)
            foreign = not _is_agentic(s)
            store.head[_NOT_AGENT] += np.int64(foreign) - s.foreign
            s.foreign = foreign
            s.published = not foreign
        store.due[slot] = _next_due(s, rules)
    kept = s.life != _OPEN or s.spans == 0
    store.head[_KEPT] += np.int64(kept) - s.kept
    s.kept = kept
