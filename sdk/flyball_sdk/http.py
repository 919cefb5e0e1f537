"""HTTP as the SDK uses it: the standard library's client, JSON, an evaluating key, a bound on what is read."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from flyball_sdk.errors import FlyballError

if TYPE_CHECKING:
    from pathlib import Path

    from flyball_sdk.settings import Settings

LARGEST_ANSWER: Final = 64 << 20
"""Bytes of one answer; a snapshot of 100,000 scopes has about 50 MB."""
_OK: Final = 200
_UNKNOWN: Final = 401
_FORBIDDEN: Final = 403

TROUBLE: Final = (OSError, HTTPException, ValueError, RecursionError)
"""What a request raises where the network or the other side fails."""


class KeyRefusedError(FlyballError):
    """The control plane does not take the key: a person must see to it, trying again does not help."""


class ForbiddenError(KeyRefusedError):
    """The control plane knows the key, and it may not ask for this."""


class AnswerError(FlyballError):
    """The control plane answered something else than what was asked for."""


class _UnixConnection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def connection(settings: Settings, timeout_s: float, *, evaluating: bool = False) -> HTTPConnection:
    """Make a connection, not opened yet; over the unix socket where there is one and it is for evaluating."""
    if evaluating and settings.socket is not None:
        return _UnixConnection(settings.socket, timeout_s)
    parts = urlsplit(settings.url)
    assert parts.hostname is not None  # noqa: S101 -- Settings saw to it
    if parts.scheme == "https":
        return HTTPSConnection(parts.hostname, parts.port, timeout=timeout_s)
    return HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)


def headers(settings: Settings, accept: str = "application/json") -> dict[str, str]:
    """Give the headers of a request."""
    return {"Authorization": f"Bearer {settings.key}", "Accept": accept, "User-Agent": "flyball-sdk"}


def ask(conn: HTTPConnection, settings: Settings, method: str, path: str, said: object = None) -> Any:
    """Ask for JSON; raises KeyRefusedError, AnswerError, or one of TROUBLE, and the connection is closed then.

    A connection that was kept, and that the other side has closed in the meantime, is opened once more.
    """
    kept = conn.sock is not None
    try:
        try:
            return _ask(conn, settings, method, path, said)
        except ConnectionError:
            if not kept:
                raise
            conn.close()
            return _ask(conn, settings, method, path, said)
    except BaseException:
        conn.close()
        raise


def _ask(conn: HTTPConnection, settings: Settings, method: str, path: str, said: object) -> Any:
    body = None if said is None else json.dumps(said).encode()
    head = headers(settings) | ({} if body is None else {"Content-Type": "application/json"})
    conn.request(method, path, body, head)
    response = conn.getresponse()
    content = response.read(LARGEST_ANSWER + 1)
    check(response.status, f"{method} {path}")
    if len(content) > LARGEST_ANSWER:
        msg = f"{method} {path}: more than {LARGEST_ANSWER} bytes"
        raise AnswerError(msg)
    return json.loads(content) if content else None


def check(status: int, what: str) -> None:
    """Raise unless the status is a 2xx."""
    if status in (_UNKNOWN, _FORBIDDEN):
        msg = f"{what}: HTTP {status}, the key is not accepted"
        raise ForbiddenError(msg) if status == _FORBIDDEN else KeyRefusedError(msg)
    if not _OK <= status < _OK + 100:
        msg = f"{what}: HTTP {status}"
        raise AnswerError(msg)
