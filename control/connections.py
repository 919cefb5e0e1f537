"""Connections: HTTP/1.1 as uvicorn speaks it, within bounds: who sends no request, or takes no answer, holds nothing.

Uvicorn lets a connection wait for its first request for ever, and a head be as long as anybody likes: a few thousand
silent connections, or one endless header, would keep everybody else out, and no key is needed for that. Here a head
has its time and size; an answer must be taken; and where more connections wait than there are files for, the one that
waits longest gives way to the newest: there is always a place for the next `flyball kill`.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

HEAD_S: Final = 10.0
"""A request's head must be there this long after the connection, or after its first byte on one that is kept."""
TAKE_S: Final = 15.0
"""A client that takes nothing of what waits for it is cut after this long."""
MAX_HEAD: Final = 32 * 1024
"""Bytes of a head (or of what follows a body's chunks); what comes in one piece with its end may be longer."""

MOST_AT_ONCE: Final = 64
"""Requests that may wait for the answers before them; each costs fifty times its bytes."""


def allow_connections() -> None:
    """Let this process have as many open files as it may: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def files() -> int:
    """Give how many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


def bounded(most_waiting: int | None = None) -> type[HttpToolsProtocol]:
    """Make the protocol of one server. Of `most_waiting` connections without a request the oldest gives way to the new.

    None: a quarter of the files that this process may have open, and no more than 8,192.
    """
    most = most_waiting or min(8_192, files() // 4)
    waiting: dict[_Bounded, None] = {}

    class Bounded(_Bounded):
        _most, _waiting = most, waiting

    return Bounded


class _Bounded(HttpToolsProtocol):
    """One connection. `_waiting` are those of its server that have no request under way, the oldest first."""

    _most: int
    _waiting: dict[_Bounded, None]

    def __init__(self, *args: Any, **said: Any) -> None:
        super().__init__(*args, **said)
        self._unread = 0
        """Bytes since a head ended or a part of a body came."""
        self._is_in_head = False
        self._running: RequestResponseCycle | None = None
        self._head = _Limit(self, HEAD_S)
        self._take = _Limit(self, TAKE_S)

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head.begin()
        self._wait()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.pop(self, None)
        self._head.end()
        self._take.end()
        super().connection_lost(exc)
        self.pipeline.clear()
        if self._running is not None:  # uvicorn tells the last of those that were sent at once alone
            self._running.disconnected = True
            self._running.message_event.set()

    @override
    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        super().data_received(data)
        if self._unread > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response(f"The head of a request is beyond {MAX_HEAD} bytes.")

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True
        if self in self._waiting:
            self._head.begin()

    @override
    def on_headers_complete(self) -> None:
        self._unread, self._is_in_head = 0, False
        self._waiting.pop(self, None)
        self._head.end()
        super().on_headers_complete()
        if len(self.pipeline) > MOST_AT_ONCE:
            self.cut()

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    @override
    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    @override
    def on_response_complete(self) -> None:
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and not self.transport.is_closing():
            self._wait()

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._take.begin()

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        self._take.end()

    @override
    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._take.begin()  # closing waits until all is taken that was written

    def cut(self) -> None:
        """End it at once, whatever was written and not taken."""
        self._waiting.pop(self, None)
        self.transport.abort()

    def _wait(self) -> None:
        self._waiting[self] = None
        if self._is_in_head:
            self._head.begin()
        if len(self._waiting) > self._most:
            next(iter(self._waiting)).cut()


class _Limit:
    """Cuts a connection unless it is ended in time."""

    def __init__(self, of: _Bounded, seconds: float) -> None:
        self._of, self._seconds = of, seconds
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Begin, unless it has begun."""
        if self._timer is None:
            self._timer = self._of.loop.call_later(self._seconds, self._of.cut)

    def end(self) -> None:
        """Let it be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
