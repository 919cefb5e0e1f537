# ruff: noqa: C901, PLR0911, PLR0912, PLR0913, PLR0917, PLR2004 - compiled kernels: one branch per case, state in arguments
"""JSON values of fields to their protobuf form, and the skipping of values nobody asked for; compiled.

Positions: `p` reads the message, `o` writes the wire bytes; a negative `p` is an error code. All rely on the last byte
of the message, at `stop - 1`, being the closing brace of its root: then every token but a string and a brace ends
before `stop` by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import digest64, load64
from models.kernels import kernel
from models.spans.json_bits import move, store64
from models.spans.json_errors import DEEP, OUT_OF_RANGE, TRUNCATED, UNEXPECTED, WRONG_TYPE
from models.spans.json_numbers import double_bits, read_number, whole
from models.spans.json_schema import Kind
from models.spans.json_text import QUOTE, copy_string, decode_base64, decode_id

MAX_DEPTH = 100
OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, COMMA, COLON = 0x7B, 0x7D, 0x5B, 0x2C, 0x3A
_STRING, _TRACE_ID, _SPAN_ID, _BYTES = int(Kind.STRING), int(Kind.TRACE_ID), int(Kind.SPAN_ID), int(Kind.BYTES)
_BOOL, _INT64, _UINT32, _ENUM = int(Kind.BOOL), int(Kind.INT64), int(Kind.UINT32), int(Kind.ENUM)
_FIXED64, _FIXED32, _DOUBLE = int(Kind.FIXED64), int(Kind.FIXED32), int(Kind.DOUBLE)
_VARINT, _WIDE, _COUNTED, _NARROW = 0, 1, 2, 5  # wire types

_BYTES_4, _BYTES_5 = np.uint64(2**32 - 1), np.uint64(2**40 - 1)
_TRUE, _NULL = np.uint64(int.from_bytes(b"true", "little")), np.uint64(int.from_bytes(b"null", "little"))
_FALSE = np.uint64(int.from_bytes(b"false", "little"))
_NAN_TEXT = np.uint64(int.from_bytes(b'NaN"', "little"))
_INFINITY_TEXT, _MINUS_INFINITY_TEXT = (np.uint64(int.from_bytes(t, "little")) for t in (b"Infinity", b"-Infinit"))
_NAN, _INFINITY, _MINUS = np.uint64(0x7FF8 << 48), np.uint64(0x7FF0 << 48), np.uint64(1 << 63)
_ZERO = np.uint64(0)
_INT32_LIMIT, _UINT32_LIMIT, _INT64_LIMIT = np.uint64(2**31), np.uint64(2**32), np.uint64(2**63)


@kernel
def after_space(buffer: Any, p: Any) -> Any:
    """Give the position of the first byte at or behind `p` that is not JSON whitespace."""
    while buffer[p] <= 0x20 and (buffer[p] == 0x20 or buffer[p] == 0x0A or buffer[p] == 0x0D or buffer[p] == 0x09):
        p += 1
    return p


@kernel
def is_null(buffer: Any, p: Any) -> Any:
    """Say whether the literal `null` stands at `p`."""
    return load64(buffer, p) & _BYTES_4 == _NULL


@kernel
def write_varint(out: Any, o: Any, value: Any) -> Any:
    """Write a uint64 as a minimal varint; returns the end."""
    while value >= np.uint64(0x80):
        out[o] = np.uint8((value & np.uint64(0x7F)) | np.uint64(0x80))
        value >>= np.uint64(7)
        o += 1
    out[o] = np.uint8(value)
    return o + 1


@kernel
def write_tag(out: Any, o: Any, number: Any, wire: Any) -> Any:
    """Write the tag of a field; returns the end."""
    return write_varint(out, o, np.uint64(number << 3 | wire))


@kernel
def close_counted(out: Any, place: Any, o: Any) -> Any:
    """Write the length of what lies in `out[place + 1 : o]` at `place`, moving it if one byte is not enough.

    Lengths stay minimal, which keeps the output no longer than the input and the decoder on its fast path; a move
    costs a small part of what reading the moved text as JSON did.
    """
    length = o - place - 1
    if length < 0x80:
        out[place] = np.uint8(length)
        return o
    more, rest = 1, length >> 14
    while rest:
        more += 1
        rest >>= 7
    move(out, place + 1 + more, place + 1, length)
    write_varint(out, place, np.uint64(length))
    return o + more


@kernel
def transcode_value(
    buffer: Any, p: Any, stop: Any, out: Any, o: Any, kind: Any, number: Any, child: Any, enums: Any
) -> Any:
    """Write one field that is no message from the JSON value at `p`, which is not null: (position behind it, end)."""
    quoted = buffer[p] == QUOTE
    if kind <= _BYTES:
        if not quoted:
            return np.int64(-WRONG_TYPE), o
        place = write_tag(out, o, number, _COUNTED)
        p, end = copy_string(buffer, p + 1, stop, out, place + 1)
        if p < 0:
            return p, o
        if kind == _TRACE_ID:
            end = decode_id(out, place + 1, end, 16)
        elif kind == _SPAN_ID:
            end = decode_id(out, place + 1, end, 8)
        elif kind == _BYTES:
            end = decode_base64(out, place + 1, end)
            if end < 0:
                return np.int64(end), o
        return p, close_counted(out, place, end)
    if kind == _BOOL:
        word = load64(buffer, p)
        true = word & _BYTES_4 == _TRUE
        if not true and word & _BYTES_5 != _FALSE:
            return np.int64(-WRONG_TYPE), o
        o = write_tag(out, o, number, _VARINT)
        out[o] = 1 if true else 0
        return (p + 4 if true else p + 5), o + 1
    if not quoted:
        return _transcode_number(buffer, p, out, o, kind, number)
    return _transcode_quoted(buffer, p + 1, stop, out, o, kind, number, child, enums)


@kernel
def _transcode_quoted(
    buffer: Any, p: Any, stop: Any, out: Any, o: Any, kind: Any, number: Any, child: Any, enums: Any
) -> Any:
    """Write a number that stands in quotes: the string's content is put behind `o`, read, and written over."""
    text = o + 16  # a tag and a varint are at most 12 bytes
    p, end = copy_string(buffer, p, stop, out, text)
    if p < 0:
        return p, o
    out[end] = QUOTE
    if kind == _DOUBLE:
        bits = _named_double(out, text, end)
        if bits != _ZERO:
            o = write_tag(out, o, number, _WIDE)
            store64(out, o, bits)
            return p, o + 8
    if kind == _ENUM and not (out[text] == 0x2D or 0x30 <= out[text] <= 0x39):
        digest = digest64(out, text, end - text)
        for i in range(enums.shape[0]):
            if enums[i, 0] == child and enums[i, 1] == digest:
                o = write_tag(out, o, number, _VARINT)
                return p, write_varint(out, o, np.uint64(enums[i, 2]))
        return p, o  # a name of a newer version of the protocol: as if absent
    behind, o = _transcode_number(out, text, out, o, kind, number)
    if behind >= 0 and behind != end:
        return np.int64(-WRONG_TYPE), o
    return (p, o) if behind >= 0 else (behind, o)


@kernel
def _named_double(out: Any, text: Any, end: Any) -> Any:
    """Give the bits of NaN, Infinity or -Infinity, 0 if the text is none of them."""
    word, size = load64(out, text), end - text
    if size == 3 and word & _BYTES_4 == _NAN_TEXT:
        return _NAN
    if size == 8 and word == _INFINITY_TEXT:
        return _INFINITY
    if size == 9 and word == _MINUS_INFINITY_TEXT and out[text + 8] == 0x79:
        return _INFINITY | _MINUS
    return _ZERO


@kernel
def _transcode_number(buffer: Any, p: Any, out: Any, o: Any, kind: Any, number: Any) -> Any:
    """Write a numeric field from the number at `p`; the number is read whole before a byte is written."""
    if buffer[p] != 0x2D and not (0x30 <= buffer[p] <= 0x39):
        return np.int64(-WRONG_TYPE), o
    p, negative, digits, exponent, dropped = read_number(buffer, p)
    if p < 0:
        return p, o
    if kind == _DOUBLE:
        bits = double_bits(negative, digits, exponent)
        if bits & ~_MINUS == _INFINITY:
            return np.int64(-OUT_OF_RANGE), o
        o = write_tag(out, o, number, _WIDE)
        store64(out, o, bits)
        return p, o + 8
    code, value = whole(digits, exponent, dropped)
    if code == 0 and not _fits(kind, negative, value):
        code = OUT_OF_RANGE
    if code != 0:
        return np.int64(-code), o
    if kind == _FIXED64:
        o = write_tag(out, o, number, _WIDE)
        store64(out, o, value)
        return p, o + 8
    if kind == _FIXED32:
        o = write_tag(out, o, number, _NARROW)
        store64(out, o, value)
        return p, o + 4
    o = write_tag(out, o, number, _VARINT)
    return p, write_varint(out, o, _ZERO - value if negative else value)


@kernel
def _fits(kind: Any, negative: Any, value: Any) -> Any:
    """Say whether a sign and magnitude are in the range of a field."""
    if kind in (_INT64, _ENUM):
        limit = _INT64_LIMIT if kind == _INT64 else _INT32_LIMIT
        return value <= limit if negative else value < limit
    if negative and value != _ZERO:
        return False
    return kind == _FIXED64 or value < _UINT32_LIMIT


@kernel
def skip_value(buffer: Any, p: Any, stop: Any, out: Any, o: Any, depth: Any, inside: Any) -> Any:
    """Give the position behind the JSON value at `p`, of any type and depth, or a negative code; checks it all.

    Strings are copied behind `o`, where nothing is kept. `inside` is a uint8 stack of the brackets that are open.
    """
    floor = depth
    while True:
        c = buffer[p]
        if c == QUOTE:
            p, _ = copy_string(buffer, p + 1, stop, out, o)
        elif c in (OPEN_BRACE, OPEN_BRACKET):
            if depth >= MAX_DEPTH:
                return np.int64(-DEEP)
            inside[depth] = c
            depth += 1
            p = after_space(buffer, p + 1)
            if buffer[p] != c + 2:  # } and ] stand two behind { and [
                if c == OPEN_BRACE:
                    p = _skip_key(buffer, p, stop, out, o)
                    if p < 0:
                        return p
                continue
        else:
            p = _skip_plain(buffer, p)
        if p < 0:
            return p
        while True:
            if depth == floor:
                return p
            p = after_space(buffer, p)
            c = buffer[p]
            if c == COMMA:
                p = after_space(buffer, p + 1)
                if inside[depth - 1] == OPEN_BRACE:
                    p = _skip_key(buffer, p, stop, out, o)
                    if p < 0:
                        return p
                break
            if c != inside[depth - 1] + 2:
                return np.int64(-UNEXPECTED)
            p += 1
            depth -= 1
            if p >= stop:
                return np.int64(-TRUNCATED)


@kernel
def _skip_key(buffer: Any, p: Any, stop: Any, out: Any, o: Any) -> Any:
    """Give the position of the value whose key is at `p`, or a negative code."""
    if buffer[p] != QUOTE:
        return np.int64(-UNEXPECTED)
    p, _ = copy_string(buffer, p + 1, stop, out, o)
    if p < 0:
        return p
    p = after_space(buffer, p)
    if buffer[p] != COLON:
        return np.int64(-UNEXPECTED)
    return after_space(buffer, p + 1)


@kernel
def _skip_plain(buffer: Any, p: Any) -> Any:
    """Give the position behind the literal or number at `p`, or a negative code."""
    word = load64(buffer, p)
    if word & _BYTES_4 == _TRUE or word & _BYTES_4 == _NULL:
        return p + 4
    if word & _BYTES_5 == _FALSE:
        return p + 5
    if buffer[p] != 0x2D and not (0x30 <= buffer[p] <= 0x39):
        return np.int64(-UNEXPECTED)
    return read_number(buffer, p)[0]
