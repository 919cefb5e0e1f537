"""Answers whose status came, and whose body does not: what the status says holds, at once, and once."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from alerts.http import Http
from alerts.outcome import Refused, Retry, Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def answering(head: bytes, body: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one request on loopback with a head, and what `body` does then; gives the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(head)
                with suppress(OSError):  # the other side has heard enough
                    body(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join(10)


def broken_off(connection: socket.socket) -> None:
    """Send less than was announced, and hang up."""
    connection.sendall(b"ok")


def silent(connection: socket.socket) -> None:
    """Say nothing more."""
    connection.recv(1)


def trickling(connection: socket.socket) -> None:
    """Send a byte now and then, for ever."""
    while True:
        connection.sendall(b".")
        time.sleep(0.1)


@pytest.mark.parametrize("body", [broken_off, silent, trickling])
@pytest.mark.parametrize(
    ("status", "outcome"), [(b"200 OK", Sent), (b"503 No", Retry), (b"400 No", Refused)], ids=["200", "503", "400"]
)
def test_the_status_holds_without_its_body(
    status: bytes, outcome: type[Any], body: Callable[[socket.socket], None]
) -> None:
    """A page that was taken is not told again for an answer that breaks off, and none holds the sink for long."""
    with answering(b"HTTP/1.1 " + status + b"\r\nContent-Length: 100000\r\n\r\n", body) as url:
        http = Http(timeout_s=0.5)
        began = time.monotonic()
        found = http.send_json(url, {})
        http.close()
    assert isinstance(found, outcome)
    assert time.monotonic() - began < 3.0


def test_chunks_that_break_off() -> None:
    """So it is with chunks of which the last never comes."""
    head = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntake"
    with answering(head, lambda connection: None) as url:
        found = Http(timeout_s=0.5).send_json(url, {})
    assert isinstance(found, Sent)
