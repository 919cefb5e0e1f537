"""Connections: who has no key, sends nothing, sends without end or takes nothing keeps nobody else from a kill."""

from __future__ import annotations

import http.client
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from control import connections, server
from control.http import core, signals

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 20
HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def served(planes: Any, tmp_path: Any, monkeypatch: Any) -> Iterator[Any]:
    """Serve with few places and short times."""
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    monkeypatch.setattr(connections, "TAKE_S", 0.5)
    monkeypatch.setattr(core, "BODY_S", 0.5)
    monkeypatch.setattr(server, "bounded", lambda: connections.bounded(MOST))
    with planes.Served(tmp_path) as one:
        yield one


def connected(served: Any, sent: bytes = b"") -> socket.socket:
    """Open a connection and send something."""
    made = socket.create_connection(("127.0.0.1", served.port), timeout=10)
    made.sendall(sent)
    return made


def flood(sender: socket.socket, piece: bytes) -> int:
    """Send a piece again and again until the other side has had enough; gives the bytes sent, 100 MB at most."""
    sent = 0
    try:
        while sent < 100_000_000:
            sender.sendall(piece)
            sent += len(piece)
    except OSError:
        pass  # reset, or a broken pipe
    sender.close()
    return sent


def rest(of: socket.socket) -> bytes:
    """Read until the other side ends."""
    found = b""
    try:
        while part := of.recv(65536):
            found += part
    except ConnectionError:
        pass
    of.close()
    return found


def test_silent_connections_give_way(served: Any, monkeypatch: Any) -> None:
    """Many more connections than there are places for, with half a head or none: a kill by the newest is obeyed."""
    monkeypatch.setattr(connections, "HEAD_S", 60)
    held = [connected(served, HEAD * (number % 2)) for number in range(5 * MOST)]
    try:
        body = {"scope": {"level": "run", "id": "ab" * 16}}
        assert served.ask("POST", "/v1/kill", body, served.admin)[0] == 200
        assert [rest(each) for each in held[: 3 * MOST]] == [b""] * 3 * MOST  # the oldest were cut
    finally:
        for each in held:
            each.close()


@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + b"\r\n" + HEAD])
def test_a_head_that_does_not_come_ends(served: Any, sent: bytes) -> None:
    """Nothing, half a head, and half a second one on a connection that was kept."""
    begun = time.monotonic()
    answered = rest(connected(served, sent))
    assert time.monotonic() - begun < 5
    assert answered.count(b"HTTP/1.1 200 OK") == sent.count(b"\r\n\r\n")


@pytest.mark.parametrize("piece", [b"a" * 65536, b"x: y\r\n" * 10_000])
def test_an_endless_head_is_refused(served: Any, piece: bytes) -> None:
    """One endless header, and headers without end: refused before they cost memory or time."""
    assert flood(connected(served, HEAD + b"x: "), piece) < 20_000_000


def test_what_follows_a_body_has_an_end_too(served: Any) -> None:
    """Trailers without end of a chunked body."""
    head = b"POST /v1/kill HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    assert flood(connected(served, head), b"x: y\r\n" * 10_000) < 20_000_000


def test_a_body_that_does_not_come_is_answered(served: Any) -> None:
    """Half a body of somebody with a key: 408, and the connection ends."""
    head = f"POST /v1/kill HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.admin}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    assert rest(connected(served, head.encode())).startswith(b"HTTP/1.1 408")


def test_who_takes_no_answer_is_cut(served: Any) -> None:
    """Some requests at once whose answers nobody reads."""
    asker = socket.socket()
    asker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    asker.connect(("127.0.0.1", served.port))
    asker.sendall(b"GET /console/vendor/uplot.js HTTP/1.1\r\nHost: x\r\n\r\n" * 60)
    time.sleep(3)
    assert rest(asker).count(b"HTTP/1.1 200 OK") < 60  # what lay in the buffers of the network


def test_requests_at_once_have_an_end(served: Any, capfd: Any) -> None:
    """Requests without end on one connection are no memory without end."""
    assert flood(connected(served), (HEAD + b"\r\n") * 1000) < 50_000_000
    assert served.ask("GET", "/healthz")[0] == 200
    assert "ERROR" not in capfd.readouterr().err


def test_long_requests_are_taken(served: Any) -> None:
    """A large body, a long head in its bounds, several requests at once, and one in small pieces, are all well."""
    body = {"tool": {"name": "t"}, "tool_input": {"text": "x" * 200_000}}
    assert served.ask("POST", "/v1/guard/evaluate", body, served.agent)[0] == 200
    assert served.ask("GET", "/healthz", x_long="y" * 20_000)[0] == 200
    asked = connected(served, (HEAD + b"\r\n") * 50 + HEAD + b"Connection: close\r\n\r\n")
    assert rest(asked).count(b"HTTP/1.1 200 OK") == 51
    slow = connected(served)
    for each in HEAD + b"Connection: close\r\n\r\n":
        slow.sendall(bytes([each]))
    assert rest(slow).startswith(b"HTTP/1.1 200 OK")


def test_a_websocket_is_no_way_around(served: Any, capfd: Any) -> None:
    """An upgrade is answered as if it had not been asked for."""
    asked = HEAD + b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    answer = rest(connected(served, asked + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert "ERROR" not in capfd.readouterr().err


def test_streams_leave_files_for_others(served: Any, monkeypatch: Any) -> None:
    """A tenant's streams take half of the files at most, all together three quarters: another tenant has a place."""
    monkeypatch.setattr(signals, "files", lambda: 8)
    keys = {name: served.plane.keys.agent(name, "a") for name in ("t2", "t3")}
    keys["t1"] = served.agent
    held = []

    def stream(tenant: str) -> int:
        made = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        made.request("GET", "/v1/signals/stream", headers={"X-API-Key": keys[tenant]})
        held.append(made)
        return made.getresponse().status

    time.sleep(1.1)  # until the new keys are known
    try:
        assert [stream("t1") for _ in range(5)] == [200] * 4 + [503]
        assert [stream("t2") for _ in range(3)] == [200] * 2 + [503]
        assert stream("t3") == 503
        assert served.ask("POST", "/v1/kill", {"scope": {"level": "user", "id": "u"}}, served.admin)[0] == 200
    finally:
        for each in held:
            each.close()
