"""Workflows whose costs, failures and tools follow the hours of the day, many side by side, as closed panes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from models.slis.bins import EDGES, ZERO
from models.slis.closing import Closed
from models.slis.readings import Label

if TYPE_CHECKING:
    from numpy.typing import NDArray

START = 29_000_160
"""Unix minute of the first look: the beginning of a day."""
DAY = 1440
_OF_WORKFLOW = ("cost_per_task", "tool_success", "a", "b")
"""Series of each workflow, in this order: `a` and `b` are its tools."""


@dataclass
class Days:
    """What the workflows do: `cycle` is by how much, of the usual, it rises and falls with the hours.

    Cost is lognormal(0, 1); tool a has a fifth of the calls, and fails in 5 % of them, as b does.
    """

    workflows: int = 20
    tasks: int = 20
    """A minute, each with a cost."""
    calls: int = 60
    """A minute."""
    every: int = 15
    """Minutes between two looks that have events: those of all of them."""
    cost: float = 0.0
    """Cycle of the costs."""
    failing: float = 0.0
    """Cycle of the failures of tool a."""
    share: float = 0.0
    """Cycle of the share of tool a."""
    seed: int = 1
    outage: range = range(0)
    """Minutes in which all costs five times as much and fails ten times as often."""
    chance: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.chance = np.random.default_rng(self.seed)

    @property
    def labels(self) -> list[Label]:
        """Give those of all workflows."""
        out = []
        for number in range(self.workflows):
            whose = {"workflow": f"w{number}"}
            out += [Label(sli, whose, sli == "cost_per_task", whole=False) for sli in _OF_WORKFLOW[:2]]
            out += [Label("tool_success", whose | {"tool": tool}, histogram=False, whole=False) for tool in "ab"]
        return out

    def closed(self, at: int, dearer: float = 1.0, worse: float = 1.0, more: float = 1.0) -> Closed:
        """Give the panes of minute START + `at`: costs, failures and share of tool a are so many times the usual."""
        many, wave = self.workflows, math.sin(2 * math.pi * (at // 60 % 24) / 24)
        bad_cost, bad_rate = (5.0, 10.0) if at in self.outage else (1.0, 1.0)
        cost = self.chance.lognormal(0, 1, (many, self.tasks * self.every)) * (1 + self.cost * wave)
        share = 0.2 * (1 + self.share * wave) * more
        a = self.chance.binomial(self.calls * self.every, share, many)
        calls = np.stack([a, self.calls * self.every - a], axis=1)
        rates = np.minimum(0.05 * bad_rate * np.array([worse * (1 + self.failing * wave), 1.0]), 1.0)
        failed = self.chance.binomial(calls, rates)
        total, good = np.zeros((2, many, len(_OF_WORKFLOW)), np.int64)
        total[:, 1], total[:, 2:] = calls.sum(axis=1), calls
        good[:, 1], good[:, 2:] = (calls - failed).sum(axis=1), calls - failed
        size = many * len(_OF_WORKFLOW)
        look, bins = np.full(size, START + at), _bins(cost * bad_cost * dearer)
        return Closed(START + at + 1, 0, self.labels, look, np.arange(size), total.ravel(), good.ravel(), bins)


def _bins(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give (row of the pane, bin, count) of values [workflow, value]."""
    many = EDGES.shape[0]
    row = np.arange(len(values))[:, None] * len(_OF_WORKFLOW)
    keys, counts = np.unique(row * many + np.searchsorted(EDGES, values), return_counts=True)
    return np.stack([keys // many, keys % many + ZERO, counts], axis=1)


class Watched:
    """A shard that is watched; alarms by (watch, workflow): minute of the first."""

    def __init__(self, days: Days, settings: DriftSettings = DriftSettings()) -> None:  # noqa: B008 - frozen
        self.days, self.table = days, DriftTable(settings)
        self.alarms: dict[tuple[str, str], int] = {}
        self.lasting: set[tuple[str, str]] = set()
        self.words: dict[tuple[str, str], str] = {}

    def watch(self, first: int, last: int, **change: float) -> Watched:
        """Watch these minutes; `change` as in `Days.closed`."""
        for at in range(first, last, self.days.every):
            looked = self.table.look(self.days.closed(at, **change))
            self.lasting = {(each.key.replace("\x1f", " "), each.workflow) for each in looked.evidence if each.alarm}
            for each in looked.found:
                if each.alarm:
                    self.words.setdefault((each.key.replace("\x1f", " "), each.workflow), each.words)
            for key in self.lasting:
                self.alarms.setdefault(key, at)
        return self

    def times(self, *words: str) -> list[int]:
        """Give the minute of each workflow's first alarm whose key has all these words."""
        of: dict[str, int] = {}
        for (key, workflow), at in sorted(self.alarms.items(), key=lambda each: -each[1]):
            if set(words) <= set(key.split()):
                of[workflow] = at
        return list(of.values())

    def streams(self, watch: str) -> int:
        """Count the streams of a watch."""
        return len(self.table.banks[watch])
