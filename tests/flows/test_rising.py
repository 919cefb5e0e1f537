"""Counters of shards as Prometheus reads them: they begin at 0 with the process, and never fall."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from flows.metrics import Metrics


def shard(**counters: int) -> Any:
    """Make a run shard that has counted so much."""
    return SimpleNamespace(open_runs=0, remembered=0, memory_bytes=0, counters=counters)


def test_what_earlier_lives_counted_is_no_increase() -> None:
    """A shard restored with a million late spans, just below what was last read, is not a million more of them."""
    registry = CollectorRegistry()
    metrics = Metrics(None, registry)
    restored = shard(late=1_000_000, unpriced=7)
    metrics.watch_runs("r00", restored, SimpleNamespace(current=0))  # type: ignore[arg-type]
    assert registry.get_sample_value("flyball_late_total") == 0
    restored.counters["late"] += 3
    metrics.watch_runs("r01", shard(late=500), SimpleNamespace(current=0))  # type: ignore[arg-type]
    assert registry.get_sample_value("flyball_late_total") == 3
    assert metrics.run_counters()["late"] == 1_000_503


def test_a_correction_is_no_new_beginning() -> None:
    """A run that gets its price takes back what was counted; the counter stays, and goes on from there."""
    registry = CollectorRegistry()
    metrics = Metrics(None, registry)
    table = shard(unpriced=0)
    metrics.watch_runs("r00", table, SimpleNamespace(current=0))  # type: ignore[arg-type]
    told = []
    for count in (5, 4, 5, 6):
        table.counters["unpriced"] = count
        told.append(registry.get_sample_value("flyball_unpriced_total"))
    assert told == [5, 5, 5, 6]


def test_evaluations_that_wait_are_told_as_they_stand() -> None:
    """How many found no run so far is a number of the present, restored ones too; it falls when one finds its run."""
    registry = CollectorRegistry()
    metrics = Metrics(None, registry)
    table = shard(evaluations_unjoined=9)
    metrics.watch_runs("r00", table, SimpleNamespace(current=0))  # type: ignore[arg-type]
    table.counters["evaluations_unjoined"] = 8
    assert registry.get_sample_value("flyball_evaluations_unjoined_total") == 8
