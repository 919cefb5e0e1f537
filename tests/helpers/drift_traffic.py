"""Closed panes of a workflow, minute by minute, with changes at known times: what a shard of drift takes in."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.slis.bins import bin_of
from models.slis.closing import Closed
from models.slis.readings import Label

START = 29_000_000
"""Unix minute of the first look; a full hour."""
W = {"workflow": "support"}
LABELS = [
    Label("task_success", W, histogram=False, whole=False, waits=1),
    Label("cost_per_task", W, histogram=True, whole=False),
    Label("tool_success", W, histogram=False, whole=False),
    *[Label("tool_success", W | {"tool": tool}, histogram=False, whole=False) for tool in "abc"],
    *[Label("task_success", W | {"tier": tier}, histogram=False, whole=False, waits=1) for tier in ("free", "pro")],
    *[Label("task_success", W | {"version": version}, histogram=False, whole=False, waits=1) for version in "12"],
    *[Label("cost_per_task", W | {"version": version}, histogram=True, whole=False) for version in "12"],
    *[Label("tool_success", W | {"error": error}, histogram=False, whole=False) for error in ("Timeout", "Refused")],
    *[
        Label("task_success", W | {"failure": how}, histogram=False, whole=False, waits=1)
        for how in ("crashed", "judged")
    ],
    *[Label("tool_success", W | {"transition": step}, histogram=False, whole=False) for step in ("a > b", "b > a")],
    *[
        Label("task_success", W | {"stop_reason": stop}, histogram=False, whole=False, waits=1)
        for stop in ("stop", "length")
    ],
]


@dataclass
class Minute:
    """How a minute goes: rates of failed tasks and calls of tool a, cost, shares of tools and kinds, version 2."""

    bad: float = 0.05
    bad_free: float = 0.05
    bad_new: float | None = None
    bad_tool: float = 0.03
    cost: float = 1.0
    shares: tuple[float, float, float] = (0.6, 0.3, 0.1)
    errors: tuple[float, float, float] = (0.7, 0.2, 0.1)  # of failed calls: Timeout, Refused, unknown
    failures: tuple[float, float, float] = (0.5, 0.4, 0.1)  # of failed tasks: crashed, judged, anyhow
    steps: tuple[float, float, float] = (0.5, 0.4, 0.1)  # of calls: a > b, b > a, any other
    stops: tuple[float, float, float] = (0.9, 0.05, 0.05)  # of tasks: stop, length, any other
    new: float = 0.0
    tasks: int = 100


@dataclass
class Traffic:
    """Makes closed panes."""

    seed: int = 1
    rows: list[tuple[int, int, int]] = field(default_factory=list)  # series, total, bad
    bins: list[tuple[int, int, int]] = field(default_factory=list)  # series, bin, count

    def __post_init__(self) -> None:
        self.chance, self.chance_of_kinds, self.chance_of_parts = (
            np.random.default_rng(seed) for seed in (self.seed, [self.seed, 1], [self.seed, 2])
        )

    def closed(self, at: int, how: Minute) -> Closed:
        """Give the panes of the minute START + `at`."""
        self.rows, self.bins = [], []
        new = self.chance.binomial(how.tasks, how.new)
        groups = {
            (version, free): count
            for version, size in (("1", how.tasks - new), ("2", new))
            for free, count in ((True, size // 5), (False, size - size // 5))
        }
        bad = {key: self._failed(key, count, how) for key, count in groups.items()}
        self._ratio(0, groups, bad, lambda key: True)
        self._ratio(6, groups, bad, lambda key: key[1])
        self._ratio(7, groups, bad, lambda key: not key[1])
        self._ratio(8, groups, bad, lambda key: key[0] == "1")
        self._ratio(9, groups, bad, lambda key: key[0] == "2")
        for series, size in ((10, how.tasks - new), (11, new)):
            self._values(series, self.chance.lognormal(0, 1, size) * how.cost)
        self.bins += [(1, bin_, count) for _, bin_, count in self.bins]
        calls = self.chance.multinomial(3 * how.tasks, how.shares)
        failed = self.chance.binomial(calls, [how.bad_tool, 0.03, 0.03])
        self.rows += [(3 + tool, int(calls[tool]), int(failed[tool])) for tool in range(3)]
        self.rows.append((2, int(calls.sum()), int(failed.sum())))
        self._kinds(12, int(failed.sum()), how.errors, self.chance_of_kinds)
        self._kinds(14, sum(bad.values()), how.failures, self.chance_of_kinds)
        self._kinds(16, int(calls.sum()), how.steps, self.chance_of_parts)
        self._kinds(18, how.tasks, how.stops, self.chance_of_parts)
        return self._laid(at)

    def _failed(self, key: tuple[str, bool], count: int, how: Minute) -> int:
        rate = how.bad_free if key[1] else how.bad
        rate = how.bad_new if key[0] == "2" and how.bad_new is not None else rate
        return int(self.chance.binomial(count, rate))

    def _kinds(self, first: int, events: int, shares: tuple[float, float, float], chance: np.random.Generator) -> None:
        counts = chance.multinomial(events, shares)[:2].tolist()
        self.rows += [(first + kind, count, count) for kind, count in enumerate(counts) if count]

    def _ratio(self, series: int, groups: dict, bad: dict, of) -> None:  # type: ignore[no-untyped-def,type-arg]
        total = sum(count for key, count in groups.items() if of(key))
        if total:
            self.rows.append((series, total, sum(count for key, count in bad.items() if of(key))))

    def _values(self, series: int, values: np.ndarray) -> None:  # type: ignore[type-arg]
        bins, counts = np.unique([bin_of(value) for value in values.tolist()], return_counts=True)
        self.bins += [(series, int(bin_), int(count)) for bin_, count in zip(bins, counts, strict=True)]

    def _laid(self, at: int) -> Closed:
        for series in {series for series, _, _ in self.bins}:
            self.rows.append((series, 0, 0))
        self.rows.sort()
        series, total, bad = np.array(self.rows, np.int64).T
        place = {number: row for row, number in enumerate(series.tolist())}
        bins = np.array(sorted((place[number], bin_, count) for number, bin_, count in self.bins), np.int64).reshape(
            -1, 3
        )
        look = np.full(len(series), START + at)
        return Closed(START + at + 1, 0, LABELS, look, series, total, total - bad, bins)
