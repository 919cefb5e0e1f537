"""User types: users of runs that say their type of task, counted with that type, so that their ages can be by type.

Cells by user have a dimension to spare: there the type travels (`of_type`), to where it is known how old a user is.
So a run is counted for its user once, whether it says a type or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.slis.groups import USER
from models.slis.pairs import pairs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIMENSION, _VALUE = 1, 2  # rows of cells


class UserTypes(NamedTuple):
    """Whom n runs are counted for."""

    values: NDArray[np.int64]
    """[n] The user, or where a type is said the pair of both; 0: the run has no user."""
    pairs: NDArray[np.int64]
    """[3, p] Pairs, ascending, and of each the user and the type."""

    def parted(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give cells ([7, n]) of these values with users for values, and for dimension `of_type` of their type."""
        pairs, users, types = self.pairs
        if not len(pairs):
            return cells
        starts = _starts(cells[_VALUE])
        values, many = cells[_VALUE, starts], np.diff(starts, append=cells.shape[1])
        at = np.minimum(np.searchsorted(pairs, values), len(pairs) - 1)
        is_pair = pairs[at] == values
        cells[_DIMENSION] = np.repeat(of_type(np.where(is_pair, types[at], 0)), many)
        cells[_VALUE] = np.repeat(np.where(is_pair, users[at], values), many)
        return cells


def user_types(user: NDArray[np.int64], task: NDArray[np.int64]) -> UserTypes:
    """Pair the users of runs with their types of task [n], 0 where one has none."""
    said = np.flatnonzero((user != 0) & (task != 0))
    if not len(said):
        return UserTypes(user, np.empty((3, 0), np.int64))
    values = user.copy()
    values[said] = pairs_of(user[said], task[said])
    pairs, first = np.unique(values[said], return_index=True)
    return UserTypes(values, np.stack([pairs, user[said][first], task[said][first]]))


def of_type(task: Any) -> Any:
    """Give the dimension of cells by user of a type of task; of type 0, that is none, `USER`. It is its own inverse."""
    return task ^ USER


def types_in(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the types, digests in order, of cells by user."""
    found: NDArray[np.int64] = np.unique(of_type(cells[_DIMENSION, _starts(cells[_DIMENSION])]))
    return found[np.flatnonzero(found)]


def _starts(row: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give where neighbours that are alike begin."""
    return np.flatnonzero(np.diff(row, prepend=~row[:1]))
