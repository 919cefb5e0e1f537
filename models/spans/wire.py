# ruff: noqa: PLR0911, PLR1714, PLR2004 - compiled kernels: bytes are compared with numbers of the wire format, one after the other
"""The protobuf wire format: the few readers that every kernel of the decoder is made of.

All of them take a pointer to bytes, a position and the end of the message they are in, and never look at a byte at or
beyond that end (but `load64` loads up to `SLACK` bytes behind it and masks them away). `s` is the kernels' workspace,
int64 words, of which the first WORKSPACE are used here. They give the next position, or a negative code of `ERRORS`.
What is accepted is what the protobuf library accepts: unknown fields are skipped whatever their wire type, a known
field of another wire type is unknown, tags and lengths take at most 5 bytes, varints at most 10.
Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.kernels import kernel

TRUNCATED, VARINT, TAG, WIRE, GROUP, DEPTH, LENGTH = -1, -2, -3, -4, -5, -6, -7

ERRORS = {
    TRUNCATED: "protobuf: a field goes on beyond the end of its message",
    VARINT: "protobuf: a varint of more than 10 bytes",
    TAG: "protobuf: not a field tag (field number 0, or more than 32 bits)",
    WIRE: "protobuf: wire type 6 or 7",
    GROUP: "protobuf: a group without its start or end",
    DEPTH: "protobuf: nested deeper than 100",
    LENGTH: "protobuf: a length of more than 31 bits",
}

STACK, GROUPS, WORKSPACE = 0, 208, 320
"""Positions in the workspace: (end, kind) of the messages around the one that is checked; open groups."""

MAX_DEPTH = 100
"""Messages and groups inside each other, the outermost message not counted: the protobuf library's own limit."""

ANY, ARRAY, MAP, KEY_VALUE, SCOPE, ENTITY = 0, 1, 2, 3, 4, 5
"""Messages whose content is checked but not read here; the fields of each that hold a message are in `_CHILD`."""

_FIELDS = 8
_CHILD = np.full((6, _FIELDS), -1, np.int64)
_CHILD[ANY, 5], _CHILD[ANY, 6] = ARRAY, MAP
_CHILD[ARRAY, 1] = ANY
_CHILD[MAP, 1] = KEY_VALUE
_CHILD[KEY_VALUE, 2] = ANY
_CHILD[SCOPE, 3] = KEY_VALUE


@kernel
def read_varint(buffer: Any, at: Any, end: Any) -> Any:
    """Read a varint: (value as uint64, next position). Bits beyond the 64th are dropped, as the library does."""
    if at >= end:
        return np.uint64(0), TRUNCATED
    byte = buffer[at]
    if byte < 128:
        return np.uint64(byte), at + 1
    value = np.uint64(byte & 127)
    for i in range(1, 10):
        if at + i >= end:
            return np.uint64(0), TRUNCATED
        byte = buffer[at + i]
        value |= np.uint64(byte & 127) << np.uint64(7 * i)
        if byte < 128:
            return value, at + i + 1
    return np.uint64(0), VARINT


@kernel
def read_short(buffer: Any, at: Any, end: Any, limit: Any, error: Any) -> Any:
    """Read a varint of at most 5 bytes and at most `limit`: (value as int64, next position)."""
    value = np.int64(0)
    for i in range(5):
        if at + i >= end:
            return np.int64(0), TRUNCATED
        byte = np.int64(buffer[at + i])
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return (value, at + i + 1) if value <= limit else (np.int64(0), error)
    return np.int64(0), error


@kernel
def read_tag(buffer: Any, at: Any, end: Any) -> Any:
    """Read a tag: (field number * 8 + wire type, next position). The caller knows that at < end."""
    byte = np.int64(buffer[at])
    if byte < 128:
        return (byte, at + 1) if byte >= 8 else (np.int64(0), TAG)
    tag, at = read_short(buffer, at, end, 0xFFFFFFFF, TAG)
    if at >= 0 and tag < 8:
        return np.int64(0), TAG
    return tag, at


@kernel
def read_length(buffer: Any, at: Any, end: Any) -> Any:
    """Read the length of a field: (end of its content, start of its content)."""
    if at < end and buffer[at] < 128:
        length, at = np.int64(buffer[at]), at + 1
    else:
        length, at = read_short(buffer, at, end, 0x7FFFFFFF, LENGTH)
        if at < 0:
            return np.int64(0), at
    return (at + length, at) if at + length <= end else (np.int64(0), TRUNCATED)


@kernel
def skip(buffer: Any, at: Any, end: Any, tag: Any, depth: Any, s: Any) -> Any:
    """Step over the content of the field of this tag, in a message at this depth."""
    if tag & 7 == 3:
        return _skip_group(buffer, at, end, tag >> 3, depth + 1, s)
    return _skip_plain(buffer, at, end, tag & 7)


@kernel
def _skip_plain(buffer: Any, at: Any, end: Any, wire: Any) -> Any:
    """Step over the content of a field that is no group."""
    if wire == 2:
        stop, at = read_length(buffer, at, end)
        return stop if at >= 0 else at
    if wire == 0:
        _, at = read_varint(buffer, at, end)
        return at
    if wire == 1 or wire == 5:
        at += 8 if wire == 1 else 4
        return at if at <= end else TRUNCATED
    return GROUP if wire == 4 else WIRE


@kernel
def _skip_group(buffer: Any, at: Any, end: Any, field: Any, depth: Any, s: Any) -> Any:
    """Step over a group (no version of OTLP has any) to behind its end tag, groups inside it included."""
    if depth > MAX_DEPTH:
        return DEPTH
    inside = 1
    s[GROUPS] = field
    while inside > 0:
        if at >= end:
            return GROUP
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return at
        if tag & 7 == 4:
            inside -= 1
            if s[GROUPS + inside] != tag >> 3:
                return GROUP
        elif tag & 7 == 3:
            if depth + inside > MAX_DEPTH:
                return DEPTH
            s[GROUPS + inside] = tag >> 3
            inside += 1
        else:
            at = _skip_plain(buffer, at, end, tag & 7)
            if at < 0:
                return at
    return at


@kernel
def check(buffer: Any, at: Any, end: Any, kind: Any, depth: Any, s: Any) -> Any:
    """Check a whole message of `kind`, and all in it: gives `end`, or an error.

    `depth` is its own.
    """
    outermost = depth
    while True:
        if at == end:
            if depth == outermost:
                return at
            depth -= 1
            end, kind = s[STACK + 2 * depth], s[STACK + 2 * depth + 1]
            continue
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return at
        child = _CHILD[kind, tag >> 3] if tag & 7 == 2 and tag >> 3 < _FIELDS else np.int64(-1)
        if child < 0:
            at = skip(buffer, at, end, tag, depth, s)
            if at < 0:
                return at
            continue
        stop, at = read_length(buffer, at, end)
        if at < 0:
            return at
        if depth >= MAX_DEPTH:
            return DEPTH
        s[STACK + 2 * depth], s[STACK + 2 * depth + 1] = end, kind
        depth += 1
        end, kind = stop, child
