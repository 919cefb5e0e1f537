"""Kinds: events counted by how they were: failures by how they failed, tasks by their end, calls by what was before.

Cells like any other, of four more dimensions, but of one SLI each: the cost of a crashed task is nobody's question. Of
error types and failures there are only bad events: what did not fail has no kind. Where runs say the type of their
task, all of these and the tools of calls are counted by it, too: what users ask for is not how it is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.digest import digest_of
from models.layout import plain
from models.runs.calls import START
from models.runs.failing import failures_of
from models.slis.groups import BETWEEN, OF_TASK, TASK
from models.slis.pairs import pairs_of
from models.slis.tally import BAD, GOOD
from models.slis.task_success import TASK_SUCCESS
from models.slis.tool_success import TOOL_SUCCESS
from models.spans.columns import Stop
from models.sums import sum_by_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    _Count = tuple[str, NDArray[np.int64], int, NDArray[np.int64]]
    """Dimension; kind of each row; bin; amount of each row."""

SLI_OF = {
    "error": TOOL_SUCCESS.name,
    "failure": TASK_SUCCESS.name,
    "stop_reason": TASK_SUCCESS.name,
    "transition": TOOL_SUCCESS.name,
}
"""Dimension -> the SLI whose events have it."""

_SLI_OF = SLI_OF | {dimension: SLI_OF.get(of, TOOL_SUCCESS.name) for dimension, of in OF_TASK.items()}

STOPS = {digest_of(stop.name.lower()): stop.name.lower() for stop in Stop if stop}

_STOP_DIGESTS = np.array([0, *STOPS], np.int64)
_MINUTE_NS = 60_000_000_000
_TASK_GOOD, _TASK_FAILED = 1, 2  # RUN.task


def call_kinds(
    calls: NDArray[np.void], workflow: NDArray[np.int64], task: NDArray[np.int64], names: Mapping[int, str]
) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Count failed calls by error type, and all by transition, [7, n] as `Cells.cols`; gives the names of these kinds.

    `task` [n] is the type of each call's task, 0 where it is not known: then it is in no count by it. Calls whose
    type, or whose tool or the tool before, is not known have no kind.
    """
    known = (calls["before"] != 0) & (calls["tool"] != 0)
    pair = np.where(known, pairs_of(plain(calls["before"]), plain(calls["tool"])), 0)
    failed, succeeded = calls["errors"], calls["calls"] - calls["errors"]
    counted = (
        ("error", calls["error"], BAD, failed),
        ("transition", pair, BAD, failed),
        ("transition", pair, GOOD, succeeded),
    )
    transitions = _transitions(calls[known], pair[known], names)
    by_tool = (("tool", calls["tool"], BAD, failed), ("tool", calls["tool"], GOOD, succeeded))
    cells = _counted(workflow, calls["minute"], counted)
    cells, texts = _by_task(cells, workflow, calls["minute"], task, (*counted, *by_tool), names, transitions)
    return cells, transitions | texts


def run_kinds(
    runs: NDArray[np.void],
    workflow: NDArray[np.int64],
    weight: NDArray[np.int64],
    task: NDArray[np.int64],
    names: Mapping[int, str],
) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Count failed tasks by class of failure (`models.runs.failing`), and all by stop reason, as `call_kinds`."""
    bad, good = (np.where(runs["task"] == task, weight, 0) for task in (_TASK_FAILED, _TASK_GOOD))
    stop = _STOP_DIGESTS[runs["stop"]]
    counted = (
        ("failure", failures_of(runs), BAD, bad),
        ("stop_reason", stop, BAD, bad),
        ("stop_reason", stop, GOOD, good),
    )
    minute = runs["ended_at"] // _MINUTE_NS
    return _by_task(_counted(workflow, minute, counted), workflow, minute, task, counted, names)


def _by_task(
    cells: NDArray[np.int64],
    workflow: NDArray[np.int64],
    minute: NDArray[np.int64],
    task: NDArray[np.int64],
    counted: Iterable[_Count],
    *names: Mapping[int, str],
) -> tuple[NDArray[np.int64], dict[int, str]]:
    """Give `cells` and, where types of tasks are said, these counts by type and kind; and the texts of the pairs."""
    parts, texts, known = [cells], dict[int, str](), dict[int, str]()
    if not task.any():
        return cells, texts
    for each in names:
        known |= each
    for dimension, kind, bin_, amount in counted:
        rows = np.flatnonzero((task != 0) & (kind != 0) & (amount != 0))
        keys = np.zeros((6, len(rows)), np.int64)
        keys[0], keys[1], keys[2], keys[4], keys[5] = workflow[rows], task[rows], kind[rows], minute[rows], bin_
        first, sums = sum_by_key(keys, amount[rows][None])
        pair = np.vstack([keys[:, first], sums])[:, sums[0] != 0]
        own, whose = pair[1].tolist(), pair[2].tolist()
        dimension_of_task = f"{TASK}_{dimension}"
        pair[2] = pairs_of(np.ascontiguousarray(pair[1]), np.ascontiguousarray(pair[2]))
        pair[1], pair[3] = digest_of(dimension_of_task), digest_of(_SLI_OF[dimension_of_task])
        named = zip(pair[2].tolist(), own, whose, strict=True)
        texts |= {digest: f"{known.get(one, '?')}{BETWEEN}{known.get(other, '?')}" for digest, one, other in named}
        parts.append(pair)
    return np.concatenate(parts, axis=1), texts


def _transitions(calls: NDArray[np.void], pair: NDArray[np.int64], names: Mapping[int, str]) -> dict[int, str]:
    """Name the transitions of calls: digest -> text."""
    _, first = np.unique(pair, return_index=True)
    texts = {START: "start", **names}
    named = zip(pair[first].tolist(), calls["before"][first].tolist(), calls["tool"][first].tolist(), strict=True)
    return {digest: f"{texts.get(before, '?')} > {texts.get(tool, '?')}" for digest, before, tool in named}


def _counted(
    workflow: NDArray[np.int64],
    minute: NDArray[np.int64],
    counted: Iterable[_Count],
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
