"""The answers of an OTLP/HTTP server, in the encoding of the request.

Source: OpenTelemetry protocol specification, "OTLP/HTTP Response": 200 with Export...ServiceResponse (partial_success
where something was left out), errors with google.rpc.Status, Retry-After where trying again later may help.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson
from starlette.responses import Response

from flows.receiving.bodies import BodyType
from flows.receiving.splitting import varint

# google.rpc.Code by status: 3 INVALID_ARGUMENT, 8 RESOURCE_EXHAUSTED, 14 UNAVAILABLE
_RPC_CODES: Final = {400: 3, 413: 3, 415: 3, 429: 8, 503: 14}
_UNKNOWN: Final = 2


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 - an answer to be raised
    """A request that is not taken: the status, what to tell the sender, and when it may try again."""

    status: int
    message: str
    retry_after_s: int | None = None


def success(kind: BodyType, rejected_name: str, rejected: int = 0, why: str = "") -> Response:
    """Say that the request was taken, but for `rejected` of its items; `rejected_name` is that field's JSON name."""
    if kind is BodyType.JSON:
        partial = {"partialSuccess": {rejected_name: str(rejected), "errorMessage": why}}
        return Response(orjson.dumps(partial if rejected else {}), media_type=kind.value)
    if not rejected:
        return Response(b"", media_type=kind.value)
    text = why.encode()
    partial_success = b"\x08" + varint(rejected) + b"\x12" + varint(len(text)) + text
    return Response(b"\x0a" + varint(len(partial_success)) + partial_success, media_type=kind.value)


def refusal(kind: BodyType, refused: Refusal) -> Response:
    """Say why the request was not taken."""
    headers = {} if refused.retry_after_s is None else {"Retry-After": str(refused.retry_after_s)}
    code = _RPC_CODES.get(refused.status, _UNKNOWN)
    if kind is BodyType.JSON:
        body = orjson.dumps({"code": code, "message": refused.message})
    else:
        text = refused.message.encode()
        body = b"\x08" + varint(code) + b"\x12" + varint(len(text)) + text
    return Response(body, refused.status, headers, kind.value)
