"""A control plane as the contract describes it, over real HTTP with real signatures, that can be made to misbehave."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from flyball_sdk.envelope import Envelope, Heartbeat, Snapshot, view_digest
from flyball_sdk.settings import Settings
from flyball_sdk.signing import KeyRing, SigningKey
from flyball_sdk.state import NEUTRAL
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flyball_sdk.scope import Scope
    from flyball_sdk.state import State

AT = "2026-01-01T00:00:00.000Z"
KEY = "evaluate-me"


class Plane:
    """The authority and its server. `mode`: ok, silent (streams say nothing), cut (streams end), refuse (401), down."""

    def __init__(self) -> None:
        self.signing = SigningKey.generate("k1")
        self.epoch, self.seq, self.ticks = 1, 0, 0
        self.now: dict[Scope, Envelope] = {}
        self.mode = "ok"
        self.streams: list[queue.Queue[bytes | None]] = []
        self.acks: list[Any] = []
        self.asked: list[str] = []
        self.decisions: list[Any] = []
        self.answer: Any = {"decision": "allow", "decision_id": "d1"}
        self.slow_s = 0.0
        self.lock = threading.Lock()
        self.port = 0
        self.server: ThreadingHTTPServer | None = None
        self.start()
        self.stopped = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def start(self) -> None:
        """Listen, on the port of before if there is one."""
        plane = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                plane.serve(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: object) -> None:
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Listen no more, and end all streams."""
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()
        self.cut()

    def restart(self) -> None:
        """Come back, in a new epoch."""
        self.epoch, self.seq = self.epoch + 1, 0
        self.start()

    def close(self) -> None:
        """End it."""
        self.stopped.set()
        with contextlib.suppress(OSError):
            self.stop()

    def cut(self) -> None:
        """End all streams."""
        with self.lock:
            for stream in self.streams:
                stream.put(None)
            self.streams = []

    def say(self, scope: Scope, state: State, reason: str = "stopped by a test") -> None:
        """Set a state and stream it."""
        with self.lock:
            self.seq += 1
            made = Envelope("s", self.epoch, self.seq, AT, None, scope, state, reason, "rule").signed(self.signing)
            self.now[scope] = made
            self._send("signal", made.to_json())

    def lose(self, scope: Scope, state: State) -> None:
        """Set a state that no stream tells of."""
        streams, self.streams = self.streams, []
        self.say(scope, state)
        self.streams = streams

    def heartbeat(self) -> Heartbeat:
        """Make a heartbeat."""
        self.ticks += 1
        at = f"2026-01-01T00:{self.ticks // 60000:02}:{self.ticks // 1000 % 60:02}.{self.ticks % 1000:03}Z"
        return Heartbeat("s", self.epoch, self.seq, at, "t1", view_digest(self.now.values())).signed(self.signing)

    def settings(self, **changes: Any) -> Settings:
        """Give settings of a client."""
        said = {"watchdog_s": 0.5, "poll_s": 0.2, "client": "test"} | changes
        ring = KeyRing([self.signing.public()])
        return Settings(f"http://127.0.0.1:{self.port}", said.pop("key", KEY), ring, **said)

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        what = f"{request.command} {request.path}"
        self.asked.append(what)
        length = int(request.headers.get("Content-Length", 0))
        said = json.loads(request.rfile.read(length)) if length else None
        if self.mode == "refuse" or request.headers.get("Authorization") != f"Bearer {KEY}":
            self._answer(request, 401, {"error": "no"})
        elif self.mode == "down":
            self._answer(request, 503, {"error": "down"})
        elif what == "GET /v1/signals":
            with self.lock:
                signals = tuple(each for each in self.now.values() if each.state != NEUTRAL)
                answer = Snapshot(self.heartbeat(), signals).to_json()
            self._answer(request, 200, answer)
        elif what == "GET /v1/signals/stream":
            self._stream(request)
        elif what == "POST /v1/signals/ack":
            self.acks.append((time.monotonic(), said))
            self._answer(request, 200, {})
        else:
            time.sleep(self.slow_s)
            self.decisions.append((request.path, said))
            self._answer(request, 200, self.answer)

    def _stream(self, request: BaseHTTPRequestHandler) -> None:
        mine: queue.Queue[bytes | None] = queue.Queue()
        request.close_connection = True
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.end_headers()
        if self.mode == "cut":
            return
        if self.mode != "silent":
            with self.lock:
                for each in self.now.values():
                    mine.put(_event("signal", each.to_json()))
                mine.put(_event("heartbeat", self.heartbeat().to_json()))
                self.streams.append(mine)
        while (chunk := mine.get()) is not None:
            request.wfile.write(chunk)
            request.wfile.flush()

    def _beat(self) -> None:
        while not self.stopped.wait(0.1):
            if self.mode == "ok":
                with self.lock:
                    self._send("heartbeat", self.heartbeat().to_json())

    def _send(self, name: str, said: Any) -> None:
        for stream in self.streams:
            stream.put(_event(name, said))

    def _answer(self, request: BaseHTTPRequestHandler, status: int, said: Any) -> None:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


def _event(name: str, said: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(said)}\n\n".encode()


@pytest.fixture
def plane() -> Iterator[Plane]:
    """Give a control plane."""
    made = Plane()
    yield made
    made.close()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Give a function that waits until something holds, at most 20 s."""

    def wait(holds: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < end, "it does not come true"
            time.sleep(0.005)

    return wait


@pytest.fixture(scope="session")
def _exporter() -> InMemorySpanExporter:
    """Record the process's spans; a process has one provider for life."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def recorded(_exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    """Give what records the spans of one test."""
    _exporter.clear()
    return _exporter
