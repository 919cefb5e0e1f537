"""Senders that begin a body and do not end it cost neither memory nor a place for ever."""

from __future__ import annotations

import http.client
import threading
import time
from contextlib import closing
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

BODY = b'{"resourceSpans":[]}'


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Serve a receiver that has room for three bodies of 100 kB at once, and two seconds for each."""
    settings = ReceiverSettings(max_body=100_000, max_receiving=300_000, body_within_s=2.0)
    port = free_port()
    config = uvicorn.Config(create_app(EmbeddedLog(tmp_path), settings), "127.0.0.1", port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    yield port
    server.should_exit = True
    thread.join()


def begun(port: int, sent: int, length: int = 100_000) -> http.client.HTTPConnection:
    """Send the head of a request and a part of its body."""
    made = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    made.putrequest("POST", "/v1/traces")
    made.putheader("Content-Type", "application/json")
    made.putheader("Content-Length", str(length))
    made.endheaders(b" " * sent)
    return made


def answered(made: http.client.HTTPConnection, more: bytes = b"") -> tuple[int, bytes]:
    """Send the rest and end; gives status and body."""
    with closing(made):
        made.send(more)
        answer = made.getresponse()
        return answer.status, answer.read()


def test_a_body_that_stops_coming_is_given_up(port: int) -> None:
    """503, as it may be sent again."""
    status, said = answered(begun(port, 5_000))
    assert (status, b"did not come" in said) == (503, True)


def test_bodies_that_have_not_all_come_have_a_bound_together(port: int) -> None:
    """Beyond it a sender is told to wait; what was held is free again once the slow ones are given up."""
    slow = [begun(port, 90_000) for _ in range(3)]
    time.sleep(0.5)
    assert answered(begun(port, 50_000, 50_000))[0] == 429
    assert answered(begun(port, 0, len(BODY)), BODY)[0] == 200
    assert [answered(each)[0] for each in slow] == [503] * 3
    assert answered(begun(port, 50_000, 50_000 + len(BODY)), BODY)[0] == 200
