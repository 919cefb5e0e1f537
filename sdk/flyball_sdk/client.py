"""Client: keeps the store of signals up to date. A stream, and polling beside it for as long as there is none.

Two daemon threads. One holds the stream and opens it anew for ever, with jittered waits. The other one pulls the whole
state while the stream has not said anything yet or a heartbeat shows a gap, acknowledges, keeps the file, and cuts a
stream that has no heartbeats. A key that is refused is no outage: it is logged as an error, and tried once a minute.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import socket
import threading
from typing import TYPE_CHECKING, Final

from flyball_sdk.clock import steady
from flyball_sdk.errors import FlyballError
from flyball_sdk.forking import renew_after_fork
from flyball_sdk.http import TROUBLE, KeyRefusedError, ask, check, connection, headers
from flyball_sdk.signals import SignalStore, whose_key
from flyball_sdk.sse import frames

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from flyball_sdk.envelope import Position
    from flyball_sdk.settings import Settings
    from flyball_sdk.sse import Frame

_log: Final = logging.getLogger("flyball_sdk")
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 2.0
"""Waits are drawn from 50 to 100 % of a value that doubles up to this, so that a stop reaches agents soon after."""
_STEADY_S: Final = 10.0
"""A stream that has lived for so long is no failure when it ends."""
_REFUSED_WAIT_S: Final = 10.0
_TICK_S: Final = 0.1
_ACK_S: Final = 1.0
_KEEP_S: Final = 5.0
_RESTS: Final = 10
"""Times as long as it took to keep the signals nothing is kept again: with very many it takes long."""
_REQUEST_S: Final = 5.0
_SIGNALS: Final = "/v1/signals"


class Client:
    """Keeps `store` up to date from `start` to `close`. What fails is logged when it begins and when it is over."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = SignalStore(settings.signing_keys, settings.tenant, settings.state)
        self.trouble: dict[str, str] = {}
        """What is wrong now, by what it is: stream, pull, ack, file, key, key.whose, signal."""
        self._name = settings.client or f"{socket.gethostname()}:{os.getpid()}"
        self._live = threading.Event()
        self._set_up()
        renew_after_fork(self)
        for text in self.store.trouble:
            _log.warning("flyball guard: kept signals: %s", text)

    @property
    def live(self) -> bool:
        """The stream is open and has said something."""
        return self._live.is_set()

    def start(self) -> Client:
        """Start the threads; once."""
        if not self._threads:
            for target in (self._stream_for_ever, self._see_to_the_rest):
                thread = threading.Thread(target=target, name=f"flyball-{target.__name__}", daemon=True)
                self._threads.append(thread)
                thread.start()
        return self

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop the threads and keep the signals."""
        self._closed.set()
        self._cut()
        for thread in self._threads:
            thread.join(timeout_s)
        self._keep()

    def _set_up(self) -> None:
        self._closed = threading.Event()
        self._live.clear()
        self._threads: list[threading.Thread] = []
        self._sock: socket.socket | None = None
        self._beaten_at = steady()
        self._acked: Position = (0, 0)
        self._known = self._urgent = False
        """Whether it was asked whose key it is; whether there are signals to keep at once, not only heartbeats."""

    def renew(self) -> None:
        """After a fork the threads are gone and the connections belong to the parent: begin again."""
        self.store.renew()
        running = bool(self._threads) and not self._closed.is_set()
        self._set_up()
        if running:
            self._name = self.settings.client or f"{socket.gethostname()}:{os.getpid()}"
            self.start()

    def _stream_for_ever(self) -> None:
        wait = _FIRST_WAIT_S
        while not self._closed.is_set():
            begun = steady()
            try:
                self._stream()
                self._say("stream", "it ended")
            except KeyRefusedError as error:
                self._refused(error)
                self._closed.wait(_REFUSED_WAIT_S)
            except (*TROUBLE, FlyballError) as error:
                self._say("stream", _text(error))
            finally:
                self._live.clear()
                self._sock = None
            wait = _FIRST_WAIT_S if steady() - begun > _STEADY_S else min(wait * 2, _LONGEST_WAIT_S)
            self._closed.wait(wait * random.uniform(0.5, 1))  # noqa: S311 -- spreads load, no secret

    def _stream(self) -> None:
        """Open the stream and take what it says, until it ends or raises."""
        conn = connection(self.settings, self.settings.watchdog_s)
        try:
            conn.connect()
            self._beaten_at = steady()
            self._sock = conn.sock
            conn.request("GET", f"{_SIGNALS}/stream", headers=headers(self.settings, "text/event-stream"))
            response = conn.getresponse()
            check(response.status, f"GET {_SIGNALS}/stream")
            for frame in frames(response):
                if self._closed.is_set():
                    return
                self._take(frame)
        finally:
            conn.close()

    def _take(self, frame: Frame) -> None:
        """Take one event. One that is wrong is told and left out: the next heartbeat shows what is missing."""
        try:
            said = json.loads(frame.data)
            if frame.event == "signal":
                self._urgent = self.store.take(said) or self._urgent
            elif frame.event == "heartbeat":
                if self.store.beat(said):
                    self._well("pull")  # there is nothing to pull any more
                self._beaten_at = steady()
            else:
                return
        except (FlyballError, ValueError, RecursionError) as error:
            self._say("signal", _text(error))
            return
        self._live.set()
        for name in ("stream", "key", "signal") if frame.event == "heartbeat" else ("stream", "key"):
            self._well(name)

    def _see_to_the_rest(self) -> None:
        conn = connection(self.settings, _REQUEST_S)
        pulled = acked = kept = asked = -1e9
        took = 0.0
        while not self._closed.wait(_TICK_S):
            now = steady()
            if self._sock is not None and now - self._beaten_at > self.settings.watchdog_s:
                self._say("stream", f"no heartbeat for {self.settings.watchdog_s} s")
                self._cut()
            if not self._known and now - asked >= self.settings.poll_s and "key" not in self.trouble:
                self._ask_whose(conn)
                asked = steady()
            missing = self.store.wants_snapshot or not self._live.is_set()
            pause = _REFUSED_WAIT_S if "key" in self.trouble else self.settings.poll_s
            if missing and now - pulled >= (min(0.5, pause) if self._live.is_set() else pause):
                self._pull(conn)
                pulled = steady()
            if now - acked >= _ACK_S and self._ack(conn):
                acked = now
            if now - kept >= (max(_TICK_S, _RESTS * took) if self._urgent else _KEEP_S):
                self._urgent = False
                self._keep()
                kept, took = steady(), steady() - now
        conn.close()

    def _ask_whose(self, conn: HTTPConnection) -> None:
        """Ask whose key it is, once: what is asked of its agent and tenant is asked of every call."""
        try:
            said = ask(conn, self.settings, "GET", "/v1/keys/own")
        except KeyRefusedError as error:
            self._refused(error)
        except (*TROUBLE, FlyballError) as error:
            self._say("key.whose", _text(error))
        else:
            self.store.belong_to(whose_key(said if isinstance(said, dict) else {}))
            self._known = True
            self._well("key.whose")

    def _pull(self, conn: HTTPConnection) -> None:
        try:
            self._urgent = self.store.replace(ask(conn, self.settings, "GET", _SIGNALS)) or self._urgent
        except KeyRefusedError as error:
            self._refused(error)
        except (*TROUBLE, FlyballError) as error:
            self._say("pull", _text(error))
        else:
            self._well("pull")
            self._well("key")

    def _ack(self, conn: HTTPConnection) -> bool:
        """Acknowledge what has been applied, if that is news; True: it was tried."""
        applied = self.store.applied
        if applied is None or applied == self._acked or "key" in self.trouble:
            return False
        said = {"client": self._name, "epoch": applied[0], "seq": applied[1]}
        try:
            ask(conn, self.settings, "POST", f"{_SIGNALS}/ack", said)
        except (*TROUBLE, FlyballError) as error:
            self._say("ack", _text(error))
        else:
            self._acked = applied
            self._well("ack")
        return True

    def _keep(self) -> None:
        try:
            self.store.keep()
        except OSError as error:
            self._say("file", _text(error))
        else:
            self._well("file")

    def _cut(self) -> None:
        """Cut the stream from outside, whatever its thread waits for."""
        sock = self._sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _refused(self, error: KeyRefusedError) -> None:
        if "key" not in self.trouble:
            _log.error("flyball guard: %s. Signals do not arrive until FLYBALL_KEY is right.", error)
        self.trouble["key"] = str(error)

    def _say(self, name: str, text: str) -> None:
        if name not in self.trouble and not self._closed.is_set():
            _log.warning("flyball guard: %s of signals: %s", name, text)
        self.trouble[name] = text

    def _well(self, name: str) -> None:
        if self.trouble.pop(name, None) is not None:
            _log.info("flyball guard: %s of signals is well again", name)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
