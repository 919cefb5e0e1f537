"""A client of the control plane, for commands: one request at a time, over TCP or the Unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import urlsplit

_WAIT_S = 10.0


class ControlError(Exception):
    """The control plane did not do it; the message says why, and what to do."""


class UnansweredError(ControlError):
    """Nobody is there, or nothing was ordered: nothing was changed."""


class _OverUnix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_WAIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_WAIT_S)
        self.sock.connect(self._path)


class Client:
    """`address` is `http://host:port`, `https://host:port` or `unix:PATH`."""

    def __init__(self, address: str, key: str) -> None:
        self._address, self._key = address, key

    def get(self, path: str) -> dict[str, Any]:
        """Ask. Raises ControlError."""
        return self._ask("GET", path, None)

    def post(self, path: str, said: dict[str, Any]) -> dict[str, Any]:
        """Order. Raises ControlError."""
        return self._ask("POST", path, json.dumps(said).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        connection = self._connection()
        is_there = False
        try:
            connection.connect()
            is_there = True
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            if is_there and body is not None:
                msg = (
                    f"the control plane at {self._address} has not answered: {reason}. It may have done it:"
                    " `flyball status` shows what holds"
                )
                raise ControlError(msg) from error
            msg = (
                f"the control plane does not answer at {self._address}: {reason}. Nothing was changed. Is `flyball"
                " control` (or `flyball up`) running there? Guards go on by what they know, and obey what was killed"
            )
            raise UnansweredError(msg) from error
        finally:
            connection.close()
        return _read(response.status, raw)

    def _connection(self) -> http.client.HTTPConnection:
        if self._address.startswith("unix:"):
            return _OverUnix(self._address.removeprefix("unix:"))
        parts = urlsplit(self._address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            msg = f"found the address {self._address!r}, expected http://host:port, https://host:port or unix:PATH"
            raise ControlError(msg)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname, parts.port, timeout=_WAIT_S)


def _read(status: int, raw: bytes) -> dict[str, Any]:
    try:
        said = json.loads(raw)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        msg = f"found an answer {status} that is no JSON object: is this the control plane's address?"
        raise ControlError(msg)
    if status >= http.client.BAD_REQUEST:
        error = said.get("error")
        what = error.get("message") if isinstance(error, dict) else said
        msg = f"refused ({status}): {what}"
        raise ControlError(msg)
    return said
