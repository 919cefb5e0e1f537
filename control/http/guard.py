"""`/v1/guard/...`: decisions for agents that have no guard of their own."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any

from control.http.core import Answer, Refused, keep_pace
from control.http.reading import text, within

if TYPE_CHECKING:
    from control.http.core import Request

_MOST_IN_A_BATCH = 64


async def evaluate(request: Request) -> Answer:
    """Decide one call."""
    return Answer(await _decide(request, request.json()))


async def batch(request: Request) -> Answer:
    """Decide up to 64 calls, in order."""
    calls = request.json().get("calls")
    if not isinstance(calls, list) or not 1 <= len(calls) <= _MOST_IN_A_BATCH:
        raise Refused(400, "calls", f"expected calls, a list of 1 to {_MOST_IN_A_BATCH}")
    if not all(isinstance(call, dict) for call in calls):
        raise Refused(400, "calls", "expected objects in calls")
    keep_pace(request.plane, request.who, len(calls) - 1)  # the request itself was one
    for call in calls:
        request.plane.guards.read(request.who, call)  # none is counted unless all can be read
    return Answer({"decisions": [await _decide(request, call) for call in calls]})


async def result(request: Request) -> Answer:
    """Take what came of a call that was let through."""
    said = request.json()
    name = text(said, "decision_id")
    error, cost = said.get("error"), said.get("cost_usd")
    if error is not None and not isinstance(error, str):
        raise Refused(400, "error", "expected error to be a text")
    known = cost is None or (isinstance(cost, (int, float)) and not isinstance(cost, bool))
    if not known or (cost is not None and not (math.isfinite(cost) and 0 <= cost < within)):
        raise Refused(400, "cost_usd", "expected cost_usd to be a number from 0")
    request.plane.guards.result(request.who, name, said, error, cost)
    return Answer({"accepted": True})


async def _decide(request: Request, said: dict[str, Any]) -> dict[str, Any]:
    begun = time.perf_counter()
    plane = request.plane
    call = plane.guards.read(request.who, said)
    if call.min_epoch > plane.authority.shown.epoch:
        raise Refused(503, "epoch", f"the epoch is {plane.authority.shown.epoch}, {call.min_epoch} was asked for")
    if plane.guards.may_wait:
        decided = await asyncio.to_thread(plane.guards.evaluate, request.who, call)
    else:
        decided = plane.guards.evaluate(request.who, call)
    if call.deadline_ms is not None and (time.perf_counter() - begun) * 1000 > call.deadline_ms:
        raise Refused(504, "late", f"there was no decision within {call.deadline_ms} ms")
    return decided
