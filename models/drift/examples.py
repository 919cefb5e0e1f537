"""Examples: runs that a person can open beside an alarm, of both sides of a contrast and of both sides of a change.

Of each group (a workflow alone, or one value of a dimension, or a tool that failed) one good and one bad run an hour
are remembered, the latest, for two days and for the groups heard of last. They explain; no evidence stands on them. A
restart forgets them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.run_id import run_id_of
from models.slis.cells import workflows_of
from models.slis.groups import OF_RUN, cohort_key
from models.spans.columns import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from models.drift.found import Found
    from models.runs.changes import Changes

MAX_A_BATCH = 256
"""Runs of a batch that are looked at, the latest of the bad ones and of the others each."""
MAX_GROUPS, HOURS = 2000, 48
_HOUR_NS, _MINUTE_NS = 3_600_000_000_000, 60_000_000_000
_AFTER, _BEFORE = 3, 2
_WHOLE = ("", "")
_BY_TIME = frozenset({"time", "objective"})


class Example(NamedTuple):
    """One run, as an example of one group it belongs to."""

    workflow: str
    dimension: str
    value: str
    ended_ns: int
    run_id: str
    is_bad: bool


def examples_of(changes: Sequence[Changes]) -> list[Example]:
    """Give the latest runs that a batch has told as they are now, by each of their groups."""
    return [example for each in changes for example in _of(each)]


def _of(changes: Changes) -> Iterator[Example]:
    runs, names = changes.runs, changes.names
    bad = (runs["outcome"] == Outcome.FAILURE) | (runs["escalated"] != 0)
    failed: dict[int, set[str]] = {}
    calls = changes.calls[changes.calls["errors"] > 0]
    for run, tool in zip(calls["run"].tolist(), calls["tool"].tolist(), strict=True):
        failed.setdefault(run, set()).add(names.get(tool, ""))
    workflows = workflows_of(runs)
    for of in (np.flatnonzero(bad & (changes.weight > 0)), np.flatnonzero(~bad & (changes.weight > 0))):
        for at in of[np.argsort(runs["ended_at"][of], kind="stable")][-MAX_A_BATCH:].tolist():
            run, workflow = runs[at], names.get(int(workflows[at]), "unknown")
            ended, run_id = int(run["ended_at"]), run_id_of(int(run["trace_hi"]), int(run["trace_lo"]))
            for dimension, value in _groups(run, names):
                yield Example(workflow, dimension, value, ended, run_id, bool(bad[at]))
            for tool in failed.get(at, ()):
                yield Example(workflow, "tool", tool, ended, run_id, is_bad=True)


def _groups(run: np.void, names: dict[int, str]) -> Iterator[tuple[str, str]]:
    yield _WHOLE
    yield from ((dimension, names[digest]) for dimension in OF_RUN if (digest := int(run[dimension])) in names)
    for name, value in zip(run["cohort_name"].tolist(), run["cohort_value"].tolist(), strict=True):
        if name in names and value in names:
            yield cohort_key(names[name]), names[value]


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
        """Give runs of what is held against, and runs of what is told of: since the change, bad ones first."""
        since = found.since * _MINUTE_NS
        after = _WHOLE if found.dimension in _BY_TIME else (found.dimension, found.to)
        is_named = found.dimension not in _BY_TIME and found.dimension != "tool"
        before = (found.dimension, found.from_) if is_named else _WHOLE
        of_before = self._runs(found.workflow, before)
        if not of_before and is_named:  # against the rest
            of_before = self._rest(found)
        later = [each for each in self._runs(found.workflow, after) if each[1] >= since]
        earlier = [each for each in of_before if is_named or each[1] < since]
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
