"""Sinks that routes.yaml no longer names, and names again: what they were to be told is seen, and told in the end."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from alerts.delivery import Delivery, DeliverySettings, Routes
from alerts.routing import Route, Routing
from alerts.sinks.base import SinkSettings
from streams.embedded import EmbeddedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROUTING_KEY = "0123456789abcdef0123456789ABCDEF"
TOPIC = "flyball.incidents"
GONE = "there is no sink pager in routes.yaml any more"


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Poll until the condition holds; gives what it last gave."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


class Service:
    """A delivery that runs, and is told from outside what to do in its own thread."""

    def __init__(self, folder: Path, routes: Routes) -> None:
        self.log = EmbeddedLog(folder / "log")
        self.log.ensure(TOPIC, 1)
        self.delivery = Delivery(self.log, DeliverySettings(folder / "deliver"), routes, say=lambda _: None)
        self._waiting: list[Callable[[], None]] = []

    def tell(self, *messages: tuple[bytes, bytes]) -> None:
        """Append to the topic, and wait until it is taken."""
        writer = self.log.writer()
        writer.append(TOPIC, messages)
        writer.close()
        assert until(lambda: self.log.backlog(TOPIC) == 0)

    def do(self, act: Callable[[], None]) -> None:
        """Have something done between two steps."""
        self._waiting.append(act)
        assert until(lambda: act not in self._waiting)

    def lose_sink(self, incidents: Any) -> None:
        """Tell of an incident that its sink does not take, which routes then name no more: it is parked."""
        self.tell(incidents.message(incidents.incident("a")))
        self.do(lambda: self.delivery.reroute(Routes()))
        assert until(lambda: self.reasons() == [GONE])

    def write(self, *, may: bool) -> None:
        """Let the file be written, or not, as on a full disk."""
        with self.delivery._store.reading() as db:
            db.execute(f"PRAGMA query_only={int(not may)}")

    def reasons(self) -> list[str]:
        """Give why what is parked is."""
        return [each.reason for each in self.delivery.outbox.parked()]

    @contextmanager
    def running(self) -> Iterator[Service]:
        """Run in a thread until left."""

        def between() -> None:
            while self._waiting:
                self._waiting[0]()
                self._waiting.pop(0)

        thread = threading.Thread(target=self.delivery.run, args=(between,))
        thread.start()
        try:
            yield self
        finally:
            self.delivery.stop()
            thread.join(30)


@pytest.fixture
def routes(pagerduty: Any) -> Routes:
    """Send every page to the stand-in."""
    sink = SinkSettings("pager", "pagerduty", url=pagerduty.url, secret=ROUTING_KEY, rate=1_000.0)
    return Routes((sink,), Routing([Route("all", ("pager",))]))


def test_a_sink_that_is_back_is_told_what_waited(
    routes: Routes, tmp_path: Path, pagerduty: Any, pagerduty_tool: Any, incidents: Any
) -> None:
    """A slip in routes.yaml, or a moment without the file, costs no page: what was parked for it is in line again."""
    pagerduty.trouble = lambda: pagerduty_tool.Answer(500)
    with Service(tmp_path, routes).running() as service:
        service.lose_sink(incidents)
        pagerduty.trouble = lambda: None
        service.do(lambda: service.delivery.reroute(routes))
        assert until(lambda: list(pagerduty.incidents().values()) == ["triggered"])
        assert service.reasons() == []


def test_so_it_is_over_a_restart(
    routes: Routes, tmp_path: Path, pagerduty: Any, pagerduty_tool: Any, incidents: Any
) -> None:
    """The slip may be mended while delivery is down."""
    pagerduty.trouble = lambda: pagerduty_tool.Answer(500)
    with Service(tmp_path, routes).running() as service:
        service.lose_sink(incidents)
    pagerduty.trouble = lambda: None
    with Service(tmp_path, routes).running():
        assert until(lambda: list(pagerduty.incidents().values()) == ["triggered"])


def test_news_for_a_sink_that_is_gone_is_seen(routes: Routes, tmp_path: Path, pagerduty: Any, incidents: Any) -> None:
    """The end of a page that it knows of waits for nobody: it is listed as parked, not in a queue that none shows."""
    with Service(tmp_path, routes).running() as service:
        service.tell(incidents.message(incidents.incident("a")))
        assert until(lambda: list(pagerduty.incidents().values()) == ["triggered"])
        service.do(lambda: service.delivery.reroute(Routes()))
        service.tell(incidents.message(incidents.resolved("a")))
        service.do(lambda: setattr(service.delivery, "_kept_house_ns", 0))  # a minute passes
        assert until(lambda: service.reasons() == [GONE])
        service.do(lambda: service.delivery.reroute(routes))
        assert until(lambda: list(pagerduty.incidents().values()) == ["resolved"])


def test_routes_change_on_a_full_disk(
    routes: Routes, tmp_path: Path, pagerduty: Any, pagerduty_tool: Any, incidents: Any
) -> None:
    """Delivery goes on, and says that it is ill; what a sink that went was to be told is parked when there is room."""
    pagerduty.trouble = lambda: pagerduty_tool.Answer(500)
    with Service(tmp_path, routes).running() as service:
        service.tell(incidents.message(incidents.incident("a")))
        service.do(lambda: service.write(may=False))
        service.do(lambda: service.delivery.reroute(Routes()))
        assert until(lambda: service.delivery.metrics.problem is not None and not service.delivery._leaving)
        time.sleep(0.3)
        service.do(lambda: service.write(may=True))
        assert until(lambda: service.reasons() == [GONE])
        assert until(lambda: service.delivery.metrics.problem is None)
        pagerduty.trouble = lambda: None
        service.do(lambda: service.delivery.reroute(routes))
        assert until(lambda: list(pagerduty.incidents().values()) == ["triggered"])
