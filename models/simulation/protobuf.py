"""OTLP as protobuf: shapes, resources and message frames by hand, for what is encoded once.

https://github.com/open-telemetry/opentelemetry-proto (trace, logs, common, resource v1). Traces and logs share the
numbers of the frame (TracesData.resource_spans = LogsData.resource_logs = 1, and so on), so one frame serves both.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from models.simulation.shapes import Money, Shape, Slot, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PLACEHOLDERS: dict[Slot, bytes] = {
    Slot.TRACE: b"<TRACE_________>",
    Slot.SPAN: b"<SPAN__>",
    Slot.PARENT: b"<PARENT>",
    Slot.START: b"<START_>",
    Slot.END: b"<END___>",
    Slot.COST: b"<COST__>",
}
"""Raw bytes where the JSON form has text: ids of 16 and 8 bytes, fixed64 times, a double."""

_VARINT, _FIXED64, _BYTES = 0, 1, 2


def varint(value: int) -> bytes:
    """Encode a non-negative integer."""
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def lengthy(number: int, payload: bytes) -> bytes:
    """Encode a field of bytes, a string or a message."""
    return varint(number << 3 | _BYTES) + varint(len(payload)) + payload


def _text(number: int, text: str) -> bytes:
    return lengthy(number, text.encode())


def _int(number: int, value: int) -> bytes:
    return varint(number << 3 | _VARINT) + varint(value)


def _fixed64(number: int, raw: bytes) -> bytes:
    return varint(number << 3 | _FIXED64) + raw


def _any(value: Value | Money) -> bytes:
    if isinstance(value, Money):
        return _fixed64(4, PLACEHOLDERS[Slot.COST])
    if isinstance(value, bool):
        return _int(2, int(value))
    if isinstance(value, int):
        return _int(3, value)
    if isinstance(value, float):
        return _fixed64(4, struct.pack("<d", value))
    return _text(1, value)


def attributes(number: int, pairs: Iterable[tuple[str, Value | Money]]) -> bytes:
    """Encode KeyValue fields under this field number."""
    return b"".join(lengthy(number, _text(1, key) + lengthy(2, _any(value))) for key, value in pairs)


def span(shape: Shape) -> bytes:
    """Encode the fields of a Span, without its tag and length."""
    parent = lengthy(4, PLACEHOLDERS[Slot.PARENT]) if shape.parented else b""
    status = lengthy(15, _text(2, shape.error) + _int(3, 2)) if shape.error else b""
    return (
        lengthy(1, PLACEHOLDERS[Slot.TRACE])
        + lengthy(2, PLACEHOLDERS[Slot.SPAN])
        + parent
        + _text(5, shape.name)
        + _int(6, shape.span_type)
        + _fixed64(7, PLACEHOLDERS[Slot.START])
        + _fixed64(8, PLACEHOLDERS[Slot.END])
        + status
        + attributes(9, shape.attributes)
    )


def log_record(shape: Shape) -> bytes:
    """Encode the fields of a LogRecord of a named event; it is observed when it happens."""
    return (
        _fixed64(1, PLACEHOLDERS[Slot.END])
        + attributes(6, shape.attributes)
        + lengthy(9, PLACEHOLDERS[Slot.TRACE])
        + lengthy(10, PLACEHOLDERS[Slot.PARENT])
        + _fixed64(11, PLACEHOLDERS[Slot.END])
        + _text(12, shape.name)
    )


def record(shape: Shape) -> bytes:
    """Encode a shape."""
    return log_record(shape) if shape.event else span(shape)


def context(pairs: Sequence[tuple[str, str]]) -> bytes:
    """Encode attributes that are appended to a span."""
    return attributes(9, pairs)


def tail_prefix(key: str) -> bytes:
    """Encode what comes before the varint of an appended integer; bytes 1 and `len - 2` are lengths to be patched."""
    return b"\x4a\x00" + _text(1, key) + b"\x12\x00\x18"


def resource(pairs: Sequence[tuple[str, str]]) -> bytes:
    """Encode the field `resource` of ResourceSpans and ResourceLogs."""
    return lengthy(1, attributes(1, pairs))


def scope(name: str, version: str) -> bytes:
    """Encode the field `scope` of ScopeSpans and ScopeLogs."""
    return lengthy(1, _text(1, name) + _text(2, version))


def message(groups: Sequence[tuple[bytes, bytes, memoryview]], *, logs: bool) -> bytes:
    """Frame (resource field, scope field, encoded records) groups as one TracesData or LogsData."""
    parts: list[bytes | memoryview] = []
    for resource_field, scope_field, records in groups:
        scope_head = b"\x12" + varint(len(scope_field) + len(records)) + scope_field
        head = resource_field + scope_head
        parts += [b"\x0a", varint(len(head) + len(records)), head, records]
    return b"".join(parts)
