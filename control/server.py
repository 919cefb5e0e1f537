"""Serving: HTTP on a socket, and on a Unix socket where one is asked for, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import uvicorn

from control.connections import bounded
from control.http.app import ENDPOINTS, create_app

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from control.plane import Plane

_GRACE_S = 3


class _Server(uvicorn.Server):
    """A server that ends the streams when it is to stop: they would never end by themselves."""

    def __init__(self, plane: Plane, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._plane = plane

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        self._plane.hub.close()
        self._plane.console.closing = True
        await super().shutdown(sockets)


async def serve(plane: Plane, sockets: Sequence[socket.socket], ready: Callable[[], Any] = lambda: None) -> None:
    """Serve a started plane until SIGTERM or SIGINT; `ready` is called once it answers."""
    plane.endpoints = ENDPOINTS
    app = create_app(plane)
    config = uvicorn.Config(
        app,
        http=bounded(),
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_GRACE_S,
        backlog=2048,
    )
    server = _Server(plane, config)
    plane.hub.attach(asyncio.get_running_loop())
    watching = asyncio.ensure_future(_watch(plane, server, ready))
    try:
        await server.serve(sockets=list(sockets))
    finally:
        plane.hub.attach(None)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(plane: Plane, server: uvicorn.Server, ready: Callable[[], Any]) -> None:
    """Say when the server is ready; stop it when a person must choose where to go on in the log."""
    while not server.started:  # noqa: ASYNC110 -- the server has no event for it
        await asyncio.sleep(0.01)
    ready()
    while plane.fatal is None:
        await asyncio.sleep(0.2)
        plane.clients.note(plane.authority.shown, plane.clocks.now(), plane.clocks.steady_s())
    server.should_exit = True


def run(plane: Plane, sockets: Sequence[socket.socket], ready: Callable[[], Any] = lambda: None) -> None:
    """Start the plane, serve it, and stop it well. Raises LostOffsetError where a person must choose."""
    plane.start()
    try:
        try:
            import uvloop  # noqa: PLC0415 -- where there is a wheel
        except ImportError:
            asyncio.run(serve(plane, sockets, ready))
        else:
            uvloop.run(serve(plane, sockets, ready))
    finally:
        plane.stop()
    if plane.fatal is not None:
        raise plane.fatal
