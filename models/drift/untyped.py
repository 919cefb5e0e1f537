"""Untyped: what is left of a workflow beside its types of task, as series of their own, counted by subtraction.

Where nearly all runs of a workflow say which type of task they are, the types are watched in its place. Runs that say
none, or `other`, or one beyond the bound, are a type like them, with a past of its own. Nobody counts it: it is what
all runs have less what those of the types have, and so are its tools and the ways in which its tasks end. A workflow
whose runs say no type has none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift.roles import UNTYPED
from models.slis.groups import BETWEEN, OF_TASK, REST, TASK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.minute import Minute
    from models.drift.roles import Roles
    from models.slis.readings import Label

    _Key = tuple[str, str, str, str]
    """SLI, workflow, dimension, value."""


class Untyped:
    """Which series [S] of a shard are left beside which others. Those that are counted keep their order."""

    def __init__(self) -> None:
        self.counted = np.empty(0, np.int64)
        """[c] Series, by their numbers as they are counted."""
        self._named: dict[_Key, int] = {}
        self._parts: list[_Key] = []
        """Those of one type or of none: few, where few workflows say types."""
        self._parted = np.empty((2, 0), np.int64)
        """[2, p] Series of one type or of none, and of the same of all."""
        self._is_typed = np.empty(0, np.bool_)
        """[p] It is of one type: it is counted."""

    def enter(self, roles: Roles, labels: list[Label]) -> None:
        """Take in series that are new, and what is left beside them where they are of a type."""
        if not labels:
            return
        self.counted = np.append(self.counted, np.arange(len(roles), len(roles) + len(labels)))
        self._enter(roles, labels)
        left = {_key(each): each for label in labels if (each := _of_no_type(label))}
        self._enter(roles, [label for key, label in left.items() if key not in self._named])
        pairs = [(self._named[key], of) for key in self._parts if (of := self._named.get(_of_all(key), -1)) >= 0]
        self._parted = np.array(pairs, np.int64).reshape(-1, 2).T
        self._is_typed = np.isin(self._parted[0], self.counted)

    def _enter(self, roles: Roles, labels: list[Label]) -> None:
        keys = [_key(label) for label in labels]
        self._parts += [key for key in keys if _is_part(key)]
        self._named |= {key: at for at, key in enumerate(keys, len(roles))}
        roles.enter(labels)

    def series(self, sli: str, workflow: str, dimension: str, value: str) -> int:
        """Give the series of this name; -1: there is none. The workflow alone has no dimension."""
        return self._named.get((sli, workflow, dimension, value), -1)

    def count(self, minute: Minute) -> None:
        """Fill in what is left in a minute: that of all less that of each type."""
        (typed, of), (left, of_all) = self._parted[:, self._is_typed], self._parted[:, ~self._is_typed]
        if not len(left):
            return
        for row in (minute.total, minute.bad, *minute.over):
            of_types = np.zeros_like(row)
            np.add.at(of_types, of, row[typed])
            row[left] = np.maximum(row[of_all] - of_types[of_all], 0)
        for row in (minute.bad, *minute.over):
            row[left] = np.minimum(row[left], minute.total[left])

    # what is kept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give what the labels do not say."""
        return {"counted": self.counted}

    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave, once the labels have been entered: which of these are counted."""
        self.counted = arrays["counted"].copy()
        self._is_typed = np.isin(self._parted[0], self.counted)


def _key(label: Label) -> _Key:
    named = [(key, value) for key, value in label.group.items() if key != "workflow"]
    return label.sli, label.group["workflow"], *(named[0] if named else ("", ""))


def _is_part(key: _Key) -> bool:
    """Say whether it is of one type or of none; the type "other" is what is beyond the bound, and is left."""
    _, _, dimension, value = key
    return (dimension == TASK or dimension in OF_TASK) and value.partition(BETWEEN)[0] != REST


def _of_all(key: _Key) -> _Key:
    """Give the key of the same of all types; one that nobody has, where it is of no type."""
    sli, workflow, dimension, value = key
    if dimension == TASK:
        return sli, workflow, "", ""
    return sli, workflow, OF_TASK.get(dimension, "?"), value.partition(BETWEEN)[2]


def _of_no_type(label: Label) -> Label | None:
    """Name what is left beside a series of one type; None: it is of no type, or of what is beyond the bound."""
    _, workflow, dimension, value = _key(label)
    other = value.partition(BETWEEN)[2]
    if not _is_part(_key(label)) or other == REST or (dimension != TASK and not (dimension in OF_TASK and other)):
        return None
    left = UNTYPED if dimension == TASK else f"{UNTYPED}{BETWEEN}{other}"
    return replace(label, group={"workflow": workflow, dimension: left})
