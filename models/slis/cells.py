"""Cells: signed counts by (workflow, dimension, value, SLI, minute, bin), the form in which SLIs travel and add up."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from models.digest import digest_of
from models.layout import plain
from models.runs.changes import CALL, as_one
from models.runs.failing import FAILURES
from models.runs.task_types import tasks_of
from models.slis import ALL
from models.slis.crossing import crossing_of
from models.slis.groups import (
    OF_RUN,
    SHARDS,
    UNKNOWN_WORKFLOW,
    USER,
    cohort_names,
    series_shards,
)
from models.slis.kinds import SLI_OF, STOPS, call_kinds, run_kinds
from models.slis.parting import digests_in, part
from models.slis.rows import Query
from models.slis.tally import cells_from, groups_of, histogram_sums, ratio_sums
from models.slis.user_runs import no_runs, rows_of_users
from models.slis.user_types import types_in, user_types

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from models.runs.changes import Changes
    from models.slis.base import Sli
    from models.slis.crossing import Crossing

MINUTE_NS = 60_000_000_000

_FROM_RUN = (*OF_RUN, "cohort_name", "cohort_value")
"""What calls take from their run, whatever the SLIs read."""


@dataclass(frozen=True)
class Cells:
    """`cols` is int64 [7, n]: workflow, dimension, value, sli (digests), minute (Unix minutes), bin, count (signed).

    A dimension is the digest of its name (`models.slis.groups`), 0 for the workflow alone, `cohort_dimension` of the
    name of a cohort. A ratio has the bins BAD = 0, GOOD = 1; a histogram log bins, plus OVER for values over the cap.
    `names` gives the text of every workflow and value, and the group key of every cohort dimension.
    """

    cols: NDArray[np.int64]
    names: dict[int, str]
    users: NDArray[np.int64] = field(default_factory=lambda: np.empty((7, 0), np.int64))
    """As `cols`, with users for values, by type of task (`models.slis.user_types`): told by their ages only."""
    runs: NDArray[np.int64] = field(default_factory=no_runs)
    """Whose they are, and how they ended (`models.slis.user_runs`): shown by the ages of users only."""

    def __len__(self) -> int:
        """Count the cells."""
        return int(self.cols.shape[1])

    @property
    def workflow(self) -> NDArray[np.int64]:
        """Name digests of the workflows."""
        return _row(self.cols, 0)

    @property
    def dimension(self) -> NDArray[np.int64]:
        """Digests of the dimensions, 0: the workflow alone."""
        return _row(self.cols, 1)

    @property
    def value(self) -> NDArray[np.int64]:
        """Name digests of the values, 0 with dimension 0."""
        return _row(self.cols, 2)

    @property
    def sli(self) -> NDArray[np.int64]:
        """Digests of the SLIs' names."""
        return _row(self.cols, 3)

    @property
    def minute(self) -> NDArray[np.int64]:
        """Unix minutes of event time."""
        return _row(self.cols, 4)

    @property
    def bin(self) -> NDArray[np.int64]:
        """Bins."""
        return _row(self.cols, 5)

    @property
    def count(self) -> NDArray[np.int64]:
        """Signed counts, never 0."""
        return _row(self.cols, 6)

    def split(self, shards: int = SHARDS) -> dict[int, Cells]:
        """Part the cells by series shard, each with the names it needs; order is kept within a shard."""
        if len(self) == 0 and self.users.shape[1] == 0:
            return {}
        cols, bounds = part(self.cols, series_shards(self.workflow, shards), shards)
        users, of_users = part(self.users, series_shards(_row(self.users, 0), shards), shards)
        runs, of_runs = part(self.runs, series_shards(_row(self.runs, 0), shards), shards)
        parts = zip(*(pairwise(each.tolist()) for each in (bounds, of_users, of_runs)), strict=True)
        return {
            shard: Cells(
                cols[:, start:stop],
                _used(digests_in(cols, start, stop), self.names) | _used(types_in(users[:, slice(*own)]), self.names),
                users[:, slice(*own)],
                runs[:, slice(*whose)],
            )
            for shard, ((start, stop), own, whose) in enumerate(parts)
            if start < stop or own[0] < own[1]
        }

    @staticmethod
    def empty() -> Cells:
        """Give no cells."""
        return Cells(np.empty((7, 0), np.int64), {})


def cells_of(changes: Sequence[Changes], slis: Sequence[Sli] = ALL, *, by_user: bool = False) -> Cells:
    """Count all SLIs over all groups of a batch of changes; `by_user`: and by user.

    A run counts in the minute of its end, a call in its own. Rows of weight 0 only lend their names to calls.
    """
    told = as_one(changes)
    runs, calls, weight = told.runs, told.calls, told.weight
    workflow, task = workflows_of(runs), tasks_of(runs)
    names, counted = _names(told.names, runs), {sli.name for sli in slis}
    crossing, users = crossing_of(runs, task, names), user_types(runs["user"], task) if by_user else None
    crossing = crossing.beside(USER, users.values) if users else crossing
    cols = [_run_cells(runs, workflow, weight, slis, crossing)]
    texts = crossing.texts
    if SLI_OF["failure"] in counted:
        kinds, of_kinds = run_kinds(runs, workflow, weight, task, names)
        cols.append(kinds)
        texts |= of_kinds
    if len(calls):
        row = calls["run"]
        cols.append(_call_cells(calls, runs, workflow, row, slis, crossing))
        if SLI_OF["error"] in counted:
            kinds, of_kinds = call_kinds(calls, workflow[row], task[row], names)
            cols.append(kinds)
            texts |= of_kinds
    every = np.concatenate(cols, axis=1) if len(cols) > 1 else cols[0]
    if users is None:
        return Cells(every, names | texts)
    every, of_users = _without_users(every)
    return Cells(every, names | texts, users.parted(of_users), rows_of_users(runs, workflow, weight))


def _names(texts: Mapping[int, str], runs: NDArray[np.void]) -> dict[int, str]:
    names = {UNKNOWN_WORKFLOW: "unknown"} | FAILURES | STOPS | dict(texts)
    cohorts = np.unique(runs["cohort_name"]).tolist()
    return names | cohort_names([c for c in cohorts if c], names)


def _without_users(cols: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Part the cells by user from all others."""
    ordered, bounds = part(cols, (cols[1] == USER).astype(np.int64), 2)
    return np.ascontiguousarray(ordered[:, : bounds[1]]), np.ascontiguousarray(ordered[:, bounds[1] :])


@lru_cache(maxsize=8)
def _queries(slis: tuple[Sli, ...]) -> tuple[Query, Query]:
    return Query(slis, "run"), Query(slis, "call")


@cache
def _dimensions(*names: str) -> NDArray[np.int64]:
    return np.array([digest_of(name) for name in names], np.int64)


def _run_cells(
    runs: NDArray[np.void],
    workflow: NDArray[np.int64],
    weight: NDArray[np.int64],
    slis: Sequence[Sli],
    crossing: Crossing,
) -> NDArray[np.int64]:
    counts, pairs = np.flatnonzero(weight), crossing.values
    if not len(counts):
        return Cells.empty().cols
    if len(counts) < len(runs):
        runs, workflow, weight, pairs = runs[counts], workflow[counts], weight[counts], crossing.of(counts)
    query = _queries(tuple(slis))[0]
    columns = {field: runs[field] for field in query.fields} | {"workflow": workflow}
    groups, members = groups_of(
        workflow,
        runs["ended_at"] // MINUTE_NS,
        np.append(_dimensions(*OF_RUN), crossing.dimensions),
        np.concatenate([_values(runs, OF_RUN), pairs]),
        plain(runs["cohort_name"]),
        plain(runs["cohort_value"]),
    )
    return _tallied(query, columns, groups, members, weight)


def _call_cells(
    calls: NDArray[np.void],
    runs: NDArray[np.void],
    workflow: NDArray[np.int64],
    row: NDArray[np.int64],
    slis: Sequence[Sli],
    crossing: Crossing,
) -> NDArray[np.int64]:
    query = _queries(tuple(slis))[1]
    own = set(CALL.names or ())
    of_run = {field: runs[field][row] for field in {*query.fields, *_FROM_RUN} - own} | {"workflow": workflow[row]}
    columns = of_run | {field: calls[field] for field in query.fields if field in own}
    values = np.stack([*(of_run[name] for name in OF_RUN), calls["tool"], *crossing.of(row)])
    cohorts = plain(of_run["cohort_name"]), plain(of_run["cohort_value"])
    dimensions = np.append(_dimensions(*OF_RUN, "tool"), crossing.dimensions)
    groups, members = groups_of(of_run["workflow"], plain(calls["minute"]), dimensions, values, *cohorts)
    return _tallied(query, columns, groups, members, np.ones(len(calls), np.int64))


def _tallied(
    query: Query,
    columns: Mapping[str, NDArray[np.generic]],
    groups: NDArray[np.int64],
    members: NDArray[np.int64],
    weight: NDArray[np.int64],
) -> NDArray[np.int64]:
    said = query.ask(columns, len(weight))
    sums = ratio_sums(members, len(groups), said.good, said.bad, weight)
    keys, counts = histogram_sums(members, said.bins, weight)
    cells: NDArray[np.int64] = cells_from(groups, sums, query.ratios, keys, counts, query.histograms)
    return cells


def workflows_of(runs: NDArray[np.void]) -> NDArray[np.int64]:
    """Give the workflow that each run counts for: said, else its agent, else its service."""
    workflow = np.where(runs["workflow"] != 0, runs["workflow"], runs["agent"])
    workflow = np.where(workflow != 0, workflow, runs["service"])
    return np.where(workflow != 0, workflow, UNKNOWN_WORKFLOW)


def _values(runs: NDArray[np.void], dimensions: Sequence[str]) -> NDArray[np.int64]:
    return np.stack([runs[name] for name in dimensions])


def _used(digests: NDArray[np.int64], names: dict[int, str]) -> dict[int, str]:
    return {digest: names[digest] for digest in digests.tolist() if digest in names}


def _row(cols: NDArray[np.int64], at: int) -> NDArray[np.int64]:
    row: NDArray[np.int64] = cols[at]
    return row
