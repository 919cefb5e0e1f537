"""Hub: tells connected guards what has changed. Each has its own queue; who does not keep up is cut, and comes back.

What the authority tells from its threads is handed to the event loop in the same order.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyball_sdk.envelope import Envelope

    from control.authority import Authority

_MOST_WAITING: Final = 256
"""Changes and heartbeats that a slow client may be behind."""


class Subscriber:
    """One connection: `queue` gives frames, and None when it is cut.

    `since` numbers the newest telling that its view already has.
    """

    def __init__(self, tenant: str | None, since: int) -> None:
        self.tenant = tenant
        self.since = since
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(_MOST_WAITING + 1)
        self.cut = False

    def put(self, frame: bytes) -> None:
        """Queue a frame; cut the client when it is too far behind."""
        if self.cut:
            return
        if self.queue.qsize() >= _MOST_WAITING:
            self.end()
        else:
            self.queue.put_nowait(frame)

    def end(self) -> None:
        """Cut the client: what waits for it is not told any more."""
        self.cut = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Hub:
    """All connections of one event loop."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._told = 0
        """Number of the newest telling; changes only while the authority is quiet."""
        self.subscribers: set[Subscriber] = set()
        authority.tellers.append(self.tell)

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Serve from this loop."""
        self._loop = loop

    def subscribe(self, tenant: str | None) -> Subscriber:
        """Begin with the whole view, then tell what changes; nothing falls in between. From any thread."""
        with self._authority.quiet():
            subscriber = Subscriber(tenant, self._told)
            snapshot = self._authority.snapshot(tenant)
            first = b"".join(frame("signal", each.to_json()) for each in snapshot.signals)
            subscriber.queue.put_nowait(first + frame("heartbeat", snapshot.heartbeat.to_json()))
            with self._lock:
                self.subscribers.add(subscriber)
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """End a connection."""
        with self._lock:
            self.subscribers.discard(subscriber)

    def close(self) -> None:
        """End all connections; in the loop."""
        for subscriber in self._all():
            subscriber.end()

    def tell(self, changed: Sequence[Envelope]) -> None:
        """Tell what has changed."""
        self._send([(each.tenant, each.tenant is None, frame("signal", each.to_json())) for each in changed])

    def beat(self) -> None:
        """Tell a heartbeat to every tenant that listens; one signature a tenant."""
        with self._authority.quiet():
            tenants = {subscriber.tenant for subscriber in self._all()}
            beats = [(each, self._authority.heartbeat(each).to_json()) for each in tenants]
            self._send([(tenant, False, frame("heartbeat", beat)) for tenant, beat in beats])

    def _all(self) -> list[Subscriber]:
        with self._lock:
            return list(self.subscribers)

    def _send(self, frames: list[tuple[str | None, bool, bytes]]) -> None:
        """Hand (tenant, to everybody, frame) to the loop."""
        if self._loop is None or not frames:
            return
        self._told += 1
        try:
            self._loop.call_soon_threadsafe(self._deliver, self._told, frames)
        except RuntimeError:  # the loop has ended: nobody listens any more
            self._loop = None

    def _deliver(self, number: int, frames: list[tuple[str | None, bool, bytes]]) -> None:
        """Queue what was told together as one piece: a storm of verdicts cuts nobody."""
        pieces: dict[str | None, bytes] = {}
        for subscriber in self._all():
            if subscriber.since >= number:
                continue
            whose = subscriber.tenant
            if whose not in pieces:
                pieces[whose] = b"".join(said for tenant, everybody, said in frames if everybody or tenant == whose)
            if pieces[whose]:
                subscriber.put(pieces[whose])


def frame(event: str, said: object) -> bytes:
    """Write a server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), orjson.dumps(said))
