# ruff: noqa: C901, FBT003, PLR0911, PLR0912, PLR0917, PLR1714, PLR2004 - compiled kernels: bytes are compared with numbers of the wire format, one after the other
"""Attributes on the wire: KeyValue and AnyValue, and what their values mean as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from models.digest import digest64, load64, mix64
from models.kernels import kernel
from models.spans.pointers import inlined
from models.spans.wire import ARRAY, DEPTH, MAP, MAX_DEPTH, check, read_length, read_tag, read_varint, skip
from models.spans.wire_json import OPEN_BRACKET

NOTHING, STRING, BOOL, INT, DOUBLE, LIST, DICT, BYTES, INDEX = 0, 1, 2, 3, 4, 5, 6, 7, 8
"""Field numbers of AnyValue. INDEX points into a string table that only the profiles signal has: unusable here."""
CHOICE = 9
"""Ours: a value that was found in an enumeration."""

_TOO_LARGE = 9_000_000_000_000_000_000
_FULL = _TOO_LARGE // 10
_MAX_SHIFT = 19


@inlined
def _as_double(typingctx: Any, bits: Any) -> Any:
    """Read the bits of an int64 as a double."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@kernel
def read_value(buffer: Any, at: Any, end: Any, depth: Any, s: Any, kind: Any, a: Any, b: Any) -> Any:
    """Read an AnyValue: (kind, a, b, next position); `kind, a, b` is what an earlier part of the same value said.

    STRING, BYTES, LIST, DICT: a is the position, b the length (of the last one, where a list comes in several parts).
    INT, BOOL: a is the value. DOUBLE: a is its bits.
    """
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return kind, a, b, at
        field, wire = tag >> 3, tag & 7
        if wire == 2 and (field == 1 or (5 <= field <= 7)):
            stop, at = read_length(buffer, at, end)
            if at < 0:
                return kind, a, b, at
            kind, a, b = field, at, stop - at
            if field == 5 or field == 6:
                if depth >= MAX_DEPTH:
                    return kind, a, b, DEPTH
                at = check(buffer, at, stop, ARRAY if field == 5 else MAP, depth + 1, s)
                if at < 0:
                    return kind, a, b, at
            at = stop
        elif wire == 0 and (field == 2 or field == 3 or field == 8):
            value, at = read_varint(buffer, at, end)
            if at < 0:
                return kind, a, b, at
            kind, a, b = field, np.int64(value), np.int64(0)
            if field == 2:
                a = np.int64(a != 0)
        elif wire == 1 and field == 4:
            if at + 8 > end:
                return kind, a, b, np.int64(-1)
            kind, a, b = field, np.int64(load64(buffer, at)), np.int64(0)
            at += 8
        else:
            at = skip(buffer, at, end, tag, depth, s)
            if at < 0:
                return kind, a, b, at
    return kind, a, b, at


@kernel
def _short_text(buffer: Any, at: Any, end: Any) -> Any:
    """Find the text of a KeyValue that is a key and a text, in that order, of less than 128 bytes each; 0 if it is not.

    Most attributes are; to see it at once is faster than reading field by field.
    """
    if end - at < 6 or buffer[at] != 0x0A or buffer[at + 1] >= 128:
        return np.int64(0)
    value = at + 2 + np.int64(buffer[at + 1])
    if value + 4 > end or buffer[value] != 0x12 or buffer[value + 1] >= 128 or buffer[value + 2] != 0x0A:
        return np.int64(0)
    inside = buffer[value + 3] < 128 and value + 4 + np.int64(buffer[value + 3]) == end
    return value + 4 if inside and value + 2 + np.int64(buffer[value + 1]) == end else np.int64(0)


@kernel
def read_pair(buffer: Any, at: Any, end: Any, depth: Any, s: Any) -> Any:
    """Read a KeyValue: (position of the key, its length, kind, a, b of the value, next position)."""
    text = _short_text(buffer, at, end)
    if text > 0:
        return at + 2, np.int64(buffer[at + 1]), np.int64(STRING), text, end - text, end
    key, length = np.int64(0), np.int64(0)
    kind, a, b = np.int64(NOTHING), np.int64(0), np.int64(0)
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return key, length, kind, a, b, at
        if tag == 0x0A or tag == 0x12:
            stop, at = read_length(buffer, at, end)
            if at < 0:
                return key, length, kind, a, b, at
            if tag == 0x0A:
                key, length, at = at, stop - at, stop
            elif depth >= MAX_DEPTH:
                return key, length, kind, a, b, np.int64(DEPTH)
            else:
                kind, a, b, at = read_value(buffer, at, stop, depth + 1, s, kind, a, b)
        else:
            at = skip(buffer, at, end, tag, depth, s)
        if at < 0:
            return key, length, kind, a, b, at
    return key, length, kind, a, b, at


@kernel
def value_is_empty(kind: Any, b: Any) -> Any:
    """Tell whether a value says nothing: not set, or an empty string, list or map."""
    return kind == NOTHING or (b == 0 and (kind == STRING or LIST <= kind <= BYTES))


@kernel
def first_of(buffer: Any, at: Any, length: Any, s: Any) -> Any:
    """Give (kind, a, b) of the first element of a list that was checked as a whole; NOTHING where it has none.

    A list in a text of JSON is not read.
    """
    end = at + length
    while at < end and buffer[at] != OPEN_BRACKET:
        tag, at = read_tag(buffer, at, end)
        if tag == 0x0A:
            stop, at = read_length(buffer, at, end)
            kind, a, b, at = read_value(buffer, at, stop, 0, s, np.int64(NOTHING), np.int64(0), np.int64(0))
            return (kind, a, b) if at >= 0 else (np.int64(NOTHING), np.int64(0), np.int64(0))
        at = skip(buffer, at, end, tag, 0, s)
        if at < 0:
            break
    return np.int64(NOTHING), np.int64(0), np.int64(0)


@kernel
def digest_value(buffer: Any, kind: Any, a: Any, b: Any) -> Any:
    """Digest the content of a value: strings and bytes by their bytes, lists and maps by their bytes on the wire."""
    if kind == STRING or LIST <= kind <= BYTES:
        return digest64(buffer, a, b)
    digest = np.int64(mix64(np.uint64(a) ^ mix64(np.uint64(kind))))
    return digest if digest != 0 else np.int64(1)


@kernel
def to_integer(buffer: Any, kind: Any, a: Any, b: Any, scale: Any, signed: Any) -> Any:
    """Read a value as a number times 10**scale, rounded half away from zero: (value, whether it is a number).

    Not finite, negative where that makes no sense, too large for 63 bits, or a text that is no number: not a number.
    """
    if kind == INT:
        value, fine = _shift(a if a >= 0 else -a, scale, a < 0)
        fine = fine and a != np.iinfo(np.int64).min
    elif kind == DOUBLE:
        value, fine = _from_double(_as_double(a), scale)
    elif kind == STRING:
        value, fine = _from_text(buffer, a, b, scale)
    elif kind == BOOL and signed:
        value, fine = _shift(a, scale, False)
    else:
        return np.int64(0), False
    return (value, True) if fine and (signed or value >= 0) else (np.int64(0), False)


@kernel
def _from_double(number: Any, scale: Any) -> Any:
    """Scale and round a double."""
    size = abs(number) * 10.0**scale
    if not size < 9e18:  # also where it is not a number
        return np.int64(0), False
    whole = np.int64(np.floor(size + 0.5))
    return (whole if number >= 0 else -whole), True


@kernel
def _shift(digits: Any, exponent: Any, negative: Any) -> Any:
    """Give digits * 10**exponent with its sign, rounded half away from zero, and whether it fits."""
    value = np.int64(digits)
    while exponent > 0 and value != 0:
        if value > _TOO_LARGE // 10:
            return np.int64(0), False
        value *= 10
        exponent -= 1
    if exponent < -_MAX_SHIFT:
        value = np.int64(0)
    elif exponent < 0:
        power = np.int64(1)
        for _ in range(-exponent - 1):
            power *= 10
        tenths = value // power  # one digit more than asked for decides the rounding
        value = (tenths + 5) // 10
    return (-value if negative else value), value <= _TOO_LARGE


@kernel
def _from_text(buffer: Any, at: Any, length: Any, scale: Any) -> Any:
    """Read a decimal text, spaces around it allowed; exact: `left_out` is the first digit without room."""
    end = at + length
    while at < end and buffer[at] == 32:
        at += 1
    while at < end and buffer[end - 1] == 32:
        end -= 1
    negative = at < end and buffer[at] == 45
    if at < end and (buffer[at] == 45 or buffer[at] == 43):
        at += 1
    digits, seen, left_out, exponent, point = np.int64(0), 0, np.int64(-1), np.int64(scale), False
    while at < end and (48 <= buffer[at] <= 57 or (buffer[at] == 46 and not point)):
        if buffer[at] == 46:
            point = True
        else:
            seen += 1
            digit = np.int64(buffer[at]) - 48
            if digits <= _FULL and left_out < 0:
                digits = digits * 10 + digit
                exponent -= point
            else:
                left_out = digit if left_out < 0 else left_out
                exponent += not point
        at += 1
    shift, fine = _exponent(buffer, at, end)
    if seen == 0 or not fine:
        return np.int64(0), False
    if exponent + shift == 0 and left_out >= 5:
        digits += 1  # with any other exponent, the digits that are there decide the rounding
    return _shift(digits, exponent + shift, negative)


@kernel
def _exponent(buffer: Any, at: Any, end: Any) -> Any:
    """Read what follows the digits: nothing, or e and a whole number; sizes beyond 9999 are all the same."""
    if at == end:
        return np.int64(0), True
    if buffer[at] != 101 and buffer[at] != 69:
        return np.int64(0), False
    at += 1
    negative = at < end and buffer[at] == 45
    if at < end and (buffer[at] == 45 or buffer[at] == 43):
        at += 1
    value, start = np.int64(0), at
    while at < end and 48 <= buffer[at] <= 57:
        value = min(np.int64(9999), value * 10 + (np.int64(buffer[at]) - 48))
        at += 1
    return (-value if negative else value), at == end and at > start
