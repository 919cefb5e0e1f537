"""RUN: one simulated run as a record, first what is planned for it, then what came of it.

TOOL and SETTINGS: the tables in which a compiled kernel reads how a workflow behaves.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

_I64, _F64, _I8 = np.int64, np.float64, np.int8

RUN = np.dtype(
    [
        ("key", np.uint64),  # of all draws of the run
        ("index", _I64),  # in its workflow
        ("workflow", _I64),
        ("trace_hi", _I64),
        ("trace_lo", _I64),
        ("start", _I64),  # Unix ns
        ("user", _I64),
        ("version", _I64),  # position among the versions of the workflow, those of incidents included
        ("environment", _I64),
        ("resource", _I64),
        ("model", _I64),
        ("root", _I64),  # shape of the root span
        ("p_success", _F64),
        ("cost_factor", _F64),  # tokens are this many times the usual
        ("loop_tool", _I64),  # calls made over and over; -1: none
        ("loop_other", _I64),  # called in turn with `loop_tool`; -1: none
        ("loop_count", _I64),
        ("stranger", _I64),  # tool that does not exist; -1: none
        ("lure", _I64),  # shape of a tool call whose result carries an injection; -1: none
        ("lured", _I64),  # tool called on its behalf
        ("touched", _I64),  # bit i: incident i of the scenario touched this run
        # what came of it
        ("end", _I64),  # of the root span
        ("input_tokens", _I64),
        ("output_tokens", _I64),
        ("cost", _I64),  # nano-USD at list prices
        ("spans", _I64),
        ("llm_calls", _I64),
        ("tool_calls", _I64),
        ("tool_errors", _I64),  # timeouts included
        ("tool_timeouts", _I64),
        ("approvals", _I64),
        ("approved", _I64),
        ("success", _I8),
        ("escalated", _I8),
        ("crashed", _I8),
        ("guarded", _I8),
        ("blocked", _I8),
        ("evaluated", _I8),
        ("thumb", _I8),  # feedback: 0 none, 1 up, 2 down
    ],
    align=True,
)

TOOL = np.dtype(
    [
        ("edge", _F64),  # share of this and all tools before it; above 1: never chosen
        ("seconds", _F64),
        ("spread", _F64),
        ("errors", _F64),
        ("timeouts", _F64),
        ("approval", _F64),
        ("shape", _I64, (3,)),  # by Ending
    ],
    align=True,
)

SETTINGS = np.dtype(
    [
        ("rounds", _F64),
        ("rounds_spread", _F64),
        ("max_rounds", _I64),
        ("parallel", _F64),
        ("subagent", _F64),
        ("pause", _F64),  # s
        ("prompt_tokens", _I64),
        ("output_tokens", _F64),
        ("evaluation_delay", _F64),  # s
        ("transfer", _I64),  # the tool that hands a run to a person
    ],
    align=True,
)

OUTAGE = np.dtype(
    [
        ("tool", _I64),
        ("start", _I64),  # Unix ns
        ("stop", _I64),
        ("rate", _F64),  # share of the calls that fail
        ("ending", _I64),
        ("bit", _I64),
    ],
    align=True,
)


class Ending(IntEnum):
    """How a tool call ends."""

    OK = 0
    ERROR = 1
    TIMEOUT = 2
    REJECTED = 3  # by the person asked: no call


class Line(IntEnum):
    """Position of a shape in the lines of a workflow; those of its models follow from CHAT on."""

    ROOT = 0
    ROOT_FAILED = 1  # status ERROR
    ROOT_CRASHED = 2  # ended at the cap of steps, status ERROR
    ROOT_SUCCESS = 3  # outcome said by attribute
    ROOT_FAILURE = 4
    ROOT_ESCALATED = 5
    NESTED = 6
    GUARD_ALLOWS = 7
    GUARD_BLOCKS = 8
    APPROVED = 9
    REJECTED = 10
    PASS = 11
    FAIL = 12
    THUMB_UP = 13
    THUMB_DOWN = 14
    CHAT = 15
