"""Launcher: runs a flow with sub-second epochs, recovery, metrics, health and a graceful stop."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bytewax.recovery import (
    InconsistentPartitionsError,
    MissingPartitionsError,
    NoPartitionsError,
)
from bytewax.run import cli_main

from flows.begun import Begun
from flows.clock_watch import clock_watched
from flows.cluster import Meeting, peers_minded
from flows.health import Health
from flows.journal import JournalError
from flows.memory import settle_memory
from flows.metrics import Metrics
from flows.metrics_server import MetricsServer
from flows.raised import Raised
from flows.recovery import open_recovery, store_faults_told
from flows.sink import LogSink
from flows.source import Begin, LogSource
from flows.topology import build
from flows.waiting import StoppedError, Waiting
from flows.warm_up import warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import FrameType
    from typing import TextIO

    from bytewax.dataflow import Dataflow

    from flows.settings import FlowSettings
    from streams.port import Log

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
UNFIT = (InconsistentPartitionsError, MissingPartitionsError, NoPartitionsError, JournalError)
"""Errors of the kinds that say that what is kept of an earlier life cannot be gone on with."""


class RecoveryInUseError(OSError):
    """Another flow keeps its snapshots in the same folder; two at once would ruin them."""


@dataclass(frozen=True)
class FlowProcess:
    """Where one process of a flow reads, writes and keeps its state, and its place in the cluster."""

    open_log: Callable[[], Log]
    recovery: Path
    """Folder of the engine's snapshots and of the shard journals; all processes of a cluster must see the same one."""
    partitions: int = 4
    start: str = "oldest"
    on_lost: str = "stop"
    max_bytes: int = 8 << 20
    epoch: timedelta = timedelta(seconds=1)
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9464
    say: Callable[[str], None] = print
    """Told what takes long."""
    process_id: int | None = None
    addresses: Sequence[str] | None = None
    """`host:port` of every process of the cluster; None: this one is alone."""

    @property
    def address(self) -> str | None:
        """Where it listens for the others."""
        return self.addresses[self.process_id or 0] if self.addresses else None


def run_flow(settings: FlowSettings, process: FlowProcess) -> None:
    """Run until SIGTERM or SIGINT, which end it with a last snapshot: the next start goes on exactly there.

    While the log does not answer at the start it is waited for; /healthz says so, and `say` is told.
    Raises RecoveryInUseError while another flow runs on the same recovery folder.
    """
    with held(process.recovery, process.process_id or 0, len(process.addresses or ("alone",))):
        _run(settings, process)


def _run(settings: FlowSettings, process: FlowProcess) -> None:
    stop = threading.Event()
    _stop_on_signals(stop)
    metrics = Metrics(time.time_ns)
    metrics.problem = "starting"
    health = Health(metrics)
    log = process.open_log()
    with MetricsServer(health, process.metrics_host, process.metrics_port):
        waiting = Waiting(stop, metrics, process.say)
        with suppress(StoppedError):  # before there was anything to take a snapshot of
            waiting.until(lambda: _ensure_topics(log, settings, process.partitions))
            source = _source(settings, process, log, metrics, stop, waiting)
            flow = _flow(settings, process, log, metrics, health, stop, source)
            metrics.problem, meeting = None, Meeting(metrics)
            source.met = meeting.over
            engine = process.recovery / "engine"
            with (
                closing(log),
                peers_minded(stop, process.address),
                store_faults_told(engine),
                clock_watched(process.say),
                meeting if process.addresses else nullcontext(),
            ):
                cli_main(
                    flow,
                    workers_per_process=1,
                    process_id=process.process_id,
                    addresses=list(process.addresses) if process.addresses else None,
                    epoch_interval=process.epoch,
                    recovery_config=open_recovery(engine, process.recovery / "journal"),
                )


def _ensure_topics(log: Log, settings: FlowSettings, partitions: int) -> None:
    for topic in vars(settings.topics).values():
        log.ensure(topic, 1 if topic == settings.topics.orders else partitions)  # orders are few, and count in order


def _source(
    settings: FlowSettings, process: FlowProcess, log: Log, metrics: Metrics, stop: threading.Event, waiting: Waiting
) -> LogSource:
    return LogSource(
        lambda: log,
        (settings.topics.spans, settings.topics.logs),
        stop,
        begin=Begin(process.start, process.on_lost, lossless=(settings.topics.orders,)),
        max_bytes=process.max_bytes,
        metrics=metrics,
        waiting=waiting,
        begun=Begun(process.recovery / "begun"),
    )


def _flow(
    settings: FlowSettings,
    process: FlowProcess,
    log: Log,
    metrics: Metrics,
    health: Health,
    stop: threading.Event,
    source: LogSource,
) -> Dataflow:
    """Wire the flow of a process; its kernels are then compiled. Raises StoppedError."""
    with _ending_at_once(stop):
        warm_up(process.say)
    settings = replace(settings, journal=process.recovery / "journal")
    parts = source.events()
    sink, raised = LogSink(lambda: log), Raised(log, source.counts, metrics, process.say)
    flow = build(source, sink, settings, metrics, clock=time.time_ns, parts=parts)
    health.asked += [sink.flushes.problem, raised.problem]
    raised.start()
    settle_memory()
    return flow


@contextmanager
def held(recovery: Path, process_id: int, processes: int = 1) -> Iterator[None]:
    """Hold the place of one of so many processes in a recovery folder; the lock goes with the process, however it ends.

    Places beyond theirs must be free: a process that is left of a larger cluster would write among the new ones.
    """
    recovery.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (recovery / f"lock-{process_id}").open("a+") as file:
        _lock(file, fcntl.LOCK_EX, recovery)
        _note_holder(file)
        for path in recovery.glob("lock-*"):
            if int(path.name.removeprefix("lock-")) >= processes:
                with path.open() as other:
                    _lock(other, fcntl.LOCK_SH, recovery)  # shared: all of a cluster look at once
        yield


def _lock(file: TextIO, kind: int, recovery: Path) -> None:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        msg = f"recovery folder {recovery} is in use by another flow (pid {holder})"
        raise RecoveryInUseError(msg) from None


def _note_holder(file: TextIO) -> None:
    try:
        file.truncate(0)
        os.write(file.fileno(), f"{os.getpid()}\n".encode())
    except OSError as error:  # a full disk: what is written through a descriptor has no name
        raise OSError(error.errno, error.strerror, file.name) from error


@contextmanager
def _ending_at_once(stop: threading.Event) -> Iterator[None]:
    """Let a signal end the process on the spot: there is nothing yet to keep, and a compiler can take minutes to hear.

    Raises StoppedError where one came before.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        os._exit(0)

    for number in _SIGNALS:
        signal.signal(number, on_signal)
    if stop.is_set():
        raise StoppedError
    yield
    _stop_on_signals(stop)


def _stop_on_signals(stop: threading.Event) -> None:
    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in _SIGNALS:
        signal.signal(number, on_signal)
