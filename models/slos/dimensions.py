"""Dimensions: what a bad event can be blamed on. Adding one is a line here: its name, and where a run says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.digest import digest_of
from models.runs.record import ClosedBy, OutcomeFrom
from models.spans.columns import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIMENSIONS = ("version", "prompt", "toolset", "variant", "tool", "tenant", "tier", "environment", "failure", "error")
"""`tool`: of SLIs of calls the tool called, of SLIs of runs a tool that failed in it. `failure`: how a run failed.
`error`: the error type of a failed call, of SLIs of runs one that was met in it."""

EVERYTHING = -1
"""The dimension of the slice that holds all events of an instance."""

TOOL, FAILURE, ERROR = (DIMENSIONS.index(name) for name in ("tool", "failure", "error"))

CHANGES = frozenset({"version", "prompt", "toolset", "variant"})
"""Dimensions that somebody rolls out: a value seen for the first time is a change."""

DESCRIBES = frozenset({"failure", "error"})
"""Dimensions that only bad events have: they tell what happened, not who is to blame."""

_FAILURES = ("crashed", "escalated", "abandoned", "judged", "reported", "tool errors")
_CRASHED, _ESCALATED, _ABANDONED, _JUDGED, _REPORTED, _TOOL_ERRORS = (digest_of(name) for name in _FAILURES)
FAILURES = {digest_of(name): name for name in _FAILURES}
"""How a run failed, the first that holds: its status is an error (crashed), it was handed to a person, its root never
came (abandoned), an evaluation or its own outcome said so (judged, reported), tools failed in it."""


def dimensions_of(runs: NDArray[np.void]) -> NDArray[np.int64]:
    """Give the values of RUN rows, int64 [dimension, row]; those of `tool` and `error` are 0."""
    out = np.zeros((len(DIMENSIONS), len(runs)), np.int64)
    for place, name in enumerate(DIMENSIONS):
        if place not in (TOOL, FAILURE, ERROR):
            out[place] = runs[name]
    out[FAILURE] = _failures(runs)
    return out


def _failures(runs: NDArray[np.void]) -> NDArray[np.int64]:
    failed, source = runs["outcome"] == Outcome.FAILURE, runs["outcome_from"]
    cases = [
        (failed & (source == OutcomeFrom.STATUS), _CRASHED),
        (runs["escalated"] != 0, _ESCALATED),
        (runs["closed_by"] == ClosedBy.IDLE, _ABANDONED),
        (failed & (source == OutcomeFrom.EVALUATION), _JUDGED),
        (failed & (source == OutcomeFrom.ATTRIBUTE), _REPORTED),
        (runs["tool_errors"] > 0, _TOOL_ERRORS),
    ]
    found: NDArray[np.int64] = np.select([case for case, _ in cases], [name for _, name in cases], 0)
    return found
