"""The OTLP receiver as a process: it listens or says why not, and SIGTERM ends it with all answers given."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import uvicorn

from control.connections import allow_connections, bounded, files
from flows.every import every
from flows.receiver import create_app
from flows.receiving.settings import ReceiverSettings
from flyball.errors import CommandError
from flyball.listen import listen, refusal
from flyball.opening import open_configured_log

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from flows.receiving.grpc_server import GrpcServer
    from flyball.config.settings import Otlp, Settings
    from streams.port import Log

_GRACE_S = 5
"""Seconds that requests under way have to end once the process is told to stop."""
_KEPT_S = 90
"""Seconds that a connection without requests is kept: longer than exporters wait between two (5 s to a minute); they
take it for a failure when it is closed just as they send."""
_RETAIN_EVERY_S = 60.0
_LONGEST_EMBEDDED = 32 << 20
"""Bytes of a message of the embedded log, whatever a request may bring; half of what the log itself takes."""


def run_receiver(settings: Settings, data: Path) -> int:
    """Run until SIGTERM or Ctrl-C; gives the exit code."""
    otlp = settings.otlp
    listening = listen(otlp.host, otlp.port, "otlp.port")
    if otlp.grpc_port is not None:
        listen(otlp.host, otlp.grpc_port, "otlp.grpc_port").close()  # gRPC would not say why it cannot
    log = open_configured_log(settings, data)
    _end_well_on_signals()
    allow_connections()
    with closing(log), retained(log):
        asyncio.run(_serve(settings, log, listening))
    return 0


async def _serve(settings: Settings, log: Log, listening: socket.socket) -> None:
    """Serve HTTP on the socket, and gRPC, until a signal comes."""
    also = _grpc_server(settings.otlp)
    app = create_app(log, receiver_settings(settings, log), also)
    config = uvicorn.Config(
        app,
        http=bounded(files() // 2),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=_KEPT_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    host, port = listening.getsockname()[:2]
    _say(f"receives OTLP/HTTP on http://{host}:{port}")
    if also:
        _say(f"receives OTLP/gRPC on {host}:{also.port}")
    await uvicorn.Server(config).serve(sockets=[listening])


def _grpc_server(otlp: Otlp) -> GrpcServer | None:
    if otlp.grpc_port is None:
        return None
    from flows.receiving.grpc_server import GrpcServer  # noqa: PLC0415 -- loads gRPC only when it is used

    try:
        return GrpcServer(otlp.host, otlp.grpc_port, otlp.max_body)
    except OSError as error:
        raise CommandError(refusal(otlp.host, otlp.grpc_port, str(error), "otlp.grpc_port")) from error


def receiver_settings(settings: Settings, log: Log) -> ReceiverSettings:
    """Give the bounds of the receiver; senders wait while the flow is far behind on spans.

    Kafka takes messages of 1 MB. The embedded log takes what a request may bring, so that no span is lost for being
    long: a model call with all that it read and wrote is, and it is those that cost most.
    """
    topics = settings.log.topics
    largest = {} if settings.log.brokers else {"max_message": min(settings.otlp.max_body, _LONGEST_EMBEDDED)}
    return ReceiverSettings(
        spans_topic=topics.spans,
        logs_topic=topics.logs,
        partitions=settings.log.partitions,
        max_body=settings.otlp.max_body,
        max_receiving=max(16 * settings.otlp.max_body, 256 << 20),
        **largest,
        backlog=lambda: log.backlog(topics.spans),
    )


@contextmanager
def retained(log: Log, every_s: float = _RETAIN_EVERY_S) -> Iterator[None]:
    """Let an embedded log drop what age or size has passed, now and then; a quiet topic has no writer that does it."""
    retain: Callable[[], None] | None = getattr(log, "retain", None)

    def keep_up() -> None:
        try:
            if retain is not None:
                retain()
        except OSError as error:  # a full or failing disk: writing says so by itself
            _say(f"retention: {error}")

    with every(every_s, keep_up, "retention"):
        yield


def _end_well_on_signals() -> None:
    """Make being stopped no failure: after its own shutdown the server raises the signal again, for us."""

    def nothing(number: int, frame: FrameType | None) -> None:
        pass

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, nothing)


def _say(text: str) -> None:
    print(f"flyball: {text}", file=sys.stderr, flush=True)  # noqa: T201 -- for people
