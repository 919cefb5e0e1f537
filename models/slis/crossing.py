"""Crossing: dimensions by which runs that say their type of task are counted by type, for contrasts within types.

Of each value of what is rolled out, and of each cohort of a run, the pair with its type: a value as any other, of a
dimension of its own. Runs that say no type have none of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.digest import digest_of, mix64
from models.kernels import allocating
from models.runs.record import MAX_COHORTS
from models.slis.groups import BETWEEN, OF_COHORT, OF_RUN, TASK, cohort_key, told_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from numpy.typing import NDArray

DIMENSIONS = np.array([*(digest_of(f"{TASK}_{of}") for of in OF_RUN), *[digest_of(OF_COHORT)] * MAX_COHORTS], np.int64)
"""[d] Digests; that of cohorts as often as a run may have some."""

_TASK = digest_of(TASK)


class Crossing(NamedTuple):
    """Pairs of a value and a type, of n runs."""

    values: NDArray[np.int64]
    """[d, n] By `dimensions`; 0: the run has none. Where no run says a type d is 0."""
    dimensions: NDArray[np.int64]
    """[d] Digests."""
    texts: dict[int, str]

    def beside(self, dimension: int, values: NDArray[np.int64]) -> Crossing:
        """Give it with one more, of the same runs."""
        return Crossing(np.vstack([self.values, values]), np.append(self.dimensions, dimension), self.texts)

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the pairs of some runs."""
        return self.values[:, rows]


def crossing_of(runs: NDArray[np.void], task: NDArray[np.int64], names: Mapping[int, str]) -> Crossing:
    """Pair what runs are with their types of task [n], 0 where it is not known."""
    typed = np.flatnonzero(task)
    if not len(typed):
        return Crossing(np.empty((0, len(runs)), np.int64), DIMENSIONS[:0], {})
    own = np.stack([runs[of][typed] for of in OF_RUN])
    cohorts = np.ascontiguousarray(runs["cohort_name"][typed].T), np.ascontiguousarray(runs["cohort_value"][typed].T)
    values = np.zeros((len(DIMENSIONS), len(runs)), np.int64)
    pairs = _pairs(np.ascontiguousarray(task[typed]), own, *cohorts, np.int64(_TASK))
    values[:, typed] = pairs
    return Crossing(values, DIMENSIONS, dict(_texts(pairs, task[typed], own, cohorts, names)))


def _texts(
    pairs: NDArray[np.int64],
    task: NDArray[np.int64],
    own: NDArray[np.int64],
    cohorts: tuple[NDArray[np.int64], NDArray[np.int64]],
    names: Mapping[int, str],
) -> Iterator[tuple[int, str]]:
    """Name each pair once."""
    for row, of in enumerate(pairs):
        found, first = np.unique(of, return_index=True)
        for pair, at in zip(found.tolist(), first.tolist(), strict=True):
            if pair:
                yield (
                    pair,
                    BETWEEN.join((_text(task[at], names), *_whose(row - len(own), row, at, own, cohorts, names))),
                )


def _whose(
    cohort: int,
    row: int,
    at: int,
    own: NDArray[np.int64],
    cohorts: tuple[NDArray[np.int64], NDArray[np.int64]],
    names: Mapping[int, str],
) -> tuple[str, ...]:
    if cohort < 0:
        return (told_value(OF_RUN[row], _text(own[row, at], names)),)
    name, value = (_text(each[cohort, at], names) for each in cohorts)
    return cohort_key(name), value


def _text(digest: Any, names: Mapping[int, str]) -> str:
    return names.get(int(digest), "?")


@allocating
def _pairs(task: Any, own: Any, cohort_names: Any, cohort_values: Any, of_task: Any) -> Any:
    fixed = own.shape[0]
    out = np.zeros((fixed + cohort_names.shape[0], task.size), np.int64)
    for i in range(task.size):
        mixed = mix64(np.uint64(task[i]))
        for k in range(fixed):
            if own[k, i] != 0:
                out[k, i] = np.int64(mix64(np.uint64(own[k, i]) ^ mixed))
        for k in range(cohort_names.shape[0]):
            if cohort_values[k, i] != 0 and cohort_names[k, i] != of_task:
                whose = mix64(np.uint64(cohort_names[k, i])) ^ np.uint64(cohort_values[k, i])
                out[fixed + k, i] = np.int64(mix64(mix64(whose) ^ mixed))
    return out
