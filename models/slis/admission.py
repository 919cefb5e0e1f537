"""Admission: which series there are. Workflows, cohorts and values are bounded: no input grows the state for ever.

Once admitted a workflow, cohort or value stays. Beyond the bound a value counts as `other`; a cohort or workflow is
refused: its cells do not count. (A workflow `other` would be told by every shard, each with totals of its own.)
"""
# ruff: noqa: PLR0917  # compiled kernels take arrays one by one

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.digest import digest_of
from models.kernels import allocating, small
from models.slis.groups import ALONE, FIXED, OF_COHORT, OF_CONTRAST, OTHER, parted_from_rest
from models.slis.keys import Keys, locate, put

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.slis.settings import SliSettings

_WORKFLOW, _DIMENSION, _VALUE = 1, 2, 3  # fourth part of the key of what is admitted
_TYPES = 5
"""Pairs of a value and a type of task may be so many times as values: all of them of five types."""
_CROSSED = frozenset(map(digest_of, (*OF_CONTRAST, OF_COHORT)))
_FIXED = np.array([(each, _TYPES if each in _CROSSED else 1) for each in sorted(FIXED)], np.int64)
"""[f, 2] Dimension, and how many times the values that one may have it may have."""
_NO_LIMIT = 2**59

REFUSED_WORKFLOW, REFUSED_COHORT, TO_OTHER = 0, 1, 2
"""Places in `Admission.overflow`: cells refused or counted as `other`."""


class Admission:
    """The series of one shard: (workflow, dimension, value, SLI) -> number."""

    def __init__(self, settings: SliSettings) -> None:
        self.series = Keys.none()
        self.overflow = np.zeros(3, np.int64)
        self._limits = np.array([settings.max_workflows, settings.max_cohorts, settings.max_values], np.int64)
        self._admitted = Keys.none()
        self._members = np.zeros(len(self._admitted.rows), np.int64)  # admitted below each; [0] is the root
        self._restored(self._admitted)

    def __len__(self) -> int:
        """Count the series."""
        return int(self.series.n[0])

    def resolve(self, cols: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the series of each cell ([7, n]), -1 where it is refused; admits what is new."""
        return self._resolved(np.ascontiguousarray(parted_from_rest(cols)), self._limits)

    def restore(self, rows: NDArray[np.int64]) -> None:
        """Add series [n, 4] as they were, whatever the limits are now."""
        counted = self.overflow.copy()
        self._resolved(np.array(rows.T, order="C"), np.full(3, _NO_LIMIT, np.int64))
        self.overflow[:] = counted

    def _resolved(self, cols: NDArray[np.int64], limits: NDArray[np.int64]) -> NDArray[np.int64]:
        n = cols.shape[1]
        self.series = self.series.reserved(n)
        self._restored(self._admitted.reserved(3 * n + 1))
        out = np.empty(n, np.int64)
        _resolve(cols, self.series, self._admitted, self._members, limits, _FIXED, self.overflow, out)
        return out

    def _restored(self, admitted: Keys) -> None:
        if len(self._members) < len(admitted.rows):
            members = np.zeros(len(admitted.rows), np.int64)
            members[: len(self._members)] = self._members
            self._members = members
        if admitted.n[0] == 0:
            put(admitted, locate(admitted, 0, 0, 0, 0)[1], 0, 0, 0, 0)
        self._admitted = admitted


@allocating
def _resolve(
    cols: Any, series: Any, admitted: Any, members: Any, limits: Any, fixed: Any, overflow: Any, out: Any
) -> None:
    for i in range(cols.shape[1]):
        w, d, v, s = cols[0, i], cols[1, i], cols[2, i], cols[3, i]
        at, slot = locate(series, w, d, v, s)
        if at < 0:
            value = _admit(admitted, members, limits, fixed, overflow, w, d, v)
            if value == 0 and d != ALONE:
                out[i] = -1
                continue
            at, slot = locate(series, w, d, value, s)
            if at < 0 and not (d == ALONE and _refused(admitted, w)):
                at = put(series, slot, w, d, value, s)
        out[i] = at


@allocating
def _refused(admitted: Any, workflow: Any) -> Any:
    return locate(admitted, workflow, 0, 0, _WORKFLOW)[0] < 0


@allocating
def _admit(admitted: Any, members: Any, limits: Any, fixed: Any, overflow: Any, w: Any, d: Any, v: Any) -> Any:
    """Give the value to count under, 0 where the cell is refused (or the workflow is alone)."""
    workflow = _child(admitted, members, 0, w, 0, 0, _WORKFLOW, limits[0])
    if workflow < 0:
        overflow[REFUSED_WORKFLOW] += 1
        return np.int64(0)
    if d == ALONE:
        return np.int64(0)
    is_fixed, most = False, limits[2]
    for k in range(fixed.shape[0]):
        if fixed[k, 0] == d:
            is_fixed, most = True, fixed[k, 1] * limits[2]
    dimension = _child(admitted, members, -1 if is_fixed else workflow, w, d, 0, _DIMENSION, limits[1])
    if dimension < 0:
        overflow[REFUSED_COHORT] += 1
        return np.int64(0)
    if v != OTHER and _child(admitted, members, dimension, w, d, v, _VALUE, most) < 0:
        overflow[TO_OTHER] += 1
        return np.int64(OTHER)
    return np.int64(v)


@small
def _child(admitted: Any, members: Any, parent: Any, a: Any, b: Any, c: Any, level: Any, limit: Any) -> Any:
    """Find or admit a key below `parent` (-1: uncounted); -1 when that is full."""
    at, slot = locate(admitted, a, b, c, level)
    if at >= 0:
        return at
    if parent >= 0:
        if members[parent] >= limit:
            return np.int64(-1)
        members[parent] += 1
    return put(admitted, slot, a, b, c, level)
