"""Spread: how many values of the last five minutes lay at or below each of some limits: one column of a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.kernels import allocating
from models.slis.bins import ZERO, bin_of
from models.slis.blocks import find
from models.slis.minutes import WIDTH
from models.slis.scratch import clear, fresh, pour
from models.slis.trajectory_length import TRAJECTORY_LENGTH
from models.slis.windows import MINUTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.slis.readings import Label
    from models.slis.store import Store

SPREAD_OF = TRAJECTORY_LENGTH.name
AT_MOST = (1, 2, 3, 5, 8, 13, 20, 30, 50, 80, 130, 200)
"""Limits, steps of a run: Fibonacci's numbers first, round ones then. All are told apart by the bins."""

_PLACES = np.array([bin_of(limit) - ZERO for limit in AT_MOST], np.int64)


class Spread(NamedTuple):
    """Of one workflow: values at or below each limit of AT_MOST, then all of them."""

    workflow: str
    counts: list[int]


def spread_of(store: Store, labels: Sequence[Label], minute: int) -> list[Spread]:
    """Read the five minutes that end with a Unix minute, of each workflow."""
    found = [at for at, label in enumerate(labels) if label.sli == SPREAD_OF and len(label.group) == 1]
    if not found:
        return []
    counts: NDArray[np.int64] = _read(store.minutes, store.nodes, np.array(found, np.int64), _PLACES, minute)
    return [Spread(labels[at].group["workflow"], row) for at, row in zip(found, counts.tolist(), strict=True)]


@allocating
def _read(minutes: Any, nodes: Any, series: Any, places: Any, now: Any) -> Any:
    out = np.zeros((series.size, places.size + 1), np.int64)
    flat, seen = fresh()
    since, until = now + 1 - MINUTES[0], now + 1
    for i in range(series.size):
        clear(flat, seen)
        for hour in range(since // WIDTH, (until - 1) // WIDTH + 1):
            block, _ = find(minutes.blocks, series[i], hour)
            if block >= 0:
                for at in range(max(since - hour * WIDTH, 0), min(until - hour * WIDTH, WIDTH)):
                    pour(flat, seen, nodes, minutes.side[block, at])
        for place in range(flat.size):
            if flat[place] > 0:
                for limit in range(places.size):
                    out[i, limit] += flat[place] if place <= places[limit] else 0
                out[i, places.size] += flat[place]
    return out
