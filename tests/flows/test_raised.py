"""A topic that gets more partitions while the flow runs: it is said, and health is red until a restart reads them."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from flows.metrics import Metrics
from flows.raised import Raised
from flows.source import Begin, LogSource
from streams.embedded import EmbeddedLog
from streams.port import UnreachableError

if TYPE_CHECKING:
    from pathlib import Path


def test_partitions_that_nobody_reads_are_told_once(tmp_path: Path) -> None:
    """Of events and of orders; of a log that does not answer just that is said, for as long."""
    log = EmbeddedLog(tmp_path)
    for topic in ("spans", "orders"):
        log.ensure(topic, 2)
    source = LogSource(lambda: log, ("spans",), Event(), begin=Begin(lossless=("orders",)))
    assert source.counts() == {"spans": 2, "orders": 2}

    class Grown:
        """The log, with more partitions of spans."""

        count: int | None = 2

        def partitions(self, topic: str) -> int:
            if self.count is None:
                raise UnreachableError(topic)
            return self.count if topic == "spans" else 2

    grown: Any = Grown()
    metrics, said = Metrics(lambda: 0, CollectorRegistry()), []  # type: ignore[var-annotated]
    raised = Raised(grown, source.counts, metrics, said.append)
    for count in (2, None, 4, 4, None, 4):
        grown.count = count
        raised.look()
        assert bool(raised.problem()) == (count is None)
        assert (metrics.problem is None) == (count in {2, None} and not said)
    assert said == ["topic spans has 4 partitions, 2 of them are read: restart the flow"]
    assert metrics.problem == said[0]
    log.close()
