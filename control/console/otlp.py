"""Reading the spans and log records of one trace out of OTLP messages, for display: plain Python, a message at a time.

The flow's decoder is compiled for millions of spans; loading it here would hold up evaluations, so this reads the few
messages that name the trace. Attributes are looked up in the flow's own table; all others, arguments and results among
them, are never taken out of the bytes of the message into an answer.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from struct import unpack_from
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from models.spans.mapping import RECORD_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SPAN_BYTES: Final = frozenset({2, 4, 5, 15})
"""Span id, parent, name, status."""
_SPAN_NUMBERS: Final = frozenset({6, 7, 8})
"""Kind, start, end."""
_RECORD_BYTES: Final = frozenset({10, 12})
"""Span id, event name."""
_RECORD_NUMBERS: Final = frozenset({1, 11})
"""Time, time of observation."""
_WHOLE: Final = (1 << 64) - 1
_LAST_KIND: Final = 5
_CODE: Final = 3
"""Of a status."""
_STRING, _BOOL, _INT, _DOUBLE = 1, 2, 3, 4
"""Of a value."""
_LONGEST: Final = 256
_LONGEST_OBJECT: Final = 4096
"""Of a text that may be JSON: the numbers of some conventions are in it."""


class UnreadableError(ValueError):
    """The message is no OTLP."""


@dataclass
class Raw:
    """One span as it came; `attributes` and `resource` hold what is plain: texts, numbers, booleans.

    A log record has its event's name, the span that it is about for parent, and no length.
    """

    span_id: str
    parent: str
    name: str
    start_ns: int
    end_ns: int
    span_kind: int
    status: int
    scope: str
    attributes: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    exception: str = ""
    is_record: bool = False


def names(value: bytes, trace: bytes) -> bool:
    """Tell whether a message may hold spans of a trace, without reading it."""
    text = trace.hex().encode()
    return trace in value or text in value or text.upper() in value or b64encode(trace) in value


def spans(value: bytes, trace: bytes) -> Iterator[Raw]:
    """Yield the spans of a trace in one message. Raises UnreadableError."""
    return _read(value, trace, _SPANS)


def records(value: bytes, trace: bytes) -> Iterator[Raw]:
    """Yield the log records of a trace in one message. Raises UnreadableError."""
    return _read(value, trace, _RECORDS)


def _read(value: bytes, trace: bytes, form: _Form) -> Iterator[Raw]:
    try:
        if value[:1] == b"{":
            yield from _of_json(orjson.loads(value), trace, form)
        else:
            yield from _of_protobuf(value, trace, form)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise UnreadableError(str(error)) from error


# protobuf: https://protobuf.dev/programming-guides/encoding, opentelemetry/proto/{trace,logs}/v1


def _of_protobuf(value: bytes, trace: bytes, form: _Form) -> Iterator[Raw]:
    for resource_spans in _parts(value, 1):
        resource: dict[str, Any] = {}
        for each in _parts(resource_spans, 1):
            resource |= _attributes(each, 1)
        for scope_spans in _parts(resource_spans, 2):
            scope = "".join(_text(name) for each in _parts(scope_spans, 1) for name in _parts(each, 1))
            for part in _parts(scope_spans, 2):
                if trace in part and next(_parts(part, form.trace), b"") == trace:
                    yield form.of_bytes(part, scope, resource)


def _span(span: bytes, scope: str, resource: dict[str, Any]) -> Raw:
    found = _known(span, _SPAN_BYTES, _SPAN_NUMBERS)
    codes = [value for number, value in _fields(found.get(15, b"")) if number == _CODE and isinstance(value, int)]
    exceptions = [_attributes(event, 3).get("exception.type", "") for event in _parts(span, 11)]
    return Raw(
        span_id=found.get(2, b"").hex(),
        parent=found.get(4, b"").hex(),
        name=_text(found.get(5, b"")),
        start_ns=found.get(7, 0),
        end_ns=found.get(8, 0),
        span_kind=_kind(found.get(6)),
        status=codes[-1] if codes else 0,
        scope=scope,
        attributes=_attributes(span, 9),
        resource=resource,
        exception=next(filter(None, exceptions), ""),
    )


def _record(record: bytes, scope: str, resource: dict[str, Any]) -> Raw:
    found = _known(record, _RECORD_BYTES, _RECORD_NUMBERS)
    attributes = _attributes(record, 6)
    name, at_ns = _text(found.get(12, b"")), found.get(1, 0) or found.get(11, 0)
    return _as_record(name, found.get(10, b"").hex(), at_ns, scope, attributes, resource)


def _as_record(
    name: str, span_id: str, at_ns: int, scope: str, attributes: dict[str, Any], resource: dict[str, Any]
) -> Raw:
    name = name or str(attributes.get(RECORD_NAME, ""))
    return Raw("", span_id, name, at_ns, at_ns, 0, 0, scope, attributes, resource, is_record=True)


def _known(part: bytes, texts: frozenset[int], numbers: frozenset[int]) -> dict[int, Any]:
    """Give the fields of these numbers; one of another wire type is unknown, as to the protobuf library."""
    return {
        number: value for number, value in _fields(part) if number in (texts if isinstance(value, bytes) else numbers)
    }


def _attributes(value: bytes, number: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in _parts(value, number):
        key = _text(next(_parts(pair, 1), b""))
        for kind, said in _fields(next(_parts(pair, 2), b"")):
            if isinstance(said, bytes):
                found |= (
                    {key: _text(said, _LONGEST_OBJECT if said[:1] == b"{" else _LONGEST)} if kind == _STRING else {}
                )
            elif kind == _BOOL:
                found[key] = bool(said)
            elif kind == _INT:
                found[key] = said - (1 << 64) if said >> 63 else said
            elif kind == _DOUBLE:
                found[key] = unpack_from("<d", said.to_bytes(8, "little"))[0]
    return found


def _parts(value: bytes, number: int) -> Iterator[bytes]:
    return (each for found, each in _fields(value) if found == number and isinstance(each, bytes))


def _fields(value: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (number, value) of a message: bytes, or a whole number."""
    at, end = 0, len(value)
    while at < end:
        tag, at = _varint(value, at)
        wire = tag & 7
        if wire == _VARINT:
            said, at = _varint(value, at)
            yield tag >> 3, said
        elif wire == _BYTES:
            size, at = _varint(value, at)
            if size > end - at:
                raise UnreadableError("truncated")
            yield tag >> 3, value[at : at + size]
            at += size
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            if size > end - at:
                raise UnreadableError("truncated")
            yield tag >> 3, int.from_bytes(value[at : at + size], "little")
            at += size
        else:
            msg = f"wire type {wire}"
            raise UnreadableError(msg)


def _varint(value: bytes, at: int) -> tuple[int, int]:
    said = 0
    for shift in range(0, 70, 7):
        byte = value[at]
        at += 1
        said |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 -- the bit that says that there is more
            return said & _WHOLE, at
    raise UnreadableError("a number of more than 64 bits")


def _kind(value: Any) -> int:
    """Give a kind of opentelemetry/proto/trace/v1/trace.proto, 0 to 5; 0 is unspecified."""
    return value if isinstance(value, int) and 0 <= value <= _LAST_KIND else 0


def _text(value: bytes, longest: int = _LONGEST) -> str:
    return value[:longest].decode("utf-8", "replace")


# JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding


def _of_json(said: Mapping[str, Any], trace: bytes, form: _Form) -> Iterator[Raw]:
    of_resource, of_scope, parts = form.names
    for of_one in said.get(of_resource, ()):
        resource = _json_attributes(of_one.get("resource", {}))
        for each in of_one.get(of_scope, ()):
            scope = str(each.get("scope", {}).get("name", ""))
            for part in each.get(parts, ()):
                if str(part.get("traceId", "")).lower() == trace.hex():
                    yield form.of_json(part, scope, resource)


def _json_span(span: Mapping[str, Any], scope: str, resource: dict[str, Any]) -> Raw:
    exceptions = [_json_attributes(event).get("exception.type", "") for event in span.get("events", ())]
    code = span.get("status", {}).get("code", 0)
    return Raw(
        span_id=str(span.get("spanId", "")).lower(),
        parent=str(span.get("parentSpanId", "")).lower(),
        name=str(span.get("name", ""))[:_LONGEST],
        start_ns=int(span.get("startTimeUnixNano", 0)),
        end_ns=int(span.get("endTimeUnixNano", 0)),
        span_kind=_kind(span.get("kind")),
        status={"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}.get(code, code if isinstance(code, int) else 0),
        scope=scope,
        attributes=_json_attributes(span),
        resource=resource,
        exception=next(filter(None, map(str, exceptions)), ""),
    )


def _json_record(record: Mapping[str, Any], scope: str, resource: dict[str, Any]) -> Raw:
    name, span_id = str(record.get("eventName", ""))[:_LONGEST], str(record.get("spanId", "")).lower()
    at_ns = int(record.get("timeUnixNano", 0)) or int(record.get("observedTimeUnixNano", 0))
    return _as_record(name, span_id, at_ns, scope, _json_attributes(record), resource)


def _json_attributes(said: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in said.get("attributes", ()):
        for kind, value in pair.get("value", {}).items():
            if kind == "stringValue":
                found[pair["key"]] = str(value)[: _LONGEST_OBJECT if str(value).startswith("{") else _LONGEST]
            elif kind in ("boolValue", "doubleValue"):
                found[pair["key"]] = value
            elif kind == "intValue":
                found[pair["key"]] = int(value)
    return found


class _Form(NamedTuple):
    """How spans, or log records, lie in a message."""

    trace: int
    """Number of the field that holds the trace id."""
    of_bytes: Callable[[bytes, str, dict[str, Any]], Raw]
    names: tuple[str, str, str]
    """In JSON: what lies by resource, by scope, and the parts themselves."""
    of_json: Callable[[Mapping[str, Any], str, dict[str, Any]], Raw]


_SPANS: Final = _Form(1, _span, ("resourceSpans", "scopeSpans", "spans"), _json_span)
_RECORDS: Final = _Form(9, _record, ("resourceLogs", "scopeLogs", "logRecords"), _json_record)
