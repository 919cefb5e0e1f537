"""Delta log: what happened to a pane table since its last delta: cells added, panes told, panes gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.slis.additions import Additions, pack_additions

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_BYTES = 32 << 20
"""Beyond this a whole dump replaces the log: nobody seems to take deltas, and the log must not grow for ever."""


class DeltaLog:
    """Collects; `overflowed` once it gave up."""

    def __init__(self) -> None:
        self.clear()

    def __bool__(self) -> bool:
        """Say whether anything happened."""
        return self.overflowed or self._touched or bool(self._added or self._told)

    def clear(self) -> None:
        """Begin anew."""
        self.overflowed = self._touched = False
        self._added: list[Additions] = []
        self._told: list[NDArray[np.int64]] = []
        self._bytes = 0

    def add(self, additions: Additions) -> None:
        """Note cells that were added."""
        self._added.append(additions)
        self._grow(additions.nbytes)

    def tell(self, panes: NDArray[np.int64]) -> None:
        """Note panes that were told: int64 [n, 2] of minute, series."""
        self._told.append(panes)
        self._grow(panes.nbytes)

    def touch(self) -> None:
        """Note that panes went, or were closed: what a delta says in any case."""
        self._touched = True

    def told(self) -> NDArray[np.int64]:
        """Give the panes that were told, each once: int64 [n, 2] of minute, series."""
        return np.unique(np.concatenate([np.empty((0, 2), np.int64), *self._told]), axis=0)

    def added(self) -> dict[str, NDArray[Any]]:
        """Give the cells, to be packed."""
        return pack_additions(self._added)

    def _grow(self, more: int) -> None:
        self._bytes += more
        if self._bytes > _MAX_BYTES:
            self.overflowed = True
        if self.overflowed:
            self._added.clear()
            self._told.clear()
