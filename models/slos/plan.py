"""Plan: which SLOs look at a row, compiled once for all SLOs: by workflow, then by their other filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.digest import digest_of
from models.layout import plain
from models.slis.rows import Query
from models.slos.indicators import measure_of
from models.slos.matching import ANY_COHORT, match

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.slis.base import Per, Ratio, Sli
    from models.slos.spec import Slo

FIELDS = ("workflow", "version", "environment", "tenant", "tier", "tool")
"""Rows of the names that `match` looks at; also the numbers of dimensions in filters and splits."""

COHORT = "cohort."


@dataclass(frozen=True)
class Filters:
    """SLOs by workflow and what else they ask of a row; arrays as `match` takes them."""

    workflows: NDArray[np.int64]
    """Ascending digests; 0 stands for SLOs of any workflow."""
    starts: NDArray[np.int64]
    """[workflow + 1] into `slos`."""
    slos: NDArray[np.int64]
    filter_starts: NDArray[np.int64]
    """[slo + 1] into the rows of `filters`."""
    filters: NDArray[np.int64]
    """[filter, (dimension, cohort name, first value, end of values)]."""
    values: NDArray[np.int64]


class Plan:
    """The SLOs over rows of one kind (`per` run or call); `chosen` are their numbers in the whole list.

    Raises ValueError for an indicator that cannot be measured.
    """

    def __init__(self, slos: Sequence[Slo], slis: Sequence[Sli], per: Per) -> None:
        found = [(number, slo, measure_of(slo.indicator, slis)) for number, slo in enumerate(slos)]
        own = [(number, slo, measure) for number, slo, measure in found if measure.per == per]
        measures: dict[str, Ratio] = {measure.name: measure for _, _, measure in own}
        places = {name: place for place, name in enumerate(measures)}
        self.query = Query(tuple(measures.values()), per)
        self.chosen = np.array([number for number, _, _ in own], np.int64)
        self.measure = np.array([places[measure.name] for _, _, measure in own], np.int64)
        self.waits = np.array([measure.waits for _, _, measure in own], np.bool_)
        self.filters = _compiled([slo for _, slo, _ in own])

    def __bool__(self) -> bool:
        """Say whether there is any SLO over such rows."""
        return len(self.chosen) > 0

    def match(
        self, names: NDArray[np.int64], cohort_names: NDArray[np.int64], cohort_values: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give (row, SLO as a place in `chosen`) of every row that an SLO counts.

        `names` is int64 [FIELDS, row], cohorts are [row, cohort].
        """
        filters, room = self.filters, 4 * names.shape[1] + 64
        cohorts = plain(cohort_names), plain(cohort_values)
        while True:
            rows, slos = np.empty(room, np.int64), np.empty(room, np.int64)
            found = int(match(names, *cohorts, *vars(filters).values(), rows, slos))
            if found <= room:
                return rows[:found], slos[:found]
            room = found


def _compiled(slos: Sequence[Slo]) -> Filters:
    by_workflow: dict[int, list[int]] = {}
    starts, filters, values = [0], [], []  # type: list[int], list[list[int]], list[int]
    for place, slo in enumerate(slos):
        wheres = dict(slo.indicator.where)
        for workflow in wheres.pop("workflow", None) or ("",):
            by_workflow.setdefault(digest_of(workflow) if workflow else 0, []).append(place)
        for dimension, accepted in wheres.items():
            cohort = dimension.startswith(COHORT)
            number = ANY_COHORT if cohort else FIELDS.index(dimension)
            name = digest_of(dimension.removeprefix(COHORT)) if cohort else 0
            filters.append([number, name, len(values), len(values) + len(accepted)])
            values += [digest_of(value) for value in accepted]
        starts.append(len(filters))
    workflows = sorted(by_workflow)
    bounds = np.cumsum([0, *(len(by_workflow[workflow]) for workflow in workflows)])
    return Filters(
        np.array(workflows, np.int64),
        bounds,
        np.array([place for workflow in workflows for place in by_workflow[workflow]], np.int64),
        np.array(starts, np.int64),
        np.array(filters, np.int64).reshape(-1, 4),
        np.array(values, np.int64),
    )
