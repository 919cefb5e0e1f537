"""Kinds: what failed, counted by how: failed calls by error type, failed tasks by the class of their failure.

Cells like any other, of two more dimensions, but of one SLI each and of bad events only: what did not fail has no kind,
and the cost of a crashed task is nobody's question. So they cost what failures are: few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.digest import digest_of
from models.runs.failing import failures_of
from models.slis.groups import OF_FAILED
from models.slis.task_success import TASK_SUCCESS
from models.slis.tool_success import TOOL_SUCCESS
from models.sums import sum_by_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLI_OF = dict(zip(OF_FAILED, (TOOL_SUCCESS.name, TASK_SUCCESS.name), strict=True))
"""Dimension of what failed -> the SLI whose bad events have it."""

_MINUTE_NS = 60_000_000_000
_TASK_FAILED = 2  # RUN.task


def call_kinds(calls: NDArray[np.void], workflow: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count failed calls by error type, [7, n] as `Cells.cols`. Calls whose type is not known have no kind."""
    rows = np.flatnonzero(calls["error"])
    calls = calls[rows]
    return _cells("error", workflow[rows], calls["error"], calls["minute"], calls["errors"])


def run_kinds(runs: NDArray[np.void], workflow: NDArray[np.int64], weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count failed tasks by class of failure (`models.runs.failing`), [7, n] as `Cells.cols`."""
    rows = np.flatnonzero((runs["task"] == _TASK_FAILED) & (weight != 0))
    runs = runs[rows]
    kind = failures_of(runs)
    known = kind != 0
    return _cells(
        "failure", workflow[rows][known], kind[known], runs["ended_at"][known] // _MINUTE_NS, weight[rows][known]
    )


def _cells(
    dimension: str,
    workflow: NDArray[np.int64],
    kind: NDArray[np.int64],
    minute: NDArray[np.int64],
    failed: NDArray[np.int64],
) -> NDArray[np.int64]:
    keys = np.zeros((6, len(kind)), np.int64)  # the last is the bin: BAD
    keys[0], keys[2], keys[4] = workflow, kind, minute
    keys[1], keys[3] = digest_of(dimension), digest_of(SLI_OF[dimension])
    first, sums = sum_by_key(keys, failed[None])
    cells = np.vstack([keys[:, first], sums])
    return cells[:, cells[-1] != 0]
