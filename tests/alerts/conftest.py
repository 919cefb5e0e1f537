"""A desk: store, pager, outbox and workers by hand, one step at a time, on a clock that is set."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from alerts.metrics import Metrics
from alerts.outbox import Outbox
from alerts.outcome import Retry, Sent
from alerts.pager import Pager
from alerts.routing import Route, Routing
from alerts.store import Store
from alerts.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Desk:
    """Everything of delivery but its threads and the log."""

    def __init__(
        self, folder: Path, clock: Any, sinks: list[Any], routing: Routing | None = None, **bounds: Any
    ) -> None:
        self.clock = clock
        self.sinks = sinks
        names = tuple(sink.settings.name for sink in sinks)
        self.routing = routing or Routing([Route("all", names)])
        self.store = Store(folder / "outbox.db")
        self.outbox = Outbox(self.store, bounds.pop("max_rows", 1_000))
        self.pager = Pager(self.outbox, lambda: self.routing)
        self.metrics = Metrics()
        self.said: list[str] = []
        self.workers = [self._worker(sink, 7, **bounds) for sink in sinks]

    def tell(self, *incidents: Any) -> None:
        """Take tellings in one transaction."""
        with self.store.transaction() as db:
            self.pager.take(db, incidents, self.clock())

    def work(self) -> None:
        """Tell what is due, and deliver until nothing is due now."""
        with self.store.transaction() as db:
            self.pager.tell_due(db, self.clock())
        for worker in self.workers:
            while worker.step() == 0.0:
                pass

    def after(self, seconds: float) -> None:
        """Let time pass in one go, and work."""
        self.clock.advance(seconds)
        self.work()

    def rest(self, seconds: float, incident: Any) -> None:
        """Tell something of which the first sink says that it wants to rest for so long; it takes all that follows."""
        sink = self.sinks[0]
        sink.answer = lambda page: Retry(seconds, "HTTP 429")
        self.tell(incident)
        self.work()
        sink.answer = lambda page: Sent()

    def restart(self) -> None:
        """Give the sinks the workers of the next process."""
        self.workers = [self._worker(sink, 8) for sink in self.sinks]

    def _worker(self, sink: Any, seed: int, **bounds: Any) -> Worker:
        def hold(page: Any, now_ns: int) -> int:
            return self.routing.hold(sink.settings.name, page, now_ns)

        chance = Random(seed)  # noqa: S311 -- repeatable, no secret
        return Worker(
            sink, self.outbox, self.metrics, self.clock, hold=hold, random=chance, say=self.said.append, **bounds
        )

    def metric(self, name: str, **labels: str) -> float:
        """Read a counter."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def clock(incidents: Any) -> Any:
    """Give a clock."""
    return incidents.Clock()


@pytest.fixture
def make_desk(tmp_path: Path, clock: Any) -> Iterator[Callable[..., Desk]]:
    """Give the function that sets up a desk with some sinks; the store is closed at the end."""
    desks: list[Desk] = []

    def make(*sinks: Any, **more: Any) -> Desk:
        folder = tmp_path / str(len(desks))
        folder.mkdir()
        desks.append(Desk(folder, clock, list(sinks), **more))
        return desks[-1]

    yield make
    for desk in desks:
        desk.store.close()
