"""Strata: whether the runs of a workflow say the type of their task, so that each type has a past of its own.

Of a workflow whose users begin to ask for other things its rates, costs and mixes as a whole change though the agent
does each task as before. Where nearly all say their type, each type is watched in place of the whole, and which types
come is a mix of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.drift.arrays import widened
from models.drift.roles import Role

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.roles import Roles

_NEARLY_ALL = 0.9
"""Of the events of a workflow, those whose type is known. What is left is a type like them (`models.drift.untyped`)."""


class Strata:
    """By series [S] of a workflow alone: all its events, and those whose type of task is known."""

    def __init__(self) -> None:
        self._events, self._typed = np.zeros((2, 0), np.int64)

    def grow(self, series: int) -> None:
        """Have room for so many series."""
        more = series - len(self._events)
        if more > 0:
            self._events, self._typed = widened(self._events, more), widened(self._typed, more)

    def take(self, roles: Roles, total: NDArray[np.int64]) -> None:
        """Take in the events [S] of a minute."""
        self._events += total
        strata = np.flatnonzero(roles.says_type & (roles.parent >= 0))
        if len(strata):
            np.add.at(self._typed, roles.parent[strata], total[strata])

    def known(self, series: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of which series [n] any type of task is known."""
        found: NDArray[np.bool_] = self._typed[series] > 0
        return found

    def leave_out(self, roles: Roles, series: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which series [n] are not watched.

        Where types of task take the place of a workflow, that and its tools of any task; where not, what says no type.
        """
        role, parent = roles.role[series], roles.parent[series]
        whole = (role == Role.WHOLE) | ((role == Role.TOOL) & (roles.role[parent] == Role.WHOLE))
        of = np.where(roles.parent[parent] >= 0, roles.parent[parent], 0)
        replaced = self.are_said(of)
        return np.asarray((whole & replaced) | (roles.is_left[series] & ~replaced))

    def are_said(self, series: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say in which workflows [n], each by its own series, nearly all runs say their type."""
        found: NDArray[np.bool_] = self._typed[series] >= _NEARLY_ALL * np.maximum(self._events[series], 1)
        return found

    def events(self, series: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give all events of these series."""
        return self._events[series]

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Count these series [S] anew."""
        self._events[which], self._typed[which] = 0, 0

    # what is kept

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything, to be packed."""
        return {"events": self._events, "typed": self._typed}

    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave."""
        self._events, self._typed = arrays["events"].copy(), arrays["typed"].copy()
