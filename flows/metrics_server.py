"""HTTP server of one process: /metrics for Prometheus, /healthz for supervisors."""

from __future__ import annotations

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol, Self

from prometheus_client import generate_latest
from typing_extensions import override

if TYPE_CHECKING:
    from types import TracebackType

    from prometheus_client import CollectorRegistry


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
            self._server = ThreadingHTTPServer((host, port), _handler(metrics))
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


class Answering(BaseHTTPRequestHandler):
    """Answers in one piece, and says nothing of it: scrapes are no news."""

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
