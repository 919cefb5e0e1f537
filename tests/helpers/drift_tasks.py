"""A workflow whose runs say which of two types of task they are, as closed panes; each type has tools of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.slis.closing import Closed
from models.slis.groups import BETWEEN
from models.slis.readings import Label

START = 29_000_160
"""Unix minute of the first look; the beginning of a day."""
W = {"workflow": "desk"}
TYPES, TOOLS = ("ask", "book"), ("search", "read", "pay")


def _label(sli: str, **group: str) -> Label:
    return Label(sli, W | group, histogram=False, whole=False, waits=int(sli == "task_success"))


LABELS = [
    _label("task_success"),
    *[_label("task_success", task=task) for task in TYPES],
    _label("tool_success"),
    *[_label("tool_success", task=task) for task in TYPES],
    *[_label("tool_success", tool=tool) for tool in TOOLS],
    *[_label("tool_success", task_tool=f"{task}{BETWEEN}{tool}") for task in TYPES for tool in TOOLS],
]


@dataclass
class Tasks:
    """Makes closed panes: runs that ask succeed in 97 of 100 and mostly search, runs that book in 80 and mostly pay."""

    seed: int = 1
    typed: float = 1.0
    """Of the runs, so many say their type."""
    tasks: int = 100
    bad: tuple[float, float] = (0.03, 0.2)
    shares: tuple[tuple[float, float, float], ...] = ((0.7, 0.25, 0.05), (0.2, 0.2, 0.6))
    chance: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.chance = np.random.default_rng(self.seed)

    def closed(
        self,
        at: int,
        *,
        asks: float = 0.8,
        more: float = 0.0,
        worse: float = 0.0,
        more_untyped: float = 0.0,
        worse_untyped: float = 0.0,
        worse_book: float = 0.0,
    ) -> Closed:
        """Give the panes of minute START + `at`.

        So many runs ask; of those `more` of the calls are reads in place of searches, and `worse` more fail. The
        same `_untyped`: only of runs that do not say their type. `worse_book` more of those that book fail.
        """
        total, good = np.zeros((2, len(LABELS)), np.int64)
        runs = self.chance.multinomial(self.tasks, (asks, 1 - asks)).tolist()
        for task, (count, bad) in enumerate(zip(runs, self.bad, strict=True)):
            search, read, pay = self.shares[task]
            said = int(self.chance.binomial(count, self.typed))
            for size, is_said in ((said, True), (count - said, False)):
                reads, fails = (more, worse) if is_said else (more + more_untyped, worse + worse_untyped)
                share = (search - reads, read + reads, pay) if task == 0 else (search, read, pay)
                failed = int(self.chance.binomial(size, bad + (fails if task == 0 else worse_book)))
                calls = self.chance.multinomial(3 * size, share)
                fine = calls - self.chance.binomial(calls, (0.02, 0.05, 0.1))
                for at_, of, ok in ((0, size, size - failed), (3, calls.sum(), fine.sum())):
                    places = [at_, *([at_ + 1 + task] if is_said else [])]
                    total[places] += of
                    good[places] += ok
                for first in (6, *([9 + 3 * task] if is_said else [])):
                    total[first : first + 3] += calls
                    good[first : first + 3] += fine
        look = np.full(len(LABELS), START + at)
        none = np.empty((0, 3), np.int64)
        return Closed(START + at + 1, 0, LABELS, look, np.arange(len(LABELS)), total, good, none)
