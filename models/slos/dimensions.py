"""Dimensions: what a bad event can be blamed on. Adding one is a line here: its name, and where a run says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.runs.failing import failures_of

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


def dimensions_of(runs: NDArray[np.void]) -> NDArray[np.int64]:
    """Give the values of RUN rows, int64 [dimension, row]; those of `tool` and `error` are 0."""
    out = np.zeros((len(DIMENSIONS), len(runs)), np.int64)
    for place, name in enumerate(DIMENSIONS):
        if place not in (TOOL, FAILURE, ERROR):
            out[place] = runs[name]
    out[FAILURE] = failures_of(runs)
    return out
