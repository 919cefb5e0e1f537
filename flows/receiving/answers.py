"""The answers of an OTLP/HTTP server, in the encoding of the request.

Source: OpenTelemetry protocol specification, "OTLP/HTTP Response": 200 with Export...ServiceResponse (partial_success
where something was left out), errors with google.rpc.Status, Retry-After where trying again later may help.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson
from starlette.responses import Response

from flows.protobuf import BYTES, varint
from flows.receiving.bodies import BodyType

# google.rpc.Code by status: 3 INVALID_ARGUMENT, 8 RESOURCE_EXHAUSTED, 14 UNAVAILABLE
_RPC_CODES: Final = {400: 3, 413: 3, 415: 3, 429: 8, 503: 14}
_UNKNOWN: Final = 2


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 - an answer to be raised
    """A request that is not taken: the status, what to tell the sender, and when it may try again."""

    status: int
    message: str
    retry_after_s: int | None = None


@dataclass(frozen=True)
class Rejected:
    """How many items of a request were not taken, by reason."""

    too_large: int = 0
    limit: int = 0
    """In bytes: what is larger is too large."""
    unusable: int = 0
    """Spans without a trace id that can be read."""

    @property
    def count(self) -> int:
        """Add them up."""
        return self.too_large + self.unusable

    @property
    def why(self) -> str:
        """Say it in words; nothing where all was taken."""
        too_large = f"{self.too_large} larger than {self.limit} bytes" if self.too_large else ""
        unusable = f"{self.unusable} without a trace id (16 bytes, not all zero)" if self.unusable else ""
        return ", ".join(filter(None, (too_large, unusable)))


def success(kind: BodyType, rejected_name: str, rejected: Rejected) -> Response:
    """Say that the request was taken, but for what was rejected; `rejected_name` is that number's name in JSON."""
    if kind is BodyType.PROTOBUF:
        return Response(export_response(rejected), media_type=kind.value)
    partial = {"partialSuccess": {rejected_name: str(rejected.count), "errorMessage": rejected.why}}
    return Response(orjson.dumps(partial if rejected.count else {}), media_type=kind.value)


def export_response(rejected: Rejected) -> bytes:
    """Write an ExportTraceServiceResponse or ExportLogsServiceResponse, which are alike."""
    if not rejected.count:
        return b""
    return _field(1, b"\x08" + varint(rejected.count) + _field(2, rejected.why.encode()))


def refusal(kind: BodyType, refused: Refusal) -> Response:
    """Say why the request was not taken."""
    headers = {} if refused.retry_after_s is None else {"Retry-After": str(refused.retry_after_s)}
    code = _RPC_CODES.get(refused.status, _UNKNOWN)
    if kind is BodyType.JSON:
        body = orjson.dumps({"code": code, "message": refused.message})
    else:
        body = rpc_status(code, refused.message)
    return Response(body, refused.status, headers, kind.value)


def rpc_status(code: int, message: str) -> bytes:
    """Write a google.rpc.Status."""
    return b"\x08" + varint(code) + _field(2, message.encode())


def retry_details(code: int, refused: Refusal) -> bytes:
    """Write a google.rpc.Status with a RetryInfo: in OTLP/gRPC only with that may a sender try again."""
    seconds = b"\x08" + varint(refused.retry_after_s or 0)  # of a Duration
    retry_info = _field(1, b"type.googleapis.com/google.rpc.RetryInfo") + _field(2, _field(1, seconds))  # as an Any
    return rpc_status(code, refused.message) + _field(3, retry_info)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | BYTES]) + varint(len(content)) + content
