"""Pager: takes pages in PagerDuty's place, as they are sent, and serves the runbooks that they link to."""

from __future__ import annotations

import threading
import time
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson

import alerts
from flows.metrics_server import Answering

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

_RUNBOOKS = Path(alerts.__file__).parent / "runbooks"


class Received(NamedTuple):
    """A page as it came: PagerDuty's Events API v2."""

    at: float
    """By time.monotonic."""
    event: dict[str, Any]

    @property
    def class_(self) -> str:
        """Give the class of the page's incidents; empty where a page ends."""
        return str(self.event.get("payload", {}).get("class", ""))


class Pager:
    """Listens on a free port of the loopback while the `with` lasts."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.received))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="pager", daemon=True)

    @property
    def url(self) -> str:
        """Give its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def listen(self) -> Self:
        """Begin to answer; until then who connects waits."""
        self._thread.start()
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def first(self, class_: str) -> Received | None:
        """Give the first page of a class."""
        return next((each for each in list(self.received) if each.class_ == class_), None)


def _handler(received: list[Received]) -> type[BaseHTTPRequestHandler]:
    class Handler(Answering):
        """Answers as PagerDuty does."""

        def do_POST(self) -> None:  # noqa: N802 -- as http.server calls it
            """Take an event."""
            event = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.append(Received(time.monotonic(), event))
            said = {"status": "success", "message": "Event processed", "dedup_key": event.get("dedup_key")}
            self.answer(HTTPStatus.ACCEPTED, "application/json", orjson.dumps(said))

        def do_GET(self) -> None:  # noqa: N802
            """Serve a runbook."""
            path = _RUNBOOKS / self.path.rpartition("/")[2]
            if path.suffix == ".md" and path.is_file():
                self.answer(HTTPStatus.OK, "text/plain; charset=utf-8", path.read_bytes())
            else:
                self.answer(HTTPStatus.NOT_FOUND, "text/plain", b"no such runbook\n")

    return Handler
