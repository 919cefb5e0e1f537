"""Delivery: intake, pages, outbox and workers as one service over one log topic and one file."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from alerts.intake import Intake
from alerts.metrics import Metrics
from alerts.outbox import Outbox
from alerts.pager import Pager
from alerts.routing import STDOUT, Routing
from alerts.sinks import make
from alerts.sinks.base import SinkSettings
from alerts.store import Store, StoreError
from alerts.worker import DAY_NS, Worker
from streams.port import LostOffsetError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from alerts.outbox import Queue
    from alerts.page import Page
    from streams.port import Log

FILE = "outbox.db"
_IDLE_S = 0.1
_HOUSEKEEPING_NS = 60 * 10**9
_STOP_S = 10.0


@dataclass(frozen=True)
class Routes:
    """What `routes.yaml` says: the sinks there are, and who is told of what."""

    sinks: tuple[SinkSettings, ...] = ()
    routing: Routing = field(default_factory=Routing)

    def all_sinks(self) -> dict[str, SinkSettings]:
        """Give the sinks by name, with the one that is always there."""
        return {STDOUT: SinkSettings(STDOUT, STDOUT)} | {sink.name: sink for sink in self.sinks}


@dataclass(frozen=True)
class DeliverySettings:
    """What does not change while the process lives."""

    folder: Path
    topic: str = "flyball.incidents"
    partitions: int = 4
    start: str = "oldest"
    on_lost: str = "stop"
    max_rows: int = 100_000
    give_up_ns: int = 3 * DAY_NS
    keep_ns: int = 30 * DAY_NS
    """How long pages that have ended, and their incidents, are remembered; longer than the log keeps messages."""


class Delivery:
    """The service. `run` until `stop`; `reroute` changes routes and sinks meanwhile, from the thread that runs."""

    def __init__(
        self,
        log: Log,
        settings: DeliverySettings,
        routes: Routes,
        metrics: Metrics | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        say: Callable[[str], None] = print,
    ) -> None:
        self._log, self._settings, self._now_ns, self._say = log, settings, now_ns, say
        self.metrics = metrics or Metrics()
        self._store = Store(settings.folder / FILE)
        self.outbox = Outbox(self._store, settings.max_rows)
        self._routes = routes
        self._pager = Pager(self.outbox, lambda: self._routes.routing)
        self._intake = Intake(
            log,
            settings.topic,
            self._store,
            self._pager,
            self.outbox,
            start=settings.start,
            on_lost=settings.on_lost,
            say=say,
        )
        self._workers: dict[str, Worker] = {}
        self._leaving: dict[str, Worker] = {}
        self._stopped = threading.Event()
        self._kept_house_ns = 0
        self._routed: int | None = 0  # the routes may be other ones than those of the last life
        """The last page that was looked at since the routes changed; None: all were."""
        self.metrics.watch(self._queues, self._intake.lags, now_ns)

    def run(self, between: Callable[[], None] = lambda: None) -> None:
        """Deliver until `stop`; `between` is called now and then. Raises LostOffsetError, StoreError."""
        self._start_workers()
        try:
            while not self._stopped.is_set():
                between()
                if self._leaving:
                    self._start_workers()
                if not self._step():
                    time.sleep(_IDLE_S)  # not wait(): it holds a lock that `stop` in a signal handler would wait for
        finally:
            self._end()

    def stop(self) -> None:
        """End `run` soon; from any thread, or a signal handler."""
        self._stopped.set()

    def reroute(self, routes: Routes) -> None:
        """Take other routes and sinks; sinks that are as they were go on undisturbed."""
        before, after = self._routes.all_sinks(), routes.all_sinks()
        for name in [name for name in self._workers if before.get(name) != after.get(name)]:
            self._leaving[name] = self._workers.pop(name)
        self._routes = routes
        self._routed = 0
        self._start_workers()

    def _start_workers(self) -> None:
        """Start what is not there; a sink that has changed when its last delivery has ended, so that order is kept."""
        for name in [name for name, worker in self._leaving.items() if worker.stop(0)]:
            del self._leaving[name]
            with suppress(sqlite3.OperationalError):  # a full disk: the new one rests as long as the old one was to
                self.outbox.go_on(name)
        sinks = {name: sink for name, sink in self._routes.all_sinks().items() if name not in self._leaving}
        self._kept_house_ns = 0  # what waits for sinks that came or went is looked at in the next step
        for name, settings in sinks.items():
            if name not in self._workers:
                worker = Worker(
                    make(settings),
                    self.outbox,
                    self.metrics,
                    self._now_ns,
                    give_up_ns=self._settings.give_up_ns,
                    hold=partial(self._until, name),
                    say=self._say,
                )
                self._workers[name] = worker
                worker.start()

    def _until(self, sink: str, page: Page, now_ns: int) -> int:
        return self._routes.routing.hold(sink, page, now_ns)

    def _park_for_nobody(self, now_ns: int) -> None:
        """Park what waits for sinks that are no more, where it is seen; it is in line again when they are back."""
        for name in set(self.outbox.sinks()) - set(self._routes.all_sinks()) - set(self._leaving):
            self.outbox.park_sink(name, _gone(name), now_ns)
        for name in self._routes.all_sinks():
            self.outbox.put_back_sink(name, _gone(name), now_ns)

    def _step(self) -> bool:
        """Take what has come; False when there was nothing, or the log cannot be reached."""
        now = self._now_ns()
        try:
            if not 0 <= now - self._kept_house_ns < _HOUSEKEEPING_NS:
                self._keep_house(now)
            came = self._route_again(now) | self._intake.step(now)
        except LostOffsetError:
            raise
        except (UnreachableError, sqlite3.OperationalError) as error:  # a full or busy disk is one, too
            self._be_ill(str(error))
            return False
        self.metrics.problem = None
        if self._pager.counted or came:
            self.metrics.count(self._pager.counted)
            for worker in self._workers.values():
                worker.wake()
        return came

    def _route_again(self, now_ns: int) -> bool:
        """Tell sinks that other routes name of what is open, some pages at a time; False: there was nothing to do."""
        if self._routed is None:
            return False
        with self._store.transaction() as db:
            routed = self._pager.route_again(db, self._routed, now_ns)
        self._routed = routed
        return True

    def _keep_house(self, now_ns: int) -> None:
        """Look for new partitions, and forget what ended long ago."""
        self._log.ensure(self._settings.topic, self._settings.partitions)
        self._intake.find_partitions()
        with self._store.transaction() as db:
            self._pager.forget(db, now_ns - self._settings.keep_ns)
        self.outbox.put_back_full(now_ns)
        self._park_for_nobody(now_ns)  # now and then, too: pages of which such a sink knew have had news
        self._kept_house_ns = now_ns

    def _be_ill(self, problem: str) -> None:
        if self.metrics.problem is None:
            self._say(f"{problem}; trying again")
        self.metrics.problem = problem
        self._kept_house_ns = 0

    def _queues(self) -> dict[str, Queue]:
        return {name: self.outbox.queue(name) for name in self._routes.all_sinks()}

    def _end(self) -> None:
        until = time.monotonic() + _STOP_S
        workers = [*self._workers.values(), *self._leaving.values()]
        for worker in workers:
            worker.halt()
        for worker in workers:
            worker.stop(max(0.0, until - time.monotonic()))
        self._intake.close()
        self._store.close()


def _gone(sink: str) -> str:
    return f"there is no sink {sink} in routes.yaml any more"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder: two processes on one outbox would tell everything twice. Raises StoreError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"{folder} is in use by another flyball deliver"
            raise StoreError(msg) from None
        yield


@contextmanager
def opened(folder: Path) -> Iterator[Outbox]:
    """Open the outbox beside a process that may be running, to look at it or to put something back."""
    with opened_store(folder) as store:
        yield Outbox(store)


def opened_store(folder: Path) -> closing[Store]:
    """Open the file beside a process that may be running."""
    return closing(Store(folder / FILE))
