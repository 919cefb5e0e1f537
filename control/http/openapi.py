"""`/openapi.json`, made from the table of endpoints; tests hold every answer against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyball_sdk.scope import SCOPE_LEVELS
from flyball_sdk.state import LEVELS

from control.console.runs import EXACT, ORDERS
from control.http.core import PUBLIC, Answer

if TYPE_CHECKING:
    from control.http.core import Endpoint, Request

_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 512}
_TIME: Final = {"type": "string", "format": "date-time"}
_WHOLE: Final = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
_TOOLS: Final = {"type": "array", "items": {"type": "string", "minLength": 1}}
_NUMBER_OR_NULL: Final = {"anyOf": [_WHOLE, {"type": "null"}]}


def _object(required: list[str] | None = None, **members: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"type": "object", "properties": members}
    return said | ({"required": required} if required else {})


SCOPE: Final = {
    **_object(["level", "id"], level={"enum": list(SCOPE_LEVELS)}, id={"type": "string", "minLength": 1}),
    "additionalProperties": False,
}
STATE: Final = {
    **_object(
        ["kill", "level", "tools", "deny", "throttle"],
        kill={"type": "boolean"},
        level={"enum": list(LEVELS)},
        tools={"anyOf": [_TOOLS, {"type": "null"}]},
        deny=_TOOLS,
        throttle={
            "anyOf": [
                _object(calls_per_minute=_NUMBER_OR_NULL, concurrency=_NUMBER_OR_NULL)
                | {"additionalProperties": False},
                {"type": "null"},
            ]
        },
    ),
    "additionalProperties": False,
}
_CALL: Final = _object(
    ["tool"],
    tool=_object(["name"], name=_TEXT, kind={"enum": ["tool", "llm"]}),
    tool_input={"type": "object"},
    trace=_object(run_id={"type": "string", "pattern": "^[0-9a-f]{32}$"}),
    subject=_object(user=_TEXT, agent=_TEXT, workflow=_TEXT, tenant=_TEXT),
    deadline_ms=_WHOLE,
    min_epoch=_WHOLE,
    counted={"type": "boolean", "description": "the guard that asks counts caps and loops by itself"},
)
_COMMAND: Final = {"scope": SCOPE, "tenant": _TEXT, "reason": _TEXT}
_CONTEXT: Final = _object(["context"], context=_object(["targetingKey"], targetingKey=_TEXT))

BODIES: Final[dict[str, dict[str, Any]]] = {
    "/v1/guard/evaluate": _CALL,
    "/v1/guard/batch": _object(["calls"], calls={"type": "array", "items": _CALL, "minItems": 1, "maxItems": 64}),
    "/v1/guard/result": _object(
        ["decision_id"],
        decision_id=_TEXT,
        result={},
        error={"type": "string"},
        cost_usd={"type": "number", "minimum": 0},
    ),
    "/v1/signals/ack": _object(["client"], client=_TEXT, epoch=_WHOLE, seq=_WHOLE),
    "/v1/kill": _object(["scope"], **_COMMAND),
    "/v1/resume": _object(["scope"], **_COMMAND, seen=_object([], epoch=_WHOLE, seq=_WHOLE)),
    "/v1/set": _object(["scope", "state"], **_COMMAND, state=STATE),
    "/v1/drift/accept": _object(["workflow"], workflow=_TEXT, sli=_TEXT, reason=_TEXT, at=_TIME),
    "/ofrep/v1/evaluate/flags": _CONTEXT,
    "/ofrep/v1/evaluate/flags/{key}": _CONTEXT,
}
_WHOSE: Final[list[tuple[str, bool, dict[str, Any]]]] = [
    ("level", True, {"enum": list(SCOPE_LEVELS)}),
    ("id", True, _TEXT),
    ("tenant", False, _TEXT),
]
_QUERIES: Final[dict[str, list[tuple[str, bool, dict[str, Any]]]]] = {
    "/v1/usage": _WHOSE,
    "/v1/audit": [("after", False, _WHOLE)],
    "/v1/console/preview": _WHOSE,
    "/v1/console/audit": [*((name, False, _TEXT) for name in ("kind", "who", "about")), ("before", False, _WHOLE)],
    "/v1/console/spend": [("level", False, {"enum": list(SCOPE_LEVELS)}), ("name", False, _TEXT)],
    "/v1/console/runs": [
        *((name, False, _TEXT) for name in (*EXACT, "tool", "after", "since", "until")),
        ("text", False, {"type": "string", "pattern": "^[0-9a-f]{1,32}$"}),
        ("errors", False, {"enum": ["0", "1"]}),
        ("order", False, {"enum": list(ORDERS)}),
    ],
}
_DECISION: Final = _object(
    [
        "decision",
        "mode",
        "would",
        "reason_code",
        "message",
        "rules",
        "action_digest",
        "level",
        "decision_id",
        "eval_us",
    ],
    decision={"enum": ["allow", "block", "modify", "escalate"]},
    mode={"enum": ["enforce", "audit"]},
    message={"type": "string"},
    rules={"type": "array"},
    level={"enum": list(LEVELS)},
    degraded={"enum": ["none", "stale", "partial"]},
)
_FLAG: Final = _object(
    ["key", "value", "reason", "variant"], key=_TEXT, reason={"enum": ["STATIC", "TARGETING_MATCH"]}, variant=_TEXT
)
ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "/v1/guard/evaluate": _DECISION,
    "/v1/guard/batch": _object(["decisions"], decisions={"type": "array", "items": _DECISION}),
    "/v1/signals": _object(["heartbeat", "signals"], signals={"type": "array"}),
    "/v1/status": _object(["epoch", "seq", "scopes", "clients", "degraded"], scopes={"type": "array"}),
    "/v1/usage": _object(["level", "id", "usage"], usage={"type": "array"}),
    "/v1/audit": _object(["entries", "next"], entries={"type": "array"}, next=_WHOLE),
    "/v1/keys/own": _object(
        ["tenant", "agent"], tenant={"type": ["string", "null"]}, agent={"type": ["string", "null"]}
    ),
    "/v1/keys/signing": _object(["keys"], keys={"type": "object"}),
    "/ofrep/v1/evaluate/flags": _object(["flags", "eventStreams"], flags={"type": "array", "items": _FLAG}),
    "/ofrep/v1/evaluate/flags/{key}": _FLAG,
}
_KINDS: Final = {
    "/v1/signals/stream": "text/event-stream",
    "/ofrep/v1/events": "text/event-stream",
    "/v1/console/events": "text/event-stream",
    "/metrics": "text/plain",
    "/console/": "text/html",
    "/console/{key}": "text/javascript",
    "/console/vendor/{key}": "text/javascript",
}
_MOVES: Final = frozenset({"/", "/console"})
_ERROR: Final = _object(
    ["error"], error=_object(["code", "message"], code={"type": "string"}, message={"type": "string"})
)
_FAILURES: Final = {
    "400": "Something in the request is wrong",
    "401": "No valid key",
    "403": "The key may not",
    "404": "There is no such thing",
    "409": "Something newer came between",
    "408": "The body did not come in time",
    "413": "Too large",
    "415": "Not JSON",
    "429": "Too many requests; Retry-After says when",
    "503": "Not now",
    "504": "Late: no decision",
}


def describe(endpoints: tuple[Endpoint, ...]) -> dict[str, Any]:
    """Write the description."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Flyball control plane", "version": "1"},
        "paths": paths,
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


async def serve(request: Request) -> Answer:
    """Give the description."""
    return Answer(describe(request.plane.endpoints))


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "query", "required": required, "schema": schema}
        for name, required, schema in _QUERIES.get(endpoint.path, [])
    ]
    if endpoint.path.endswith("{key}"):
        parameters.append({"name": "key", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}})
    said: dict[str, Any] = {
        "summary": endpoint.about,
        "description": f"Who: {endpoint.needs}.",
        "parameters": parameters,
        "responses": _responses(endpoint),
    }
    if endpoint.needs != PUBLIC:
        said["security"] = [{"key": []}]
    if endpoint.method == "POST":
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": BODIES[endpoint.path]}}}
    return said


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    kind = _KINDS.get(endpoint.path, "application/json")
    schema = ANSWERS.get(endpoint.path, {"type": "object"} if kind == "application/json" else {"type": "string"})
    found: dict[str, Any] = {"200": {"description": "Done", "content": {kind: {"schema": schema}}}}
    if endpoint.path == "/v1/resume":
        found["202"] = {"description": "A second person is needed", "content": {kind: {"schema": {"type": "object"}}}}
    if endpoint.path in _MOVES:
        found = {"307": {"description": "It is there", "content": {"application/json": {}}}}
    if endpoint.ofrep or endpoint.path.startswith("/console/"):
        found["304"] = {"description": "Nothing has changed"}
    error = {"type": "object"} if endpoint.ofrep or endpoint.path == "/healthz" else _ERROR
    for status, about in _FAILURES.items():
        found[status] = {"description": about, "content": {"application/json": {"schema": error}}}
    return found
