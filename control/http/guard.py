"""`/v1/guard/...`: decisions for agents that have no guard of their own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from control.http.core import Answer, Refused, keep_pace
from control.http.reading import dollars, text

if TYPE_CHECKING:
    from control.guards import Call
    from control.http.core import Request

_MOST_IN_A_BATCH = 64


async def evaluate(request: Request) -> Answer:
    """Decide one call."""
    return Answer(_decide(request, request.plane.guards.read(request.who, request.json())))


async def batch(request: Request) -> Answer:
    """Decide up to 64 calls, in order."""
    calls = request.json().get("calls")
    if not isinstance(calls, list) or not 1 <= len(calls) <= _MOST_IN_A_BATCH:
        raise Refused(400, "calls", f"expected calls, a list of 1 to {_MOST_IN_A_BATCH}")
    if not all(isinstance(call, dict) for call in calls):
        raise Refused(400, "calls", "expected objects in calls")
    keep_pace(request.plane, request.who, len(calls) - 1)  # the request itself was one
    read = [request.plane.guards.read(request.who, call) for call in calls]  # none is counted unless all can be read
    decided: list[dict[str, Any]] = []
    try:
        for call in read:
            decided.append(_decide(request, call))  # noqa: PERF401 -- those before one that is refused are needed
    except Refused:
        for each in decided:
            _give_back(request, each)  # nobody hears of them
        raise
    return Answer({"decisions": decided})


async def result(request: Request) -> Answer:
    """Take what came of a call that was let through."""
    said = request.json()
    name = text(said, "decision_id")
    error = said.get("error")
    if error is not None and not isinstance(error, str):
        raise Refused(400, "error", "expected error to be a text")
    request.plane.guards.result(request.who, name, said, error, dollars(said, "cost_usd"))
    return Answer({"accepted": True})


def _decide(request: Request, call: Call) -> dict[str, Any]:
    begun = time.perf_counter()
    plane = request.plane
    if call.min_epoch > plane.authority.shown.epoch:
        raise Refused(503, "epoch", f"the epoch is {plane.authority.shown.epoch}, {call.min_epoch} was asked for")
    decided = plane.guards.evaluate(request.who, call)
    taken_s = time.perf_counter() - begun
    plane.metrics.decided(call.kind, decided, taken_s)
    if call.deadline_ms is not None and taken_s * 1000 > call.deadline_ms:
        _give_back(request, decided)
        raise Refused(504, "late", f"there was no decision within {call.deadline_ms} ms")
    return decided


def _give_back(request: Request, decided: dict[str, Any]) -> None:
    """Free what a call has reserved whose decision is not answered: it was not let through, and costs nothing."""
    request.plane.guards.result(request.who, decided["decision_id"], {}, None, 0.0)
