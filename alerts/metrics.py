"""Prometheus metrics of delivery: counters as things happen, the queues as they are when scraped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from collections import Counter as Counts
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from alerts.outbox import Queue

_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_NS = 1e-9


class Metrics:
    """The metrics of one delivery process, and its health."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.problem: str | None = None
        """Why delivery is not healthy; None when it is."""
        self.deliveries = self._counter("flyball_deliveries", "Deliveries, by what came of them.", "sink", "outcome")
        self.retries = self._counter("flyball_delivery_retries", "Deliveries put off for another try.", "sink")
        self.seconds = Histogram(
            "flyball_delivery_seconds",
            "From the moment a sink was to know something until it did.",
            ["sink"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._tellings = self._counter("flyball_incident_tellings", "Tellings read, by what they were.", "outcome")
        self._pages = self._counter("flyball_pages", "Pages begun.", "severity")
        self._gave_way = self._counter("flyball_delivery_gave_way", "Rows parked for a full outbox.", "severity")
        self._unrouted = self._counter("flyball_pages_unrouted", "Pages that no route matched; stdout got them.")
        self.reloads = self._counter(
            "flyball_routes_reloads", "Changes of routes.yaml, by what came of them.", "outcome"
        )

    def count(self, counted: Counts[tuple[str, str]]) -> None:
        """Take over what the pager counted, and empty it."""
        by_name = {"telling": self._tellings, "page": self._pages, "gave_way": self._gave_way}
        for (what, label), count in list(counted.items()):
            (by_name[what].labels(label) if what in by_name else self._unrouted).inc(count)
        counted.clear()

    def watch(
        self,
        queues: Callable[[], dict[str, Queue]],
        lags: Callable[[], dict[tuple[str, int], int]],
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Show how sinks stand, and how many tellings each partition still has, whenever somebody scrapes."""
        self.registry.register(_Live(queues, lags, now_ns))

    def _counter(self, name: str, doc: str, *labels: str) -> Counter:
        return Counter(name, doc, labels, registry=self.registry)


class _Live:
    """Gauges that are asked for when scraped."""

    def __init__(
        self,
        queues: Callable[[], dict[str, Queue]],
        lags: Callable[[], dict[tuple[str, int], int]],
        now_ns: Callable[[], int],
    ) -> None:
        self._queues, self._lags, self._now_ns = queues, lags, now_ns

    def describe(self) -> list[Metric]:
        """Promise nothing in advance: asking the store is left to scrapes."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give the gauges."""
        depth = GaugeMetricFamily("flyball_delivery_queue", "Pages that the sink is still to hear of.", labels=["sink"])
        oldest = GaugeMetricFamily(
            "flyball_delivery_oldest_seconds", "How long the oldest of them waits.", labels=["sink"]
        )
        parked = GaugeMetricFamily("flyball_delivery_parked", "Pages that are not tried any more.", labels=["sink"])
        now_ns = self._now_ns()
        for sink, queue in self._queues().items():
            waits = max(0, now_ns - queue.oldest_ns) if queue.oldest_ns is not None else 0
            depth.add_metric([sink], queue.depth)
            oldest.add_metric([sink], waits * _NS)
            parked.add_metric([sink], queue.parked)
        lag = GaugeMetricFamily(
            "flyball_consumer_lag_messages", "Messages not read yet.", labels=["topic", "partition"]
        )
        for (topic, partition), count in self._lags().items():
            lag.add_metric([topic, str(partition)], count)
        yield from (depth, oldest, parked, lag)
