"""The OTLP/HTTP receiver as a process: it listens or says why not, and SIGTERM ends it with all answers given."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import uvicorn

from flows.receiver import ReceiverSettings, create_app
from flyball.errors import CommandError
from flyball.opening import open_configured_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from flyball.config.settings import Settings
    from streams.port import Log

_GRACE_S = 5
"""Seconds that requests under way have to end once the process is told to stop."""
_RETAIN_EVERY_S = 60.0


def run_receiver(settings: Settings, data: Path) -> int:
    """Run until SIGTERM or Ctrl-C; gives the exit code."""
    listening = listen(settings.otlp.host, settings.otlp.port)
    log = open_configured_log(settings, data)
    app = create_app(log, receiver_settings(settings, log))
    config = uvicorn.Config(
        app, lifespan="on", log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_S
    )
    _end_well_on_signals()
    host, port = listening.getsockname()[:2]
    print(f"flyball: receives OTLP/HTTP on http://{host}:{port}", file=sys.stderr, flush=True)  # noqa: T201 -- for people
    with closing(log), retained(log):
        uvicorn.Server(config).run(sockets=[listening])
    return 0


def receiver_settings(settings: Settings, log: Log) -> ReceiverSettings:
    """Give the bounds of the receiver; senders wait while the flow is far behind on spans."""
    topics = settings.log.topics
    return ReceiverSettings(
        spans_topic=topics.spans,
        logs_topic=topics.logs,
        partitions=settings.log.partitions,
        max_body=settings.otlp.max_body,
        backlog=lambda: log.backlog(topics.spans),
    )


@contextmanager
def retained(log: Log, every_s: float = _RETAIN_EVERY_S) -> Iterator[None]:
    """Let an embedded log drop what age or size has passed, now and then; a quiet topic has no writer that does it."""
    retain: Callable[[], None] | None = getattr(log, "retain", None)
    ended = threading.Event()

    def keep_up() -> None:
        while retain is not None and not ended.wait(every_s):
            try:
                retain()
            except OSError as error:  # a full or failing disk: writing says so by itself
                print(f"flyball: retention: {error}", file=sys.stderr, flush=True)  # noqa: T201 -- for people

    thread = threading.Thread(target=keep_up, name="retention", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def listen(host: str, port: int) -> socket.socket:
    """Bind the address; raises CommandError when that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # Python adds the address, which we have said
        msg = f"cannot listen on {host}:{port}: {reason}; another port is set by otlp.port in flyball.yaml"
        raise CommandError(msg) from error


def _end_well_on_signals() -> None:
    """Make being stopped no failure: after its own shutdown the server raises the signal again, for us."""

    def nothing(number: int, frame: FrameType | None) -> None:
        pass

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, nothing)
