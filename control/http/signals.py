"""`/v1/signals...`: the view of a key's tenant, as a whole and as a stream, and acknowledgements."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from control.clients import told
from control.connections import files
from control.http.core import Answer, Refused
from control.http.reading import text, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from control.http.core import Request
    from control.hub import Hub, Subscriber

SEND_S: Final = 10.0
"""A client that takes nothing for this long is cut."""
_LAST_S: Final = 1.0
_RETRY_S: Final = 10
HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Holding:
    """Whether the key that opened a stream still is one: a stream is let in once, and may be open for months.

    It is asked before each frame of each stream, so the keys are gone through only when they have changed.
    """

    def __init__(self, request: Request) -> None:
        self._keys, self._clocks, self._key = request.plane.keys, request.plane.clocks, request.who
        self._seen: object = None
        self._known = True

    def __bool__(self) -> bool:
        """Tell whether it holds; a change of the keys is seen within a second."""
        self._keys.look()
        if (version := self._keys.version) != self._seen:
            self._known = any(each.id == self._key.id and not each.revoked for each in self._keys.known())
            self._seen = version  # as it was before: keys that came meanwhile are looked at the next time
        over_ns = self._key.expires_ns
        return self._known and (over_ns is None or self._clocks.wall_ns() < over_ns)


async def snapshot(request: Request) -> Answer:
    """Give the whole view."""
    said = await asyncio.to_thread(request.plane.authority.snapshot, request.who.tenant)
    return Answer(said.to_json())


async def stream(request: Request) -> None:
    """Tell signals and heartbeats until one side leaves; who listens here is a guard, which applies what it hears."""
    clients, key = request.plane.clients, request.who
    clients.opened(key.id, key.tenant)
    try:
        await follow(request, lambda frames: frames)
    finally:
        clients.closed(key.id, key.tenant)


async def acknowledge(request: Request) -> Answer:
    """Take what a guard has applied."""
    said = request.json()
    applied = (whole(said, "epoch", 0) or 0, whole(said, "seq", 0) or 0)
    plane, key = request.plane, request.who
    plane.clients.heard(key.id, text(said, "client"), key.tenant, applied, plane.clocks.steady_s())
    return Answer(told(*plane.clients.position(key.tenant, plane.authority.shown, plane.clocks.steady_s())))


async def follow(request: Request, write: Callable[[bytes], bytes]) -> None:
    """Serve one connection with what `write` makes of the frames; a slow or silent one is cut.

    Its key is looked at before each frame, and a heartbeat comes each second: nothing is told to one that is over.
    """
    plane, holding = request.plane, Holding(request)
    _refuse_beyond(plane.hub, request.who.tenant)
    subscriber = await asyncio.to_thread(plane.hub.subscribe, request.who.tenant)
    leaving = asyncio.ensure_future(_left(request, subscriber))
    try:
        await request.send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        while (said := await subscriber.queue.get()) is not None and holding:
            while not subscriber.queue.empty() and (next_one := subscriber.queue.get_nowait()) is not None:
                said += next_one
            frames = write(said)
            if frames:
                message = {"type": "http.response.body", "body": frames, "more_body": True}
                await asyncio.wait_for(request.send(message), SEND_S)
            if subscriber.cut:
                break
        await asyncio.wait_for(request.send({"type": "http.response.body", "body": b""}), _LAST_S)
    except TimeoutError:
        pass  # the server closes the connection of a stream that was not ended
    finally:
        plane.hub.leave(subscriber)
        leaving.cancel()
        with suppress(asyncio.CancelledError):
            await leaving


def _refuse_beyond(hub: Hub, tenant: str | None) -> None:
    """Keep files for others and for people's commands: half are for a tenant's streams, a quarter for no stream.

    Raises Refused.
    """
    most = files()
    there = list(hub.subscribers)
    if len(there) >= most * 3 // 4 or sum(each.tenant == tenant for each in there) >= most // 2:
        said = {"Retry-After": str(_RETRY_S)}
        raise Refused(503, "too_many_streams", "as many streams are open as this process has files for", said)


async def _left(request: Request, subscriber: Subscriber) -> None:
    """Cut when the client goes."""
    await request.until_gone()
    subscriber.end()
