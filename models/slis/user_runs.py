"""User runs: which run of a new, and which of an existing user of a workflow a person can open. Rows in, a few out.

Only the series shard of a workflow knows how old its users are (`models.slis.user_ages`), so the runs of a batch travel
to it beside their cells. It keeps of each workflow, age, side and hour the latest, until they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.run_id import run_id_of
from models.slis.user_ages import NAMES as AGES
from models.spans.columns import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MOST = 1000
"""Runs kept of a shard, the latest, where nobody asks."""

_HOUR_NS = 3_600_000_000_000
_WORKFLOW, _USER, _ENDED, _HIGH, _LOW, _BAD = range(6)
_AGE = _USER
"""The row of users becomes that of their ages."""


class UserRun(NamedTuple):
    """A run of a user of this age, `new` or `existing`; it ended at Unix ns."""

    workflow: str
    age: str
    ended_ns: int
    run_id: str
    is_bad: bool


def no_runs() -> NDArray[np.int64]:
    """Give no rows of runs."""
    return np.empty((6, 0), np.int64)


def rows_of_users(runs: NDArray[np.void], workflow: NDArray[np.int64], weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give int64 [6, n]: workflow, user (digests), end (Unix ns), run id (two words), 1 where it went badly.

    Of the RUN rows that are told as they are now, and have a user.
    """
    now = np.flatnonzero((weight > 0) & (runs["user"] != 0))
    out = np.empty((6, len(now)), np.int64)
    out[_WORKFLOW] = workflow[now]
    for row, name in ((_USER, "user"), (_ENDED, "ended_at"), (_HIGH, "trace_hi"), (_LOW, "trace_lo")):
        out[row] = runs[name][now]
    out[_BAD] = went_badly(runs)[now]
    return out


def went_badly(runs: NDArray[np.void]) -> NDArray[np.bool_]:
    """Say which RUN rows are examples of what went badly: failed, or handed to a person."""
    found: NDArray[np.bool_] = (runs["outcome"] == Outcome.FAILURE) | (runs["escalated"] != 0)
    return found


class LatestRuns:
    """The runs of one series shard since they were last asked for. Nothing of it outlives a restart: they explain."""

    def __init__(self) -> None:
        self._rows, self._names = no_runs(), dict[int, str]()

    def __len__(self) -> int:
        """Count the runs."""
        return int(self._rows.shape[1])

    def add(self, runs: NDArray[np.int64], ages: NDArray[np.int64], names: Mapping[int, str]) -> None:
        """Take rows as `rows_of_users` gives them; `ages` [n] are digests, 0 where a user has none."""
        known = np.flatnonzero(ages)
        if not len(known):
            return
        rows = runs[:, known]
        rows[_AGE] = ages[known]
        self._rows = _latest(np.concatenate([self._rows, rows], axis=1))
        there = np.unique(self._rows[_WORKFLOW]).tolist()
        named = {**self._names, **names}
        self._names = {workflow: named[workflow] for workflow in there if workflow in named}

    def take(self) -> list[UserRun]:
        """Give them, by their ends, and forget them."""
        rows, names, self._rows, self._names = self._rows, self._names, no_runs(), {}
        return [
            UserRun(names[workflow], AGES[age], ended, run_id_of(high, low), bool(bad))
            for workflow, age, ended, high, low, bad in rows.T.tolist()
            if workflow in names
        ]


def _latest(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the latest of each workflow, age, side and hour, by their ends; no more than MOST."""
    rows = rows[:, np.lexsort((rows[_LOW], rows[_HIGH], rows[_ENDED]))[::-1]]
    # as one number: rows take ten times as long
    groups = rows[_WORKFLOW] * 31 + rows[_AGE] * 37 + rows[_ENDED] // _HOUR_NS * 41 + rows[_BAD]
    _, last = np.unique(groups, return_index=True)
    return rows[:, np.sort(last)[:MOST][::-1]]
