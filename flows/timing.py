"""Timing of steps into the batch-time histogram."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from flows.metrics import Metrics

X = TypeVar("X")
Y = TypeVar("Y")


def timed(metrics: Metrics, step: str, mapper: Callable[[list[X]], list[Y]]) -> Callable[[list[X]], list[Y]]:
    """Wrap the mapper of a `flat_map_batch` so that each activation's time is observed."""
    observe = metrics.batch_seconds.labels(step).observe

    def run(items: list[X]) -> list[Y]:
        began = perf_counter()
        out = mapper(items)
        observe(perf_counter() - began)
        return out

    return run
