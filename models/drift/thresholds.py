"""Thresholds: quantiles of a workflow's values, from its first ones; the rates over them are learnt from later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from models.drift.exceedance import thresholds
from models.drift.minute import UNKNOWN, J

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.drift.minute import Minute
    from models.drift.roles import Roles

VALUES = 1000
"""From so many values the quantiles are taken."""


class Thresholds:
    """`over` int64 [J, S]: bins over which a value of a series counts, those of its workflow."""

    def __init__(self) -> None:
        self.over = np.empty((J, 0), np.int64)
        self._bins: dict[int, dict[int, int]] = {}
        """Series of a workflow -> bin -> values."""

    def grow(self, roles: Roles) -> None:
        """Have room for all series; a new one has the thresholds of its workflow."""
        known, size = self.over.shape[1], len(roles)
        if size > known:
            self.over = np.concatenate([self.over, np.full((J, size - known), UNKNOWN, np.int64)], axis=1)
            parents = roles.parent[known:]
            self.over[:, known:] = np.where(parents >= 0, self.over[:, parents], UNKNOWN)

    def learn(self, minute: Minute, roles: Roles) -> None:
        """Take in the values of workflows whose quantiles are not known yet. Later minutes count for baselines."""
        whose = minute.values[:, 0]
        fitting = (roles.parent[whose] == whose) & (self.over[0, whose] == UNKNOWN)
        for series, bin_, count in minute.values[fitting].tolist():
            of = self._bins.setdefault(series, {})
            of[bin_] = of.get(bin_, 0) + count
        for series in [series for series, of in self._bins.items() if sum(of.values()) >= VALUES]:
            of = self._bins.pop(series)
            bins = np.array(sorted(of), np.int64)
            found = thresholds(bins, np.array([of[each] for each in bins.tolist()]))
            self.over[:, roles.parent == series] = found[:, None]

    def reset(self, which: NDArray[np.bool_]) -> None:
        """Let go of what these series have."""
        self.over[:, which] = UNKNOWN
        for series in np.flatnonzero(which).tolist():
            self._bins.pop(series, None)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything, to be packed."""
        text = orjson.dumps([[series, bin_, count] for series, of in self._bins.items() for bin_, count in of.items()])
        return {"over": self.over, "fitting": np.frombuffer(text, np.uint8)}

    def fill(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave."""
        self.over = arrays["over"].copy()
        self._bins = {}
        for series, bin_, count in orjson.loads(arrays["fitting"].tobytes()):
            self._bins.setdefault(series, {})[bin_] = count
