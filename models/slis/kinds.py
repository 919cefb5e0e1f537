"""Kinds: events counted by how they were: failures by how they failed, tasks by their end, calls by what was before.

Cells like any other, of four more dimensions, but of one SLI each: the cost of a crashed task is nobody's question. Of
error types and failures there are only bad events: what did not fail has no kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.digest import digest_of, mix64
from models.kernels import allocating
from models.layout import plain
from models.runs.calls import START
from models.runs.failing import failures_of
from models.slis.tally import BAD, GOOD
from models.slis.task_success import TASK_SUCCESS
from models.slis.tool_success import TOOL_SUCCESS
from models.spans.columns import Stop
from models.sums import sum_by_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

SLI_OF = {
    "error": TOOL_SUCCESS.name,
    "failure": TASK_SUCCESS.name,
    "stop_reason": TASK_SUCCESS.name,
    "transition": TOOL_SUCCESS.name,
}
"""Dimension -> the SLI whose events have it."""

STOPS = {digest_of(stop.name.lower()): stop.name.lower() for stop in Stop if stop}

_STOP_DIGESTS = np.array([0, *STOPS], np.int64)
_MINUTE_NS = 60_000_000_000
_TASK_GOOD, _TASK_FAILED = 1, 2  # RUN.task


def call_kinds(
    calls: NDArray[np.void], workflow: NDArray[np.int64], names: Mapping[int, str]
) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Count failed calls by error type, and all by transition, [7, n] as `Cells.cols`; gives the names of transitions.

    Calls whose type, or whose tool or the tool before, is not known have no kind.
    """
    known = (calls["before"] != 0) & (calls["tool"] != 0)
    pair = np.where(known, _pairs(plain(calls["before"]), plain(calls["tool"])), 0)
    failed = calls["errors"]
    counted = (
        ("error", calls["error"], BAD, failed),
        ("transition", pair, BAD, failed),
        ("transition", pair, GOOD, calls["calls"] - failed),
    )
    return _counted(workflow, calls["minute"], counted), _transitions(calls[known], pair[known], names)


def run_kinds(runs: NDArray[np.void], workflow: NDArray[np.int64], weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count failed tasks by class of failure (`models.runs.failing`), and all by stop reason, as `Cells.cols`."""
    bad, good = (np.where(runs["task"] == task, weight, 0) for task in (_TASK_FAILED, _TASK_GOOD))
    stop = _STOP_DIGESTS[runs["stop"]]
    counted = (
        ("failure", failures_of(runs), BAD, bad),
        ("stop_reason", stop, BAD, bad),
        ("stop_reason", stop, GOOD, good),
    )
    return _counted(workflow, runs["ended_at"] // _MINUTE_NS, counted)


def _transitions(calls: NDArray[np.void], pair: NDArray[np.int64], names: Mapping[int, str]) -> dict[int, str]:
    """Name the transitions of calls: digest -> text."""
    _, first = np.unique(pair, return_index=True)
    texts = {START: "start", **names}
    named = zip(pair[first].tolist(), calls["before"][first].tolist(), calls["tool"][first].tolist(), strict=True)
    return {digest: f"{texts.get(before, '?')} > {texts.get(tool, '?')}" for digest, before, tool in named}


@allocating
def _pairs(before: Any, tool: Any) -> Any:
    out = np.empty(before.size, np.int64)
    for i in range(before.size):
        out[i] = np.int64(mix64(np.uint64(before[i]) ^ mix64(np.uint64(tool[i]))))
    return out


def _counted(
    workflow: NDArray[np.int64],
    minute: NDArray[np.int64],
    counted: Iterable[tuple[str, NDArray[np.int64], int, NDArray[np.int64]]],
) -> NDArray[np.int64]:
    """Add up (dimension, kind of each row, bin, amount of each row); kind 0 and amount 0 are left out."""
    parts = []
    for dimension, kind, bin_, amount in counted:
        rows = np.flatnonzero((kind != 0) & (amount != 0))
        keys = np.zeros((6, len(rows)), np.int64)
        keys[0], keys[2], keys[4], keys[5] = workflow[rows], kind[rows], minute[rows], bin_
        keys[1], keys[3] = digest_of(dimension), digest_of(SLI_OF[dimension])
        first, sums = sum_by_key(keys, amount[rows][None])
        cells = np.vstack([keys[:, first], sums])
        parts.append(cells[:, cells[-1] != 0])
    return np.concatenate(parts, axis=1)
