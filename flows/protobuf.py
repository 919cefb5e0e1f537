"""The protobuf wire format, as far as the envelopes of OTLP need it: fields, and the spans or log records of a request.

What lies inside a span is the decoder's business; here it is only stepped over.
Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types: the low three bits of a tag; the field's number is what is above them."""
_FIXED: Final = {FIXED64: 8, FIXED32: 4}
_MORE = 0x80  # the wire format's "more follows" bit
_VARINT_BYTES: Final = 10
_RESOURCE, _SCOPE, _RECORD = 0x0A, 0x12, 0x12
"""Tags of the lists, one in the other, alike in TracesData and LogsData: fields 1, 2 and 2, all of them messages."""


class NotProtobufError(ValueError):
    """The bytes are no protobuf message; says what is wrong at which byte."""


def fields(message: bytes, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, int, int, int]]:
    """Give the fields of the message at [start, stop): tag, start, start of the content, stop.

    Raises NotProtobufError where a field is none, once it is reached. Groups, which OTLP has none of, are refused.
    """
    end = len(message) if stop is None else stop
    position = start
    while position < end:
        begin = position
        tag, content = message[position], position + 1
        if tag >= _MORE:
            tag, content = _read_varint(message, position)
        wire = tag & 7
        if wire == BYTES:
            length, content = _read_varint(message, content)
            position = content + length
        elif wire == VARINT:
            _, position = _read_varint(message, content)
        elif wire in _FIXED:
            position = content + _FIXED[wire]
        else:
            msg = f"the body is not protobuf: wire type {wire} at byte {begin}"
            raise NotProtobufError(msg)
        if tag < 1 << 3 or position > end:
            msg = f"the body is not protobuf: the field at byte {begin} leaves it"
            raise NotProtobufError(msg)
        yield tag, begin, content, position


def records(message: bytes) -> Iterator[tuple[int, int]]:
    """Give where the spans or log records of a TracesData or LogsData lie: [start, stop). Raises NotProtobufError."""
    for tag, _, resource, resource_stop in fields(message):
        if tag != _RESOURCE:
            continue
        for tag_in, _, scope, scope_stop in fields(message, resource, resource_stop):
            if tag_in != _SCOPE:
                continue
            yield from _records_of_scope(message, scope, scope_stop)


def _records_of_scope(message: bytes, position: int, end: int) -> Iterator[tuple[int, int]]:
    """Do as `fields` does, for records alone; with the length read here it takes half the time, and there are many."""
    while position < end:
        if message[position] == _RECORD and position + 2 < end:
            length, second = message[position + 1], message[position + 2]
            if length < _MORE:
                start = position + 2
            elif second < _MORE:
                length, start = length & 0x7F | second << 7, position + 3
            else:
                length, start = _read_varint(message, position + 1)
            position = start + length
            if position > end:
                msg = f"the body is not protobuf: the field at byte {start} leaves it"
                raise NotProtobufError(msg)
            yield start, position
        else:
            tag, _, start, position = next(fields(message, position, end))
            if tag == _RECORD:
                yield start, position


def varint(number: int) -> bytes:
    """Write a number as protobuf does."""
    out = bytearray()
    while number >= _MORE:
        out.append(number & 0x7F | _MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    """Read a number: it, and the position behind it, which may be beyond the message that it should be in."""
    if position + 1 < len(message):  # one byte, or two as spans' lengths have: nearly all there are, and quickly
        first, second = message[position], message[position + 1]
        if first < _MORE:
            return first, position + 1
        if second < _MORE:
            return first & 0x7F | second << 7, position + 2
    value = 0
    for index, byte in enumerate(message[position : position + _VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < _MORE:
            return value, position + index + 1
    msg = f"the body is not protobuf: no number at byte {position}"
    raise NotProtobufError(msg)
