"""Delta log: what happened to a pane table since its last delta: cells that were added, panes that were told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_BYTES = 16 << 20
"""Beyond this a whole dump replaces the log: nobody seems to take deltas, and the log must not grow for ever."""


class Added(NamedTuple):
    """Cells as they were added, after admission."""

    series: NDArray[np.int32]
    minute: NDArray[np.int32]
    bin: NDArray[np.int16]
    count: NDArray[np.int32]
    level: NDArray[np.int8]


class DeltaLog:
    """Collects; `overflowed` once it gave up."""

    def __init__(self) -> None:
        self.overflowed = self._evicted = False
        self._added: list[Added] = []
        self._told: list[NDArray[np.int64]] = []
        self._bytes = 0

    def __bool__(self) -> bool:
        """Say whether anything happened."""
        return self.overflowed or self._evicted or bool(self._added or self._told)

    def add(
        self,
        series: NDArray[np.int64],
        minute: NDArray[np.int64],
        bins: NDArray[np.int64],
        count: NDArray[np.int64],
        level: NDArray[np.int8],
    ) -> None:
        """Note cells that were added."""
        added = Added(
            series.astype(np.int32), minute.astype(np.int32), bins.astype(np.int16), count.astype(np.int32), level
        )
        self._added.append(added)
        self._grow(sum(array.nbytes for array in added))

    def tell(self, panes: NDArray[np.int64]) -> None:
        """Note panes that were told: int64 [n, 2] of minute, series."""
        self._told.append(panes)
        self._grow(panes.nbytes)

    def told(self) -> NDArray[np.int64]:
        """Give the panes that were told, each once: int64 [n, 2] of minute, series."""
        return np.unique(np.concatenate([np.empty((0, 2), np.int64), *self._told]), axis=0)

    def added(self) -> dict[str, NDArray[Any]]:
        """Give the cells, to be packed."""
        empty = Added(*(np.empty(0, t) for t in (np.int32, np.int32, np.int16, np.int32, np.int8)))
        parts = [empty, *self._added]
        return {f"cell_{field}": np.concatenate([getattr(p, field) for p in parts]) for field in Added._fields}

    def clear(self) -> None:
        """Begin anew."""
        self._added, self._told, self._bytes = [], [], 0
        self.overflowed = self._evicted = False

    def evict(self) -> None:
        """Note that panes went."""
        self._evicted = True

    def _grow(self, more: int) -> None:
        self._bytes += more
        if self._bytes > _MAX_BYTES:
            self.overflowed = True
        if self.overflowed:
            self._added.clear()
            self._told.clear()
