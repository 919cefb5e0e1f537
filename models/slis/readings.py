"""Readings: panes as they are told, still as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_REVISIONS_PER_LIFE = 1 << 24
"""A pane is told once a batch at most and while it is kept (25 h): every 10 ms that is under 2**24 times a life."""


@dataclass(frozen=True)
class Label:
    """What a series is called in records."""

    sli: str
    group: dict[str, str]
    """{"workflow": ...} and at most one more."""
    histogram: bool
    whole: bool
    """Quantiles are whole numbers."""
    waits: int = 0
    """When its events are known: place in `SliSettings.waits`."""
    untold: bool = False
    """It has no records and no metrics."""

    @cached_property
    def key(self) -> bytes:
        """The group as JSON: the key of its records."""
        return orjson.dumps(self.group)

    @cached_property
    def head(self) -> bytes:
        """What its records as JSON begin with, without the closing brace."""
        return orjson.dumps({"kind": "sli", "sli": self.sli, "group": self.group})[:-1]


@dataclass(frozen=True)
class Readings:
    """n panes, ordered by minute, then series."""

    labels: Sequence[Label]
    """By series."""
    series: NDArray[np.int64]
    minute: NDArray[np.int64]
    """Unix minutes: the pane's start."""
    total: NDArray[np.int64]
    good: NDArray[np.int64]
    revision: NDArray[np.int64]
    places: NDArray[np.int64]
    """[n, 3]: index into VALUES (`models.slis.bins`) of p50, p95, p99; -1: nothing counted, or a ratio."""
    bounds: NDArray[np.int64]
    """[n + 1]: pane i has the rows [bounds[i], bounds[i + 1]) of `bins`."""
    bins: NDArray[np.int64]
    """[k, 2]: bin, count; ascending within a pane."""

    def __len__(self) -> int:
        """Count the panes."""
        return len(self.series)

    @staticmethod
    def none() -> Readings:
        """Give no panes."""
        empty = np.empty(0, np.int64)
        return Readings(
            [],
            empty,
            empty,
            empty,
            empty,
            empty,
            np.empty((0, 3), np.int64),
            np.zeros(1, np.int64),
            np.empty((0, 2), np.int64),
        )


def revisions(told: NDArray[np.int64], life: int) -> NDArray[np.int64]:
    """Give the revision of panes told `told` times before. It rises within a life of the shard and from life to life.

    What a new life tells is thus never mistaken for what an earlier one told after the snapshot that it began with.
    """
    return told + life * _REVISIONS_PER_LIFE
