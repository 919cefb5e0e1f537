"""Roles: what each series of a shard is to drift detection, by its label: own past, or which contrast."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from models.slis.groups import BETWEEN, OF_FAILED, OF_TASK, PARTINGS, REST, TASK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.slis.readings import Label

ROLLED_OUT = frozenset({"version", "prompt", "toolset", "model", "variant"})
"""Dimensions whose values follow each other: the old one is the null of the new one."""
UNTYPED = ""
"""The type of runs that say none: nobody can say it, as an empty value is none (`models.drift.untyped`)."""
NO_TYPE = "other or none"
"""What records call it."""


class Role(IntEnum):
    """What a series is."""

    IGNORED = 0
    WHOLE = 1  # a workflow: against its own past
    TOOL = 2  # one tool of a workflow: against its own past, and a share of the mix
    CHANGE = 3  # one value of what is rolled out: against the value before it, and against the rest
    COHORT = 4  # one value of a cohort: against the rest
    KIND = 5  # one kind of what failed: a share of a mix, nothing else
    PART = 6  # one of the kinds that all events are parted into: the same
    STRATUM = 7  # one type of task: against its own past, and a share of the mix of tasks


def are(role: NDArray[np.int8], *roles: Role) -> NDArray[np.bool_]:
    """Say which are one of these roles: as `np.isin`, which sorts, and takes thirty times as long for a few series."""
    chosen = np.zeros(len(Role), np.bool_)
    chosen[list(roles)] = True
    found: NDArray[np.bool_] = chosen[role]
    return found


@dataclass
class Roles:
    """By series number."""

    labels: list[Label] = field(default_factory=list)
    role: NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))
    is_histogram: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    parent: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """The series of the workflow alone, of the same SLI; itself where it is one; -1 where there is none yet.

    Of what is counted by type of task too: the series of that type.
    """
    says_type: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    """It is of runs that say a type of task, one that is watched or not."""
    is_left: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    """It is of runs that say no type of task, in a workflow where others do."""
    _dimensions: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """A number for each name of a dimension."""
    _whole: dict[tuple[str, str], int] = field(default_factory=dict)
    _strata: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """(SLI, workflow, type of task) -> series."""
    _numbers: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Count the series."""
        return len(self.labels)

    def enter(self, labels: list[Label]) -> None:
        """Take in series that are new, in order of their numbers."""
        for number, label in enumerate(labels, len(self.labels)):
            if len(label.group) == 1:
                self._whole[label.sli, label.group["workflow"]] = number
            elif TASK in label.group:
                self._strata[label.sli, label.group["workflow"], label.group[TASK]] = number
        self.labels += labels
        named = [next((key for key in label.group if key != "workflow"), "") for label in labels]
        numbers = [self._numbers.setdefault(name, len(self._numbers)) for name in named]
        self._dimensions = _grown(self._dimensions, numbers)
        self.role = _grown(self.role, [_role(label) for label in labels])
        self.is_histogram = _grown(self.is_histogram, [label.histogram for label in labels])
        types = [label.group.get(TASK, UNTYPED) for label in labels]
        self.says_type = _grown(self.says_type, [type_ != UNTYPED for type_ in types])
        self.is_left = _grown(self.is_left, [_is_left(label) for label in labels])
        self.parent = np.array([self._parent(label) for label in self.labels], np.int64)

    def _parent(self, label: Label) -> int:
        sli, workflow = label.sli, label.group["workflow"]
        for dimension in OF_TASK.keys() & label.group.keys():
            return self._strata.get((sli, workflow, label.group[dimension].partition(BETWEEN)[0]), -1)
        return self._whole.get((sli, workflow), -1)

    def part(self, series: int) -> tuple[str, str, str] | None:
        """Give (dimension, value, words) of a part that has a past of its own; None: a whole, or a contrast."""
        if self.role[series] not in (Role.TOOL, Role.STRATUM):
            return None
        dimension, value = self.dimension(series) or ("", "")
        task, _, other = value.partition(BETWEEN)
        if dimension in OF_TASK:
            return TASK, task or NO_TYPE, f"{_words(task)}, {other}"
        return dimension, value or NO_TYPE, value if dimension == "tool" else _words(value)

    def tool_of_task(self, series: int) -> str:
        """Give the tool of a series of a tool within a type of task; "" for any other."""
        dimension, value = self.dimension(series) or ("", "")
        return value.partition(BETWEEN)[2] if OF_TASK.get(dimension) == "tool" else ""

    def dimension(self, series: int) -> tuple[str, str] | None:
        """Give (dimension, value) of a series; None for a workflow alone."""
        return next(((key, value) for key, value in self.labels[series].group.items() if key != "workflow"), None)

    def siblings(self, series: int) -> NDArray[np.int64]:
        """Give the other values of the same dimension, workflow and SLI."""
        same = (self.parent == self.parent[series]) & (self._dimensions == self._dimensions[series])
        same[series] = False
        return np.flatnonzero(same)

    def values(self, series: int, dimension: str) -> NDArray[np.int64]:
        """Give the values of a dimension, of the workflow and SLI of `series`; without the rest, which is no value."""
        of = self._dimensions == self._numbers.get(dimension, -1)
        return np.flatnonzero(of & (self.parent == series) & (self.role != Role.IGNORED))


def _is_left(label: Label) -> bool:
    named = [(key, value) for key, value in label.group.items() if key == TASK or key in OF_TASK]
    return bool(named) and named[0][1].partition(BETWEEN)[0] == UNTYPED


def _words(task: str) -> str:
    return f"task {task}" if task != UNTYPED else f"tasks of type {NO_TYPE}"


def _role(label: Label) -> Role:
    named = [(key, value) for key, value in label.group.items() if key != "workflow"]
    if not named:
        return Role.WHOLE
    dimension, value = named[0]
    if value == REST:
        return Role.IGNORED
    dimension = OF_TASK.get(dimension, dimension)
    return _ROLES.get(dimension, Role.CHANGE if dimension in ROLLED_OUT else Role.COHORT)


_ROLES = {
    TASK: Role.STRATUM,
    "tool": Role.TOOL,
    **dict.fromkeys(OF_FAILED, Role.KIND),
    **dict.fromkeys(PARTINGS, Role.PART),
}


def _grown(array: Any, more: list[Any]) -> Any:
    return np.concatenate([array, np.array(more, array.dtype)])
