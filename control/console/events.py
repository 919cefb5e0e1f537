"""`/v1/console/events`: says what has changed, at most once a second, for the page to fetch what it shows."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from control.http.signals import HEADERS, SEND_S, Holding
from control.hub import frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    from control.http.core import Request
    from control.plane import Plane

_LOOK_S: Final = 0.25
_LEAST_S: Final = 1.0
"""Between two messages of change."""
_BEAT_S: Final = 5.0


async def events(request: Request) -> None:
    """Tell changes until one side leaves, or the key is over."""
    gone = asyncio.ensure_future(request.until_gone())
    try:
        await request.send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await _tell(request, gone)
    except TimeoutError:
        pass  # who takes nothing is cut
    finally:
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone


async def _tell(request: Request, gone: asyncio.Future[None]) -> None:
    plane, holding = request.plane, Holding(request)
    told, since = _look(plane), 0.0
    await _send(request, "heartbeat", {"at": plane.clocks.now()})
    while not gone.done() and not plane.console.closing and holding:
        await asyncio.sleep(_LOOK_S)
        since += _LOOK_S
        now = _look(plane)
        changed = [name for name, value in now.items() if told.get(name) != value]
        if changed and since >= _LEAST_S:
            told, since = now, 0.0
            await _send(request, "changed", {"what": changed})
        elif since >= _BEAT_S:
            since = 0.0
            await _send(request, "heartbeat", {"at": plane.clocks.now()})
    await request.send({"type": "http.response.body", "body": b""})


def _look(plane: Plane) -> Mapping[str, object]:
    """Give values that differ when something has changed."""
    shown, clients, now_s = plane.authority.shown, plane.clients, plane.clocks.steady_s()
    applied = [clients.applied(each, now_s) for each in shown.signals.values()] if len(shown.signals) < _FEW else []
    signals = (shown.epoch, shown.seq, clients.count(now_s), plane.problem, applied)
    silence = silent_s(plane) is not None, never_told(plane), plane.console.is_current
    told = {"spend": plane.spend.taken, "silence": silence}
    return {**plane.console.board.changes, **told, "signals": signals, "audit": plane.authority.chain.n}


def silent_s(plane: Plane) -> int | None:
    """Give for how many seconds the flow has told nothing, where that is too long; None: all is well."""
    console = plane.console
    return console.board.silent_s(plane.clocks.wall_ns()) if console.caught_up else None


def never_told(plane: Plane) -> bool:
    """Say whether no flow has ever told anything into this log, as far as it is kept."""
    console = plane.console
    return console.log is not None and console.is_current and not any(console.board.changes.values())


_FEW: Final = 50
"""Signals of which it is looked who has applied them; with more, the page learns that when it fetches."""


async def _send(request: Request, event: str, said: object) -> None:
    message = {"type": "http.response.body", "body": frame(event, said), "more_body": True}
    await asyncio.wait_for(request.send(message), SEND_S)
