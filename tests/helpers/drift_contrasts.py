"""Two versions and two tenants of a workflow whose runs say their type of task, as closed panes: who asks for what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.slis.bins import bin_of
from models.slis.closing import Closed
from models.slis.groups import BETWEEN
from models.slis.readings import Label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

START = 29_000_160
"""Unix minute of the first look; the beginning of a day."""
W = {"workflow": "desk"}
TYPES = ("ask", "book")
VERSIONS, TENANTS = ("1", "2"), ("acme", "rest")
BAD = {"ask": 0.03, "book": 0.2, "": 0.1}
COST = {"ask": 0.01, "book": 0.05, "": 0.02}
"""Median of a run of this type, USD; lognormal with sigma 1."""
Part = tuple[str, str, str]
"""Version, tenant, type of task ("": it says none)."""


def _labels() -> list[Label]:
    of = (("version", VERSIONS), ("tenant", TENANTS))
    groups: list[dict[str, str]] = [{}, *({"task": task} for task in TYPES)]
    groups += [{dimension: value} for dimension, values in of for value in values]
    for dimension, values in of:
        groups += [{f"task_{dimension}": f"{task}{BETWEEN}{value}"} for value in values for task in TYPES]
    return [
        label
        for group in groups
        for label in (
            Label("task_success", W | group, histogram=False, whole=False, waits=1),
            Label("cost_per_task", W | group, histogram=True, whole=False),
        )
    ]


LABELS = _labels()
OWN = sum(not any(key.startswith("task_") for key in label.group) for label in LABELS)
"""Series that are no pairs; these come last."""
_GROUPS = {tuple(label.group.items())[1:]: at for at, label in enumerate(LABELS) if not label.histogram}


@dataclass
class Contrasts:
    """Makes closed panes of the runs of each part; of no type with odds and costs of type `untyped`."""

    seed: int = 1
    is_typed: bool = True
    """False: no run says its type."""
    untyped: str = "book"
    every: int = 1
    """Minutes between two looks with events."""
    with_cost: bool = False
    chance: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.chance = np.random.default_rng(self.seed)

    def closed(
        self,
        at: int,
        runs: Mapping[Part, float],
        bad: Mapping[str, Mapping[str, float]] | None = None,
        cost: Mapping[str, Mapping[str, float]] | None = None,
    ) -> Closed:
        """Give the panes of minute START + `at`: `runs` of each part; `bad` and `cost` of a version or tenant by type.

        Failures are drawn run by run, costs in bins.
        """
        total, good = np.zeros((2, len(LABELS)), np.int64)
        bins: dict[int, Counter[int]] = {}
        for (version, tenant, task), expected in runs.items():
            size = int(self.chance.poisson(expected))
            kind, who = task or self.untyped, (version, tenant)
            rate = next((bad[each][kind] for each in who if bad and each in bad), BAD[kind])
            median = next((cost[each][kind] for each in who if cost and each in cost), COST[kind])
            failed = int(self.chance.binomial(size, rate))
            costs = self.chance.lognormal(np.log(median), 1.0, size if self.with_cost else 0)
            drawn = Counter(map(bin_of, costs.tolist()))
            for place in self._places(version, tenant, task):
                total[place] += size
                good[place] += size - failed
                bins.setdefault(place + 1, Counter()).update(drawn)
        return self._told(at, total, good, bins)

    def _places(self, version: str, tenant: str, task: str) -> list[int]:
        groups = [(), (("version", version),), (("tenant", tenant),)]
        if task and self.is_typed:
            of = [(("version", version), ("tenant", tenant))]
            groups += [(("task", task),), *[((f"task_{name}", f"{task}{BETWEEN}{value}"),) for name, value in of[0]]]
        return [_GROUPS[group] for group in groups]

    @staticmethod
    def _told(at: int, total: NDArray[np.int64], good: NDArray[np.int64], bins: Mapping[int, Counter[int]]) -> Closed:
        series = np.array(sorted({*np.flatnonzero(total).tolist(), *(each for each in bins if bins[each])}), np.int64)
        drawn = [sorted(bins.get(each, Counter()).items()) for each in series.tolist()]
        rows = [(row, bin_, n) for row, of in enumerate(drawn) for bin_, n in of]
        first, labels = (0, LABELS) if at == 0 else (len(LABELS), [])
        look = np.full(len(series), START + at)
        table = np.array(rows, np.int64).reshape(-1, 3)
        return Closed(START + at + 1, first, labels, look, series, total[series], good[series], table)


def without_pairs(closed: Closed) -> Closed:
    """Give the panes as they were before there were pairs."""
    rows = int(np.searchsorted(closed.series, OWN))
    look, series, total, good = (each[:rows] for each in (closed.look, closed.series, closed.total, closed.good))
    bins = closed.bins[closed.bins[:, 0] < rows]
    return Closed(closed.until, min(closed.first, OWN), closed.labels[:OWN], look, series, total, good, bins)


def together(parts: list[Closed]) -> Closed:
    """Give the panes of some minutes as those of one batch."""
    offsets = np.cumsum([0, *[len(part.look) for part in parts]])
    bins = [part.bins + np.array([offset, 0, 0]) for part, offset in zip(parts, offsets, strict=False)]
    look, series, total, good = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("look", "series", "total", "good")
    )
    return Closed(parts[-1].until, parts[0].first, parts[0].labels, look, series, total, good, np.concatenate(bins))
