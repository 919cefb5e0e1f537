"""A cheap look at what was sent, before it is acknowledged: can it be OTLP, and which spans can nobody use?

The decoder finds the same again and leaves dead letters; but by then the sender has gone. Here it still listens, and
OTLP has a word for it: partial success. Looked at are the envelopes, and of each span the trace id alone.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any, Final

import orjson

from flows.protobuf import BYTES, FIXED64, fields, records
from flows.receiving.bodies import BodyType, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ID_BYTES, _HEX_DIGITS, _BASE64_DIGITS = 16, 32, 24
_NO_ID: Final = bytes(_ID_BYTES)
_TRACE_ID: Final = 1 << 3 | BYTES
_TIME, _OBSERVED_TIME = 1 << 3 | FIXED64, 11 << 3 | FIXED64
"""Fields that a LogRecord has where a Span has none."""


def parsed(body: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises UnreadableError."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        msg = f"the body is not JSON: {error}"
        raise UnreadableError(msg) from error
    if not isinstance(value, dict):
        raise UnreadableError("the body is not a JSON object")
    return value


def unusable_spans(message: bytes, kind: BodyType) -> int:
    """Count the spans that have no trace id that could be read. Raises UnreadableError, NotProtobufError.

    Raises where the decoder would refuse the message as a whole, as far as the envelopes tell.
    """
    if kind is BodyType.PROTOBUF:
        count = 0
        for start, stop in records(message):
            # nearly every span begins with its trace id, and nearly every trace id with another byte than zero
            begins = stop >= start + 18 and message[start] == _TRACE_ID and message[start + 1] == _ID_BYTES
            if not begins or not message[start + 2]:
                count += _is_unusable(message, start, stop)
        return count
    return sum(not _is_text_of_id(span.get("traceId")) for span in _spans(parsed(message)))


def check_records(message: bytes, kind: BodyType) -> None:
    """Refuse what can be no OTLP message. Raises UnreadableError, NotProtobufError."""
    if kind is BodyType.JSON:
        parsed(message)
        return
    for _ in records(message):
        pass


def _is_unusable(message: bytes, start: int, stop: int) -> bool:
    """Look at all fields of a span."""
    trace_id = b""
    for tag, _, content, end in fields(message, start, stop):
        if tag == _TRACE_ID:
            trace_id = message[content:end]
        elif tag in (_TIME, _OBSERVED_TIME):  # a log record, which needs no trace; it will be taken as one
            return False
    return not _is_id(trace_id)


def _is_id(trace_id: bytes) -> bool:
    """Tell whether the decoder reads a trace id from the field: 16 bytes, or text of them, not all zero."""
    if len(trace_id) in (_HEX_DIGITS, _BASE64_DIGITS):
        trace_id = _from_text(trace_id)
    return len(trace_id) == _ID_BYTES and trace_id != _NO_ID


def _is_text_of_id(trace_id: Any) -> bool:
    """Tell the same of JSON, where an id is always text; base64 may be in either alphabet, padded or not."""
    if not isinstance(trace_id, str) or not trace_id.isascii():
        return False
    text = trace_id.replace("-", "+").replace("_", "/")
    return _from_text((text + "==" if len(text) == _BASE64_DIGITS - 2 else text).encode()) not in (b"", _NO_ID)


def _from_text(text: bytes) -> bytes:
    """Read 16 bytes from 32 hex or 24 base64 digits; none where they are no such digits."""
    try:
        if len(text) == _HEX_DIGITS:
            return binascii.unhexlify(text)
        if len(text) == _BASE64_DIGITS and text.endswith(b"=="):
            return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        pass
    return b""


def _spans(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the spans of a JSON request; absent and null are empty lists. Raises UnreadableError."""
    for resource in _listed(request, "resourceSpans"):
        for scope in _listed(resource, "scopeSpans"):
            yield from _listed(scope, "spans")


def _listed(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = value.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        msg = f"the body holds no list of objects {name!r} where one belongs"
        raise UnreadableError(msg)
    return found
