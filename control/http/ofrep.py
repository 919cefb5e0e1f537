"""OFREP 0.3: any OpenFeature client reads what is asked of a run. A read face; the signed stream is the promise.

Source: https://github.com/open-feature/protocol, service/openapi.yaml 0.3.0.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import orjson
from flyball_sdk.scope import Subject, as_run
from flyball_sdk.state import NEUTRAL, State, merged

from control.guards import ANY_AGENT, RUN
from control.http.core import Answer, Refused
from control.http.signals import follow

if TYPE_CHECKING:
    from flyball_sdk.signals import Held

    from control.http.core import Request

FLAGS: Final = ("agent.enabled", "agent.autonomy", "agent.throttle")
_EVENTS: Final = "/ofrep/v1/events"
_QUIET_S: Final = 30


async def single(request: Request) -> Answer:
    """Evaluate one flag."""
    if request.name not in FLAGS:
        said = {"key": request.name, "errorCode": "FLAG_NOT_FOUND", "errorDetails": f"there are {', '.join(FLAGS)}"}
        return Answer(said, 404)
    held, wrong = _held(request)
    if wrong is not None:
        return Answer({"key": request.name, **wrong}, 400)
    return Answer(_flag(request, request.name, held))


async def bulk(request: Request) -> Answer:
    """Evaluate all flags; 304 where they are what the caller has."""
    held, wrong = _held(request)
    if wrong is not None:
        return Answer(wrong, 400)
    flags = [_flag(request, name, held) for name in FLAGS]
    etag = f'"{hashlib.sha256(orjson.dumps(flags, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]}"'
    headers = {"ETag": etag}
    if etag in [each.strip() for each in request.headers.get(b"if-none-match", b"").decode("latin-1").split(",")]:
        return Answer(None, 304, headers)
    stream = {"type": "sse", "endpoint": {"requestUri": _EVENTS}, "inactivityDelaySec": _QUIET_S}
    shown = request.plane.authority.shown
    metadata = {"epoch": shown.epoch, "seq": shown.seq}
    return Answer({"flags": flags, "metadata": metadata, "eventStreams": [stream]}, headers=headers)


async def events(request: Request) -> None:
    """Say that flags should be fetched again, after each change."""
    number = 0

    def write(frames: bytes) -> bytes:
        nonlocal number
        if b"event: signal\n" not in frames:
            return b": alive\n\n"
        number += 1
        said = {"type": "refetchEvaluation", "lastModified": request.plane.clocks.wall_ns() // 10**9}
        epoch, seq = request.plane.authority.shown.epoch, request.plane.authority.shown.seq
        return b"id: %d.%d.%d\nevent: message\ndata: %b\n\n" % (epoch, seq, number, orjson.dumps(said))

    await follow(request, write)


def _held(request: Request) -> tuple[list[Held], dict[str, Any] | None]:
    """Give what is asked of the caller's context, or what is wrong with it."""
    try:
        context = request.json().get("context")
    except Refused as refused:
        return [], {"errorCode": "PARSE_ERROR", "errorDetails": refused.message}
    if not isinstance(context, dict):
        return [], {"errorCode": "INVALID_CONTEXT", "errorDetails": "expected context, an object"}
    target = context.get("targetingKey")
    if not isinstance(target, str) or not target:
        return [], {"errorCode": "TARGETING_KEY_MISSING", "errorDetails": "expected targetingKey, the run's id"}
    said = {name: context.get(name) for name in ("user", "agent", "workflow")}
    if wrong := [name for name, value in said.items() if value is not None and not isinstance(value, str)]:
        return [], {"errorCode": "INVALID_CONTEXT", "errorDetails": f"expected {wrong[0]} to be a text"}
    key = request.who
    agent = said["agent"] if key.agent == ANY_AGENT else key.agent
    run = as_run(target)
    who = Subject(run if RUN.fullmatch(run) else None, said["user"], agent, said["workflow"], key.tenant).as_named()
    return request.plane.authority.shown.of(who, key.tenant), None


def _flag(request: Request, name: str, held: list[Held]) -> dict[str, Any]:
    state = merged(each.state for each in held)
    value, variant = _VALUES[name](state)
    said: dict[str, Any] = {"epoch": request.plane.authority.shown.epoch}
    if held:
        said["reason_code"] = held[0].rule
    reason = "STATIC" if state == NEUTRAL else "TARGETING_MATCH"
    return {"key": name, "value": value, "reason": reason, "variant": variant, "metadata": said}


def _throttle(state: State) -> tuple[object, str]:
    throttle = state.throttle
    return ({}, "none") if throttle is None else (throttle._asdict(), "throttled")


_VALUES: Final = {
    "agent.enabled": lambda state: (not state.kill, "killed" if state.kill else "running"),
    "agent.autonomy": lambda state: (state.level, state.level),
    "agent.throttle": _throttle,
}
