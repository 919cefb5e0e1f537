"""RUN: what is kept of a run, as one fixed-size record. Tables of it are arrays that kernels and frames read alike."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

MAX_COHORTS = 4
"""Cohort attributes kept per run; more are counted, the smallest name digests stay (so any order gives the same)."""

DIMENSIONS = (
    "workflow",
    "agent",
    "service",
    "version",
    "environment",
    "tenant",
    "tier",
    "user",
    "prompt",
    "toolset",
    "variant",
    "model",
)
"""Names a run takes from its spans; of several models one. Where spans disagree: the highest rank wins (parentless 3,
run span 2, other 1), then the larger digest, so that any order of arrival gives the same. `agent` is that of the run
span that starts first.
In a published row `workflow` is the effective one: the one said, else the agent, else the service."""


class Life(IntEnum):
    """Where a run is in its life."""

    OPEN = 0
    AWAITING = 1  # closed; its evaluation may still come
    SETTLED = 2  # closed, outcome counted; remembered for corrections


class ClosedBy(IntEnum):
    """What closed a run."""

    NOTHING = 0
    ROOT = 1
    IDLE = 2


class OutcomeFrom(IntEnum):
    """What an outcome stands on."""

    NOTHING = 0
    STATUS = 1
    EVALUATION = 2
    ATTRIBUTE = 3


NEVER = 2**63 - 1
"""A time that has not come."""

_I8, _I16, _I32, _I64 = np.int8, np.int16, np.int32, np.int64

RUN = np.dtype(
    [
        ("trace_hi", _I64),
        ("trace_lo", _I64),
        # times, Unix ns; NEVER / 0 where nothing is known yet
        ("first_start", _I64),  # of all spans
        ("last_end", _I64),  # of all spans
        ("root_start", _I64),  # of the parentless span that starts first
        ("root_end", _I64),
        ("agent_start", _I64),  # of the run span that starts first
        ("agent_end", _I64),
        ("evaluated_at", _I64),  # event time of the task_success evaluation in force
        ("closed_at", _I64),  # event time at which the run closed
        ("stopped_at", _I64),  # end of the last LLM span that says why its answer ended
        # facts of a closed run, derived when it is published
        ("started_at", _I64),
        ("ended_at", _I64),
        *[(name, _I64) for name in DIMENSIONS],
        ("cohort_name", _I64, (MAX_COHORTS,)),
        ("cohort_value", _I64, (MAX_COHORTS,)),
        ("input_tokens", _I64),  # of LLM spans
        ("output_tokens", _I64),
        ("agent_input_tokens", _I64),  # said by the outermost run span: used only when there is no LLM span
        ("agent_output_tokens", _I64),
        ("cost", _I64),  # nano-USD, sum of what is priced
        ("agent_cost", _I64),  # UNKNOWN where it said none and none could be computed
        ("revision", _I64),  # of the last run record; generation << 20 at least
        ("spans", _I32),
        ("llm_calls", _I32),
        ("tool_calls", _I32),
        ("tool_errors", _I32),
        ("tool_timeouts", _I32),
        ("duplicate_calls", _I32),  # calls with known arguments, made before in this run
        ("reported", _I32),  # LLM spans by Priced, and bills
        ("computed", _I32),  # without any LLM span or bill: 1 where the outermost run span's cost was computed
        ("unpriced", _I32),
        ("approvals", _I32),
        ("approved", _I32),
        ("guarded", _I32),  # decisions of guards
        ("guarded_calls", _I32),  # those of them that name a tool
        ("blocked", _I32),
        ("feedback", _I32),  # evaluations other than task_success
        ("feedback_good", _I32),
        ("handoffs", _I32),  # to a person
        ("ranks", _I8, (len(DIMENSIONS),)),
        ("outcome_said", _I8),  # Outcome, by attribute
        ("outcome_rank", _I8),
        ("evaluated", _I8),  # Outcome, by evaluation
        ("root_status", _I8),  # SpanStatus
        ("agent_status", _I8),
        ("outcome", _I8),  # Outcome, derived when published
        ("outcome_from", _I8),
        ("task", _I8),  # how task_success counts it, after the policy for unknown outcomes: 0 not, 1 good, 2 bad
        ("escalated", _I8),
        ("closed_by", _I8),
        ("life", _I8),
        ("published", _I8),  # 1: its facts are counted in the SLIs
        ("recorded", _I8),  # 1: a run record was emitted
        ("stop", _I8),  # Stop, of that LLM span
        ("filler", _I8, (2,)),  # fills the last word: no byte may be undefined
    ],
    align=True,
)
