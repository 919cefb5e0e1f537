"""Counting: changes -> events of every SLO that looks at them. Stateless; everything is counted in a few passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.digest import digest_of
from models.runs.changes import CALL, as_one
from models.runs.failing import FAILURES
from models.runs.record import OutcomeFrom
from models.slis import ALL
from models.slis.cells import workflows_of
from models.slis.groups import UNKNOWN_WORKFLOW, series_shards
from models.slos.dimensions import ERROR, EVERYTHING, TOOL, dimensions_of
from models.slos.events import SHARDS, Events
from models.slos.plan import FIELDS, Plan
from models.sums import sum_by_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.runs.changes import Changes
    from models.slis.base import Sli
    from models.slos.spec import Slo

PANE_S, SLICE_S = 10, 600
"""Panes of counts and of slices, seconds."""
EXAMPLES = 16
"""Bad runs told of one instance and minute: the latest."""
_SECOND_NS, _MINUTE_S = 1_000_000_000, 60


_Arrays = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64]"]
"""Counts, slices and runs of `Events`."""


class _Rows(NamedTuple):
    """Rows that SLOs look at: runs, or calls with their run."""

    runs: NDArray[np.void]
    names: NDArray[np.int64]  # [FIELDS, row]
    dimensions: NDArray[np.int64]  # [dimension, row]
    seconds: NDArray[np.int64]
    known: NDArray[np.int64]  # [(closed, settled), row]: Unix second at which that was known


class _Hits(NamedTuple):
    """An SLO and a row that it counts."""

    row: NDArray[np.int64]
    instance: NDArray[np.int64]  # [(SLO, VALUE, SHARD), hit]
    total: NDArray[np.int64]
    bad: NDArray[np.int64]
    known: NDArray[np.int64]


class _Met(NamedTuple):
    """What runs met in their calls: values of a dimension (0: none) by row of `_Rows.runs`."""

    dimension: int
    run: NDArray[np.int64]
    value: NDArray[np.int64]


class Counter:
    """Counts for these SLOs. Raises ValueError for an indicator that cannot be measured.

    `by_clock`: what is counted is known now; else when its run closed, or was evaluated.
    """

    def __init__(self, slos: Sequence[Slo], slis: Sequence[Sli] = ALL, *, by_clock: bool = True) -> None:
        self._by_clock = by_clock
        self._of_runs, self._of_calls = Plan(slos, slis, "run"), Plan(slos, slis, "call")
        self._digests = np.array([digest_of(slo.name) for slo in slos], np.int64)
        self._splits = np.array([FIELDS.index(slo.split) if slo.split else -1 for slo in slos], np.int64)
        self._at_home = np.array([is_of_workflow(slo) for slo in slos], np.bool_)
        self._names = {digest_of(slo.name): slo.name for slo in slos} | FAILURES | {UNKNOWN_WORKFLOW: "unknown"}

    def count(self, changes: Sequence[Changes]) -> Events:
        """Count a batch of changes."""
        every = as_one(changes)
        runs, weight, calls, of = every.runs, every.weight, every.calls, every.calls["run"]
        names = self._names | every.names
        known = np.zeros((2, len(runs)), np.int64) if self._by_clock else _known(runs, weight)
        parts = [self._count_calls(runs, calls, of, known)] if self._of_calls and len(calls) else []
        if self._of_runs and weight.any():
            parts.append(self._count_runs(runs, weight, calls, of, known))
        return Events.joined([Events(counts, slices, examples, names) for counts, slices, examples in parts])

    def _count_runs(
        self,
        runs: NDArray[np.void],
        weight: NDArray[np.int64],
        calls: NDArray[np.void],
        of: NDArray[np.int64],
        known: NDArray[np.int64],
    ) -> _Arrays:
        workflow = workflows_of(runs)
        names = _names(runs, workflow, np.zeros(len(runs), np.int64))
        rows = _Rows(runs, names, dimensions_of(runs), runs["ended_at"] // _SECOND_NS, known)
        columns = {field: runs[field] for field in self._of_runs.query.fields} | {"workflow": workflow}
        hits = self._hits(self._of_runs, rows, columns, weight)
        met = [_Met(TOOL, of, np.where(calls["errors"] != 0, calls["tool"], 0)), _Met(ERROR, of, calls["error"])]
        return _counts(hits, rows), _slices(hits, rows, met), _examples(hits, rows)

    def _count_calls(
        self, runs: NDArray[np.void], calls: NDArray[np.void], of: NDArray[np.int64], known: NDArray[np.int64]
    ) -> _Arrays:
        own, of_runs = set(CALL.names or ()), runs[of]
        workflow = workflows_of(of_runs)
        columns = {f: calls[f] if f in own else of_runs[f] for f in self._of_calls.query.fields}
        dimensions = dimensions_of(of_runs)
        dimensions[TOOL], dimensions[ERROR] = calls["tool"], calls["error"]
        names, seconds = _names(of_runs, workflow, calls["tool"]), calls["minute"] * _MINUTE_S
        rows = _Rows(of_runs, names, dimensions, seconds, known[:, of])
        ones = np.ones(len(calls), np.int64)
        hits = self._hits(self._of_calls, rows, columns | {"workflow": workflow}, ones)
        return _counts(hits, rows), _slices(hits, rows, []), _examples(hits, rows)

    def _hits(
        self, plan: Plan, rows: _Rows, columns: dict[str, NDArray[np.generic]], weight: NDArray[np.int64]
    ) -> _Hits:
        said = plan.query.ask(columns, len(weight))
        row, place = plan.match(rows.names, rows.runs["cohort_name"], rows.runs["cohort_value"])
        measure, slo = plan.measure[place], plan.chosen[place]
        bad = said.bad[measure, row] * weight[row]
        total = said.good[measure, row] * weight[row] + bad
        split = self._splits[slo]
        value = np.where(split >= 0, rows.names[split, row], 0)
        home = np.where(self._at_home[slo], rows.names[0, row], self._digests[slo])
        counts = np.flatnonzero((total != 0) & ((split < 0) | (value != 0)))
        counts = counts[np.argsort(rows.seconds[row[counts]], kind="stable")]  # the first of a value is its earliest
        instance = np.stack([self._digests[slo], value, series_shards(home, SHARDS)])
        known = rows.known[plan.waits[place[counts]].astype(np.int64), row[counts]] // PANE_S * PANE_S
        return _Hits(row[counts], instance[:, counts], total[counts], bad[counts], known)


def _known(runs: NDArray[np.void], weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give (closed, settled) of each row. What is taken back is so when that which takes its place is known."""
    judged = np.where(runs["outcome_from"] == OutcomeFrom.EVALUATION, runs["evaluated_at"], 0)
    known = np.stack([runs["closed_at"], np.maximum(runs["closed_at"], judged)]) // _SECOND_NS
    same = (runs["trace_lo"][:-1] == runs["trace_lo"][1:]) & (runs["trace_hi"][:-1] == runs["trace_hi"][1:])
    back = np.flatnonzero(same & (weight[:-1] < 0) & (weight[1:] > 0))
    known[:, back] = known[:, back + 1]
    return known


def is_of_workflow(slo: Slo) -> bool:
    """Say whether all instances of an SLO belong to one workflow each: it is split by it, or names just one."""
    return slo.split == "workflow" or len(dict(slo.indicator.where).get("workflow", ())) == 1


def _names(runs: NDArray[np.void], workflow: NDArray[np.int64], tool: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([workflow, *(runs[field] for field in FIELDS[1:-1]), tool])


def _counts(hits: _Hits, rows: _Rows) -> NDArray[np.int64]:
    keys = np.vstack([hits.instance, rows.seconds[hits.row] // PANE_S * PANE_S, hits.known])
    first, sums = sum_by_key(keys, np.stack([hits.total, hits.bad]))
    return np.vstack([keys[:-1, first], sums, keys[-1:, first]])


def _slices(hits: _Hits, rows: _Rows, met: Sequence[_Met]) -> NDArray[np.int64]:
    """Count by the value of each dimension, and runs by each of what they met."""
    values = rows.dimensions[:, hits.row]
    dimension, hit = np.nonzero(values)
    every = np.arange(len(hits.row))
    keys = np.hstack(
        [
            np.stack([every, np.full(len(every), EVERYTHING), np.zeros(len(every), np.int64)]),
            np.stack([hit, dimension, values[dimension, hit]]),
            *(_paired(hits.row, each, len(rows.runs)) for each in met),
        ]
    )
    hit, seconds = keys[0], rows.seconds[hits.row[keys[0]]]
    keys = np.vstack([hits.instance[:, hit], seconds // SLICE_S * SLICE_S, keys[1:], hits.known[hit]])
    first, sums = sum_by_key(keys, np.stack([hits.total[hit], hits.bad[hit]]))
    return np.vstack([keys[:-1, first], sums, seconds[first], keys[-1:, first]])


def _paired(hit_row: NDArray[np.int64], met: _Met, n: int) -> NDArray[np.int64]:
    """Join hits with the values that their run met, each once: [(hit, dimension, value), pair]."""
    pairs = np.stack([met.run, met.value])[:, met.value != 0]
    first, _ = sum_by_key(pairs, np.empty((0, pairs.shape[1]), np.int64))
    first = first[np.argsort(pairs[0, first], kind="stable")]
    run, value = pairs[:, first]
    starts = np.searchsorted(run, np.arange(n + 1))
    count = (starts[1:] - starts[:-1])[hit_row]
    hit = np.repeat(np.arange(len(hit_row)), count)
    within = np.arange(len(hit)) - np.repeat(np.cumsum(count) - count, count)
    return np.stack([hit, np.full(len(hit), met.dimension), value[starts[hit_row[hit]] + within]])


def _examples(hits: _Hits, rows: _Rows) -> NDArray[np.int64]:
    """Give the runs that are no longer bad, and the latest bad ones of each instance in each minute."""
    better, worse = np.flatnonzero(hits.bad < 0), np.flatnonzero(hits.bad > 0)
    groups = np.vstack([hits.instance, rows.runs["ended_at"][hits.row] // (_MINUTE_S * _SECOND_NS)])
    worse = worse[np.lexsort((-rows.runs["ended_at"][hits.row[worse]], *groups[::-1, worse]))]
    group = groups[:, worse]
    is_first = np.concatenate([np.ones(min(1, len(worse)), np.bool_), np.any(group[:, 1:] != group[:, :-1], axis=0)])
    place = np.arange(len(worse))
    rank = place - np.maximum.accumulate(np.where(is_first, place, 0))
    hit = np.concatenate([better, worse[rank < EXAMPLES]])
    runs = rows.runs[hits.row[hit]]
    facts = runs["ended_at"] // _SECOND_NS, runs["ended_at"], runs["trace_hi"], runs["trace_lo"], np.sign(hits.bad[hit])
    return np.vstack([hits.instance[:, hit], np.stack(facts), rows.dimensions[:, hits.row[hit]], hits.known[hit]])
