"""`/v1/kill`, `/v1/resume`, `/v1/set`, `/v1/drift/accept`: what people order."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from flyball_sdk.errors import MalformedError
from flyball_sdk.scope import PRODUCT
from flyball_sdk.state import State

from control.authority import NewerKillError
from control.http.core import Answer, Refused
from control.http.reading import maybe, part, scope, text, whole
from models.orders.order import Acceptance
from models.times import nanoseconds, rfc3339

if TYPE_CHECKING:
    from flyball_sdk.envelope import Envelope, Position
    from flyball_sdk.scope import Scope

    from control.http.core import Request

_LATEST_S = 2**33
"""Beyond it (in 2242) a time does not fit 64 bits of nanoseconds."""


def _order(request: Request) -> tuple[dict[str, Any], Scope, str | None, str]:
    """Read what all orders have: gives the body, scope, tenant and reason."""
    said = request.json()
    return said, scope(said), maybe(said, "tenant"), maybe(said, "reason") or ""


async def kill(request: Request) -> Answer:
    """Kill a scope until somebody resumes it."""
    _, of, tenant, reason = _order(request)
    signal = await asyncio.to_thread(request.plane.authority.kill, of, tenant, request.who.name, reason)
    return Answer(_told(request, signal))


async def set_state(request: Request) -> Answer:
    """Ask for a state, instead of what people asked for before."""
    said, of, tenant, reason = _order(request)
    try:
        state = State.from_json(said.get("state"))
    except MalformedError as error:
        raise Refused(400, "state", str(error)) from None
    if state.kill:
        raise Refused(400, "state.kill", "expected false: POST /v1/kill kills")
    signal = await asyncio.to_thread(request.plane.authority.set, of, tenant, state, request.who.name, reason)
    return Answer(_told(request, signal))


async def accept_drift(request: Request) -> Answer:
    """Take what a workflow does, from `at` or from now on, for the new normal: its baselines open anew."""
    said = request.json()
    workflow, sli, reason = text(said, "workflow"), maybe(said, "sli"), maybe(said, "reason") or ""
    since_ns = _moment(maybe(said, "at"), request.plane.clocks.wall_ns())
    if sli is not None and sli not in (names := await asyncio.to_thread(_slis)):
        raise Refused(400, "sli", f"found {sli!r}, expected one of {', '.join(names)}")
    acceptance = Acceptance(workflow, sli, since_ns, request.who.name)
    await asyncio.to_thread(request.plane.authority.accept, acceptance, reason)
    return Answer({**_told(request, None), "workflow": workflow, "sli": sli, "at": rfc3339(since_ns)})


def _slis() -> tuple[str, ...]:
    from models.slis import NAMES  # noqa: PLC0415 -- half a second, the first time

    return NAMES


def _moment(said: str | None, now_ns: int) -> int:
    """Read a time, Unix ns. Raises Refused."""
    if said is None:
        return now_ns
    try:
        moment = datetime.fromisoformat(said)
        if moment.tzinfo is not None and 0 <= moment.timestamp() < _LATEST_S:
            return nanoseconds(said)
    except (ValueError, OverflowError):
        pass
    raise Refused(400, "at", f"found {said!r}, expected a time with its zone, as 2026-05-04T12:00:00Z")


async def resume(request: Request) -> Answer:
    """Take away all that is asked of a scope. A kill of the whole product needs a second person.

    `seen` is the position of the signals that the person has looked at: a kill that is newer is not ended.
    """
    said, of, tenant, reason = _order(request)
    plane, person = request.plane, request.who.name
    kills = plane.authority.killed(of, tenant)
    first, upto = "", _seen(said)
    if upto is not None and any(each.at > upto for each in kills):
        raise Refused(409, "killed_again", f"{of} was killed meanwhile")
    newest = max((each.at for each in kills), default=(0, 0))
    if of.level == PRODUCT:
        upto = newest
    if of.level == PRODUCT and kills:
        first = plane.second.ask(tenant, person, newest, plane.clocks.steady_s())
        if not first:
            wait = int(plane.second.within_s)
            message = f"a second person must ask for this too, within {wait} s"
            plane.authority.note("command", person, {"command": "resume.asked", "scope": of.to_json()}, tenant)
            return Answer({"resumed": False, "needs": "second_person", "within_s": wait, "message": message}, 202)
    resume_it = partial(plane.authority.resume, of, tenant, person, reason, second=first, upto=upto)
    try:
        places = await asyncio.to_thread(resume_it)
    except NewerKillError as error:
        raise Refused(409, "killed_again", str(error)) from None
    signals = [{"scope": each.scope.to_json(), "tenant": each.tenant} for each in places]
    return Answer({**_told(request, None), "resumed": True, "places": signals})


def _seen(said: dict[str, Any]) -> Position | None:
    seen = part(said, "seen")
    return (whole(seen, "epoch", 0) or 0, whole(seen, "seq", 0) or 0) if seen else None


def _told(request: Request, signal: Envelope | None) -> dict[str, object]:
    authority = request.plane.authority
    said: dict[str, object] = {"epoch": authority.shown.epoch, "seq": authority.shown.seq, "written": True}
    if authority.problem is not None:
        said["written"], said["degraded"] = False, authority.problem
    return said | {"signal": None if signal is None else signal.to_json()}
