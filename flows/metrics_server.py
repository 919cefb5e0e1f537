"""HTTP server of one process: /metrics for Prometheus, /healthz for supervisors."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from prometheus_client import generate_latest
from typing_extensions import override

if TYPE_CHECKING:
    from types import TracebackType

    from prometheus_client import CollectorRegistry


_MOST: Final = 64
"""Connections at once."""


class Metrics(Protocol):
    """What is served: the registry at /metrics, the problem (None: healthy) at /healthz."""

    @property
    def problem(self) -> str | None:
        """Give what is wrong."""
        ...

    @property
    def registry(self) -> CollectorRegistry:
        """Give what is scraped."""
        ...


class MetricsServer:
    """Serves `metrics` while it is entered. Port 0 takes any free one, see `port`; a taken one raises OSError."""

    def __init__(self, metrics: Metrics, host: str, port: int, setting: str = "metrics.port") -> None:
        try:
            self._server = _Server((host, port), _handler(metrics))
        except OSError as error:
            msg = f"cannot listen on {host}:{port}: {error.strerror}; another port is set by {setting} in flyball.yaml"
            raise OSError(msg) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """One thread a connection, and no more than some: the oldest gives way, or who opens them takes all our files."""

    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: dict[socket.socket, None] = {}
        self._lock = threading.Lock()
        super().__init__(address, handler)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open[request] = None
            if len(self._open) > _MOST:
                oldest = next(iter(self._open))
                del self._open[oldest]
                with suppress(OSError):  # it has ended meanwhile
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread reads an end, and closes it
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)


class Answering(BaseHTTPRequestHandler):
    """Answers in one piece, and says nothing of it: scrapes are no news."""

    timeout = 60
    """Seconds: who sends nothing, or takes nothing, for this long is gone."""

    def answer(self, status: int, kind: str, body: bytes) -> None:
        """Send an answer of a content type."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def handle(self) -> None:
        """Answer; who hangs up before it is there is no news either."""
        with suppress(ConnectionError):
            super().handle()

    @override
    def finish(self) -> None:
        """Close, whoever has closed already."""
        with suppress(ConnectionError):
            super().finish()

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


def _handler(metrics: Metrics) -> type[BaseHTTPRequestHandler]:
    class Handler(Answering):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self.answer(200, "text/plain; version=0.0.4; charset=utf-8", generate_latest(metrics.registry))
            elif self.path == "/healthz":
                problem = metrics.problem
                self.answer(503 if problem else 200, "text/plain; charset=utf-8", (problem or "ok").encode() + b"\n")
            else:
                self.answer(404, "text/plain; charset=utf-8", b"try /metrics or /healthz\n")

    return Handler
