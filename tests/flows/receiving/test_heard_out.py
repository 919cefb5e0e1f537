"""Who is refused hears why, also in the middle of a large body over a connection of its own."""

from __future__ import annotations

import http.client
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import uvicorn
from loopback import free_port

from flows.receiver import create_app
from flows.receiving.settings import ReceiverSettings
from streams.embedded import EmbeddedLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = b" " * 20_000_000
"""More than lies in the buffers between two processes, so that its sender is still sending when it is refused."""


PROTOBUF, JSON = "application/x-protobuf", "application/json"


@contextmanager
def receiver(path: Path, behind: int = 0) -> Iterator[int]:
    """Serve a receiver whose reader is so many messages behind; gives its port."""
    settings = ReceiverSettings(max_body=1_000_000, backlog=lambda: behind, max_backlog=1000)
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(create_app(EmbeddedLog(path), settings), "127.0.0.1", port, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.2)  # the backlog is asked for by a thread
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize(
    ("kind", "waiting", "status"), [(PROTOBUF, 0, 413), (JSON, 0, 413), ("text/plain", 0, 415), (JSON, 2000, 429)]
)
def test_a_large_body_is_refused_in_words(tmp_path: Path, kind: str, waiting: int, status: int) -> None:
    """Too large, of an unknown type, at a bad time: the answer arrives each time, and the connection is not reset."""
    with receiver(tmp_path, waiting) as port:
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("POST", "/v1/traces", LARGE, {"Content-Type": kind, "Connection": "close"})
            answer = connection.getresponse()
            assert answer.status == status
            assert answer.read() != b""
            connection.close()


def test_a_sender_that_asks_first_is_answered_at_once(tmp_path: Path) -> None:
    """With `Expect: 100-continue` nothing need be sent to be refused."""
    with receiver(tmp_path) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.putrequest("POST", "/v1/traces")
        for name, value in (("Content-Type", JSON), ("Content-Length", "20000000"), ("Expect", "100-continue")):
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()
