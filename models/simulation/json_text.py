"""OTLP as JSON: shapes, resources and message frames as text, in the shape of the Collector's file exporter.

Attributes come last in every record, so that more can be appended; the closing `]}` is the stamper's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from models.simulation.shapes import Money, Shape, Slot, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PLACEHOLDERS: dict[Slot, bytes] = {
    Slot.TRACE: b"<TRACE_________________________>",
    Slot.SPAN: b"<SPAN__________>",
    Slot.PARENT: b"<PARENT________>",
    Slot.START: b"<START____________>",
    Slot.END: b"<END______________>",
    Slot.COST: b"<COST_____>",
}
"""Text where the protobuf form has raw bytes: ids in hex, times of 19 digits, a cost with 9 decimals."""


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _slot(slot: Slot) -> str:
    return PLACEHOLDERS[slot].decode()


def _any(value: Value | Money) -> str:
    if isinstance(value, Money):
        return f'{{"doubleValue":{_slot(Slot.COST)}}}'
    if isinstance(value, bool):
        return f'{{"boolValue":{_quoted(value)}}}'
    if isinstance(value, int):
        return f'{{"intValue":"{value}"}}'
    if isinstance(value, float):
        return f'{{"doubleValue":{value!r}}}'
    return f'{{"stringValue":{_quoted(value)}}}'


def _attribute(key: str, value: Value | Money) -> str:
    return f'{{"key":{_quoted(key)},"value":{_any(value)}}}'


def _attributes(pairs: Iterable[tuple[str, Value | Money]]) -> str:
    return ",".join(_attribute(key, value) for key, value in pairs)


def span(shape: Shape) -> bytes:
    """Write a span, open at its attributes."""
    parent = f'"parentSpanId":"{_slot(Slot.PARENT)}",' if shape.parented else ""
    status = f'"status":{{"message":{_quoted(shape.error)},"code":2}},' if shape.error else ""
    return (
        f'{{"traceId":"{_slot(Slot.TRACE)}","spanId":"{_slot(Slot.SPAN)}",{parent}'
        f'"name":{_quoted(shape.name)},"kind":{int(shape.span_type)},'
        f'"startTimeUnixNano":"{_slot(Slot.START)}","endTimeUnixNano":"{_slot(Slot.END)}",{status}'
        f'"attributes":[{_attributes(shape.attributes)}'
    ).encode()


def log_record(shape: Shape) -> bytes:
    """Write a log record of a named event, open at its attributes."""
    return (
        f'{{"timeUnixNano":"{_slot(Slot.END)}","observedTimeUnixNano":"{_slot(Slot.END)}",'
        f'"traceId":"{_slot(Slot.TRACE)}","spanId":"{_slot(Slot.PARENT)}","eventName":{_quoted(shape.name)},'
        f'"attributes":[{_attributes(shape.attributes)}'
    ).encode()


def record(shape: Shape) -> bytes:
    """Write a shape."""
    return log_record(shape) if shape.event else span(shape)


def context(pairs: Sequence[tuple[str, str]]) -> bytes:
    """Write attributes that are appended to a span."""
    return "".join(f",{_attribute(key, value)}" for key, value in pairs).encode()


def tail_prefix(key: str) -> bytes:
    """Write what comes before the digits of an appended integer."""
    return f',{{"key":{_quoted(key)},"value":{{"intValue":"'.encode()


def resource(pairs: Sequence[tuple[str, str]]) -> bytes:
    """Write the field `resource` of resourceSpans and resourceLogs."""
    return f'"resource":{{"attributes":[{_attributes(pairs)}]}}'.encode()


def scope(name: str, version: str) -> bytes:
    """Write the field `scope` of scopeSpans and scopeLogs."""
    return f'"scope":{{"name":{_quoted(name)},"version":{_quoted(version)}}}'.encode()


def message(groups: Sequence[tuple[bytes, bytes, memoryview]], *, logs: bool) -> bytes:
    """Frame (resource field, scope field, records with a comma after each) groups as one message, on one line."""
    outer, middle, inner = (
        (b"resourceLogs", b"scopeLogs", b"logRecords") if logs else (b"resourceSpans", b"scopeSpans", b"spans")
    )
    parts: list[bytes | memoryview] = [b'{"', outer, b'":[']
    for position, (resource_field, scope_field, records) in enumerate(groups):
        comma = b"," if position else b""
        parts += [comma, b"{", resource_field, b',"', middle, b'":[{', scope_field, b',"', inner, b'":[']
        parts += [records[:-1], b"]}]}"]
    parts.append(b"]}")
    return b"".join(parts)
