"""A control plane under test: served in this process on loopback, verdicts to give it, clocks to turn."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import orjson
from flyball_sdk.scope import Scope
from flyball_sdk.signals import SignalStore
from flyball_sdk.signing import KeyRing

from control import server
from control.clocks import Clocks
from control.keys import ROLES
from control.plane import Plane, PlaneSettings
from streams.embedded import EmbeddedLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUN = "ab" * 16
VERDICTS, SPEND = "flyball.verdicts", "flyball.spend"
PRODUCT = {"level": "product", "id": "*"}
_numbers = itertools.count()


def until(condition: Callable[[], Any], what: Any = "it never came", seconds: float = 20) -> Any:
    """Poll until the condition holds, and give what it gave."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, what if isinstance(what, str) else what()
        time.sleep(0.005)
    return found


def scope(level: str, name: str) -> Scope:
    """Make a scope."""
    return Scope(level, name)


def verdict(action: str = "kill", **said: Any) -> dict[str, Any]:
    """Make a verdict's record; `scope` may be ("user", "u1")."""
    level, name = said.pop("scope", ("run", RUN))
    return {
        "kind": "verdict",
        "id": f"v{next(_numbers)}",
        "at": "2026-01-01T00:00:00.000000Z",
        "scope": {"level": level, "id": name},
        "action": action,
        "rule": "repeat.identical",
        "reason": "10 identical calls",
        "evidence": {"count": 10, "limit": 10},
        "generation": 1,
    } | said


class Turned:
    """Clocks that only move when they are told to."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_767_225_600 * 10**9, 1_000.0
        self.clocks = Clocks(lambda: self.wall, lambda: self.steady)

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += int(seconds * 1e9)
        self.steady += seconds


class Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Served:
    """A plane and its HTTP, while it is entered. Keys: `admin` (all roles), `agent` (tenant t1, agent a1)."""

    def __init__(self, folder: Path, clocks: Clocks | None = None, **settings: Any) -> None:
        self.folder = folder
        self.log = EmbeddedLog(folder / "log")
        for topic in (VERDICTS, SPEND):
            self.log.ensure(topic, 2)
        self.writer = self.log.writer()
        self.said: list[str] = []
        self.plane = Plane(PlaneSettings(folder / "control", **settings), self.log, clocks, self.said.append)
        self.admin = self.plane.keys.operator("ann", ROLES)
        self.agent = self.plane.keys.agent("t1", "a1")
        self.unix = str(folder / "s")
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._server: Any = None

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        self.stop()
        self.writer.close()
        self.log.close()

    def stop(self) -> None:
        """Stop serving, well."""
        self.plane.fatal = self.plane.fatal or StoppedByTest()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        tcp = socket.create_server(("127.0.0.1", 0))
        unix = socket.socket(socket.AF_UNIX)
        Path(self.unix).unlink(missing_ok=True)
        unix.bind(self.unix)
        unix.listen()
        self.port = tcp.getsockname()[1]
        try:
            server.run(self.plane, [tcp, unix], self._ready.set)
        except StoppedByTest:
            pass
        finally:
            tcp.close()
            unix.close()

    def tell(self, *records: dict[str, Any], topic: str = VERDICTS) -> None:
        """Put records into the log."""
        self.writer.append(topic, [(None, orjson.dumps(each)) for each in records])
        self.writer.flush()

    def ask(
        self, method: str, path: str, body: Any = None, key: str | None = None, *, unix: bool = False, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Ask; gives status, body (JSON, or text) and headers (lower case)."""
        connection = Unix(self.unix) if unix else http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            if key is not None:
                sent["Authorization"] = f"Bearer {key}"
            data = None
            if body is not None:
                sent.setdefault("Content-Type", "application/json")
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            raw = response.read()
            said = {name.lower(): value for name, value in response.getheaders()}
            if said.get("content-type", "").startswith(("text/plain", "text/html")):
                return response.status, raw.decode(), said
            return response.status, orjson.loads(raw) if raw else None, said
        finally:
            connection.close()

    def stream(self, key: str | None = None, path: str = "/v1/signals/stream") -> Stream:
        """Open a stream of events."""
        return Stream(self.port, key or self.agent, path)

    def store(self) -> SignalStore:
        """Make a guard's store of signals that trusts this plane."""
        return SignalStore(KeyRing([self.plane.signing.public()]))


class StoppedByTest(Exception):  # noqa: N818 -- no error
    """The test has ended."""


class Stream:
    """One connection of server-sent events."""

    def __init__(self, port: int, key: str, path: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        self.response = self._connection.getresponse()
        assert self.response.status == 200

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Give (event, data) as they come."""
        event = ""
        while line := self.response.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                yield event, orjson.loads(value)

    def feed(self, store: SignalStore, done: Callable[[], Any]) -> None:
        """Give what comes to a guard's store until `done`; heartbeats alone would come for ever."""
        end_s = time.monotonic() + 60
        for event, data in self:
            (store.take if event == "signal" else store.beat)(data)
            if done():
                return
            if time.monotonic() > end_s:
                raise AssertionError("a minute of heartbeats, and nothing else")
        raise AssertionError("the stream ended")

    def close(self) -> None:
        """Close."""
        self.response.close()
        self._connection.close()
