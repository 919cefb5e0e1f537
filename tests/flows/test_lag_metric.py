"""The lag of event time is that of shards that hold runs: who watches a quiet weekend is not behind."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from flows.metrics import Metrics
from models.watermark import SECOND

NOW = 1_000 * SECOND


def shard(at_s: int, runs: int) -> tuple[Any, Any]:
    """Make a shard that holds so many closed runs, with its watermark."""
    table = SimpleNamespace(open_runs=0, remembered=runs, memory_bytes=0, counters={})
    return table, SimpleNamespace(current=at_s * SECOND)


@pytest.mark.parametrize(
    ("shards", "lag"),
    [
        ([(940, 3), (970, 5)], 60.0),
        ([(940, 3), (100, 0)], 60.0),  # the last run of the second was forgotten long ago
        ([(100, 0)], None),
        ([(0, 0), (900, 1)], 100.0),  # nothing was ever heard by the first
    ],
)
def test_shards_without_runs_are_not_behind(shards: list[tuple[int, int]], lag: float | None) -> None:
    """Nothing to tell where nothing is held."""
    registry = CollectorRegistry()
    metrics = Metrics(lambda: NOW, registry)
    for number, said in enumerate(shards):
        metrics.watch_runs(f"r{number:02d}", *shard(*said))
    assert registry.get_sample_value("flyball_event_time_lag_seconds") == lag
