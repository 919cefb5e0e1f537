"""Examples: runs that a person can open beside an alarm, of both sides of a contrast and of both sides of a change.

Of each group (a workflow alone, or one value of a dimension, or a tool that failed) one good and one bad run an hour
are remembered, the latest, for two days and for the groups heard of last. They explain; no evidence stands on them. A
restart forgets them. Runs by the age of their user come from `models.slis.user_runs`, all others from `examples_of`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.drift.roles import NO_TYPE
from models.run_id import run_id_of
from models.runs.changes import as_one
from models.runs.record import MAX_COHORTS
from models.runs.task_types import tasks_of
from models.slis.cells import workflows_of
from models.slis.groups import OF_RUN, TASK, cohort_key, told_value
from models.slis.user_runs import went_badly

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from models.drift.found import Found
    from models.runs.changes import Changes

MAX_GROUPS, HOURS = 2000, 48
_HOUR_NS, _MINUTE_NS = 3_600_000_000_000, 60_000_000_000
_AFTER, _BEFORE = 3, 2
_WHOLE = ("", "")
_BY_TIME = frozenset({"time", "objective"})
_PARTS = frozenset({"tool", TASK})
"""What has a past of its own within a workflow."""


class Example(NamedTuple):
    """One run, as an example of one group it belongs to."""

    workflow: str
    dimension: str
    value: str
    ended_ns: int
    run_id: str
    is_bad: bool


def examples_of(changes: Sequence[Changes]) -> list[Example]:
    """Give, of the runs that a batch has told as they are now, the latest good and the latest bad one of each group."""
    told = [each for each in changes if len(each.runs)]
    if not told:
        return []
    found = [example for column in _columns(_Told.of(told)) for example in column]
    return sorted(found, key=lambda example: example.ended_ns)[-MAX_GROUPS:]


class _Told(NamedTuple):
    """The runs of a batch. `rows` are those told as they are now, by their ends."""

    runs: NDArray[np.void]
    rows: NDArray[np.int64]
    workflows: NDArray[np.int64]
    bad: NDArray[np.bool_]
    names: dict[int, str]
    calls: NDArray[np.void]

    @staticmethod
    def of(told: Sequence[Changes]) -> _Told:
        every = as_one(told)
        runs, now = every.runs, np.flatnonzero(every.weight > 0)
        return _Told(
            runs,
            now[np.argsort(runs["ended_at"][now], kind="stable")],
            workflows_of(runs),
            went_badly(runs),
            every.names,
            every.calls,
        )


def _columns(told: _Told) -> Iterator[Iterator[Example]]:
    """Give the examples by workflow, by each dimension, by each cohort a run has or lacks, and by tools that failed."""
    runs, rows = told.runs, told.rows
    yield _latest(told, rows, "", np.zeros(len(rows), np.int64))
    for dimension in OF_RUN:
        yield _latest(told, rows, dimension, runs[dimension][rows])
    for place in range(MAX_COHORTS):
        named = rows[runs["cohort_name"][rows, place] != 0]
        yield _latest(told, named, runs["cohort_name"][named, place], runs["cohort_value"][named, place])
    tasks = tasks_of(runs)[rows]
    none = rows[(tasks == 0) & np.isin(told.workflows[rows], told.workflows[rows[tasks != 0]])]
    yield (each._replace(dimension=TASK, value=NO_TYPE) for each in _latest(told, none, "", np.zeros_like(none)))
    failed = told.calls[told.calls["errors"] > 0]
    failed = failed[np.argsort(runs["ended_at"][failed["run"]], kind="stable")]
    yield _latest(told._replace(bad=np.ones(len(runs), np.bool_)), failed["run"], "tool", failed["tool"])


def _latest(
    told: _Told, rows: NDArray[np.int64], dimension: str | NDArray[np.int64], values: NDArray[np.int64]
) -> Iterator[Example]:
    """Give the last of `rows` of each group and side. A dimension is its key, or the name of a cohort by row."""
    workflows, bad = told.workflows[rows], told.bad[rows]
    groups = workflows * 31 + values * 37 + bad + (0 if isinstance(dimension, str) else dimension * 41)
    _, last = np.unique(groups[::-1], return_index=True)  # as one number: rows take ten times as long
    for at in (len(rows) - 1 - last).tolist():
        row = int(rows[at])
        names, run = told.names, told.runs[row]
        said = dimension if isinstance(dimension, str) else cohort_key(names.get(int(dimension[at]), "cohort"))
        value = names.get(int(values[at])) if said else ""
        if value is not None:
            run_id = run_id_of(int(run["trace_hi"]), int(run["trace_lo"]))
            workflow = names.get(int(workflows[at]), "unknown")
            yield Example(workflow, said, told_value(said, value), int(run["ended_at"]), run_id, bool(bad[at]))


class Examples:
    """What is remembered: group -> (hour, is bad) -> (end, run)."""

    def __init__(self) -> None:
        self._groups: OrderedDict[tuple[str, str, str], dict[tuple[int, bool], tuple[int, str]]] = OrderedDict()

    def take(self, examples: Iterable[Example]) -> None:
        """Remember."""
        for workflow, dimension, value, ended, run_id, is_bad in examples:
            group = self._groups.setdefault((workflow, dimension, value), {})
            self._groups.move_to_end((workflow, dimension, value))
            place = ended // _HOUR_NS, is_bad
            group[place] = max(group.get(place, (0, "")), (ended, run_id))
            if len(group) > 2 * HOURS:
                del group[min(group)]
        while len(self._groups) > MAX_GROUPS:
            self._groups.popitem(last=False)

    def beside(self, found: Found) -> tuple[list[str], list[str]]:
        """Give runs of what is held against, and runs of what is told of: since the change, bad ones first.

        None that ended after what was looked at: a replay has read them already, a live service would not have.
        """
        since, until = found.since * _MINUTE_NS, found.at * _MINUTE_NS
        after = _WHOLE if found.dimension in _BY_TIME else (found.dimension, found.to)
        is_named = found.dimension not in _BY_TIME | _PARTS
        before = (found.dimension, found.from_) if is_named else after if found.dimension == TASK else _WHOLE
        of_before = self._runs(found.workflow, before)
        if not of_before and is_named:  # against the rest
            of_before = self._rest(found)
        later = [each for each in self._runs(found.workflow, after) if since <= each[1] <= until]
        earlier = [each for each in of_before if each[1] <= until and (is_named or each[1] < since)]
        told = [run_id for _, _, run_id in sorted(later, reverse=True)[:_AFTER]]
        latest = sorted((ended, run_id) for _, ended, run_id in earlier if run_id not in told)
        return [run_id for _, run_id in latest[::-1][:_BEFORE]], told

    def _runs(self, workflow: str, group: tuple[str, str]) -> list[tuple[bool, int, str]]:
        kept = self._groups.get((workflow, *group), {})
        return [(is_bad, ended, run_id) for (_, is_bad), (ended, run_id) in kept.items()]

    def _rest(self, found: Found) -> list[tuple[bool, int, str]]:
        values = [
            (dimension, value)
            for workflow, dimension, value in self._groups
            if (workflow, dimension) == (found.workflow, found.dimension) and value != found.to
        ]
        return [run for group in values for run in self._runs(found.workflow, group)]
