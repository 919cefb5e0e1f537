# ruff: noqa: C901, PLR0911, PLR0912, PLR0913, PLR0915, PLR0917, PLR2004 - a compiled state machine: its states are its branches
"""The state machine that walks one OTLP/JSON message and writes protobuf wire bytes, compiled.

One frame per open protobuf message, on an explicit stack; keys are found by comparing whole 8-byte words.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import load64
from models.kernels import kernel
from models.spans.json_bits import trailing_zeros
from models.spans.json_errors import (
    BAD_STRING,
    BAD_UTF8,
    DEEP,
    DUPLICATE,
    EMPTY,
    NO_ROOT,
    NOT_OBJECT,
    TRAILING,
    TRUNCATED,
    UNEXPECTED,
    WRONG_TYPE,
)
from models.spans.json_schema import LONGEST_KEY, MULTIPLIERS, SLOTS, Kind, Message
from models.spans.json_text import QUOTE, copy_string, special_bytes, valid_utf8
from models.spans.json_values import (
    CLOSE_BRACE,
    COLON,
    COMMA,
    MAX_DEPTH,
    OPEN_BRACE,
    OPEN_BRACKET,
    after_space,
    close_counted,
    is_null,
    skip_value,
    transcode_value,
    write_tag,
)

_ROOT, _MESSAGE, _MESSAGES = int(Message.ROOT), int(Kind.MESSAGE), int(Kind.MESSAGES)
_M0, _M1, _M2, _M3 = (np.uint64(m) for m in MULTIPLIERS)
_COUNTED = 2
_ONE, _EIGHT, _BYTE = np.uint64(1), np.uint64(8), np.uint64(0xFF)
_SLOT_SHIFT, _OWNER_SHIFT = np.uint64(55), np.uint64(24)
_LAST_SLOT = SLOTS - 1
_CLOSE_BRACKET = 0x5D


@kernel
def _below(word: Any, size: Any) -> Any:
    """Keep the first `size` bytes (0 to 8) of a little-endian word."""
    return word & ((_ONE << (np.uint64(size) * _EIGHT)) - _ONE) if size < 8 else word


@kernel
def _find(keys: Any, w0: Any, w1: Any, w2: Any, length: Any, owner: Any) -> Any:
    """Give the description of a key of a message type (`json_schema.describe`), 0 if it is unknown."""
    owned = np.uint64(owner) << _EIGHT | np.uint64(length)
    slot = np.int64((w0 * _M0 ^ w1 * _M1 ^ w2 * _M2 ^ owned * _M3) >> _SLOT_SHIFT)
    while True:
        known = keys[slot, 3]
        if known == np.uint64(0):
            return np.int64(0)
        if keys[slot, 0] == w0 and known >> _OWNER_SHIFT == owned and keys[slot, 1] == w1 and keys[slot, 2] == w2:
            return np.int64(known)
        slot = (slot + 1) & _LAST_SLOT


@kernel
def _read_key(buffer: Any, p: Any, stop: Any, out: Any, o: Any, owner: Any, keys: Any) -> Any:
    """Read the key whose content starts at `p`: (position behind the closing quote or -code, its description or 0)."""
    start = p
    w0, w1, w2 = np.uint64(0), np.uint64(0), np.uint64(0)
    word = load64(buffer, p)
    special = special_bytes(word)
    if special == np.uint64(0) and p + 8 < stop:
        w0 = word
        p += 8
        word = load64(buffer, p)
        special = special_bytes(word)
        if special == np.uint64(0) and p + 8 < stop:
            w1 = word
            p += 8
            word = load64(buffer, p)
            special = special_bytes(word)
            if special == np.uint64(0) and p + 8 < stop:
                w2 = word
                p += 8
                special = special_bytes(load64(buffer, p))
                word = np.uint64(0)
    if special == np.uint64(0):
        return _read_other_key(buffer, start, stop, out, o, owner, keys)
    size = trailing_zeros(special) >> 3
    end = p + size
    if end >= stop:
        return np.int64(-BAD_STRING), np.int64(0)
    if buffer[end] != QUOTE or end - start > LONGEST_KEY:
        return _read_other_key(buffer, start, stop, out, o, owner, keys)
    word = _below(word, size)
    before = p - start
    if before == 0:
        w0 = word
    elif before == 8:
        w1 = word
    elif before == 16:
        w2 = word
    return end + 1, _find(keys, w0, w1, w2, end - start, owner)


@kernel
def _read_other_key(buffer: Any, p: Any, stop: Any, out: Any, o: Any, owner: Any, keys: Any) -> Any:
    """Read a key that is long or holds escapes, by way of its copy behind `o`."""
    p, end = copy_string(buffer, p, stop, out, o)
    length = end - o
    if p < 0 or length > LONGEST_KEY:
        return p, np.int64(0)
    w0 = _below(load64(out, o), min(length, 8))
    w1 = _below(load64(out, o + 8), min(max(length - 8, 0), 8))
    w2 = _below(load64(out, o + 16), min(max(length - 16, 0), 8))
    return p, _find(keys, w0, w1, w2, length, owner)


@kernel
def transcode_message(
    buffer: Any, p: Any, stop: Any, out: Any, o: Any, keys: Any, enums: Any, stack: Any, inside: Any
) -> Any:
    """Transcode the message `buffer[p:stop]` to `out[o:]`: (error code or 0, end of the wire bytes).

    `stack` is int64 [MAX_DEPTH + 1, 5], one row per open message: its type, the numbers of the fields seen (bits),
    where its length goes, the tag to repeat if it stands in a list (else 0), and the JSON depth.
    """
    p, stop, code = _frame(buffer, p, stop)
    if code != 0:
        return code, o
    level, depth = 0, 1
    owner, seen, place, listed = _ROOT, 0, np.int64(-1), 0
    opened, read = True, False
    p += 1
    while True:
        # here a key must follow, or the end of an object that was just opened
        p = after_space(buffer, p)
        if buffer[p] == QUOTE:
            p, known = _read_key(buffer, p + 1, stop, out, o, owner, keys)
            if p < 0:
                return -p, o
            p = after_space(buffer, p)
            if buffer[p] != COLON:
                return UNEXPECTED, o
            p = after_space(buffer, p + 1)
            read = True
            if known == 0:
                p = skip_value(buffer, p, stop, out, o, depth, inside)
                if p < 0:
                    return -p, o
            else:
                kind, number, child = (known >> 8) & 0xFF, (known >> 16) & 0xFF, known & 0xFF
                if seen >> number & 1:
                    return DUPLICATE, o
                seen |= 1 << number
                if buffer[p] == 0x6E:
                    if not is_null(buffer, p):
                        return UNEXPECTED, o
                    p += 4
                elif kind < _MESSAGE:
                    p, o = transcode_value(buffer, p, stop, out, o, kind, number, child, enums)
                    if p < 0:
                        return -p, o
                else:
                    tag, grown = 0, 1
                    if kind == _MESSAGES:
                        if buffer[p] != OPEN_BRACKET:
                            return WRONG_TYPE, o
                        p = after_space(buffer, p + 1)
                        tag, grown = number << 3 | _COUNTED, 2
                    if depth + grown > MAX_DEPTH:
                        return DEEP, o
                    if tag != 0 and buffer[p] == _CLOSE_BRACKET:
                        p += 1
                    elif buffer[p] != OPEN_BRACE:
                        return WRONG_TYPE, o
                    else:
                        stack[level, 0], stack[level, 1], stack[level, 2] = owner, seen, place
                        stack[level, 3], stack[level, 4] = listed, depth
                        level += 1
                        depth += grown
                        owner, seen, listed = child, 0, tag
                        place = write_tag(out, o, number, _COUNTED)
                        o = place + 1
                        opened = True
                        p += 1
                        continue
        elif not (opened and buffer[p] == CLOSE_BRACE):
            return UNEXPECTED, o
        # behind a value, or at the end of an empty object
        opened = False
        while True:
            p = after_space(buffer, p)
            if buffer[p] == COMMA:
                p += 1
                break
            if buffer[p] != CLOSE_BRACE:
                return UNEXPECTED, o
            p += 1
            if level == 0:
                if p != stop:
                    return TRAILING, o
                return (NO_ROOT if read and seen == 0 else 0), o
            if p >= stop:
                return TRUNCATED, o
            o = close_counted(out, place, o)
            if listed != 0:
                p = after_space(buffer, p)
                if buffer[p] == COMMA:
                    p = after_space(buffer, p + 1)
                    if buffer[p] != OPEN_BRACE:
                        return WRONG_TYPE, o
                    p += 1
                    out[o] = listed
                    place = o + 1
                    o = place + 1
                    seen, opened = 0, True
                    break
                if buffer[p] != _CLOSE_BRACKET:
                    return UNEXPECTED, o
                p += 1
            level -= 1
            owner, seen, place = stack[level, 0], stack[level, 1], stack[level, 2]
            listed, depth = stack[level, 3], stack[level, 4]


@kernel
def _frame(buffer: Any, p: Any, stop: Any) -> Any:
    """Find the object in `buffer[p:stop]`: (its opening brace, behind its last byte, error code).

    That its last byte is a closing brace is what lets the rest read on without asking for the end at each byte.
    """
    while stop > p and buffer[stop - 1] <= 0x20:
        if after_space(buffer, stop - 1) == stop - 1:
            return p, stop, UNEXPECTED
        stop -= 1
    if stop <= p:
        return p, stop, EMPTY
    p = after_space(buffer, p)
    if buffer[p] != OPEN_BRACE:
        return p, stop, NOT_OBJECT
    if buffer[stop - 1] != CLOSE_BRACE:
        return p, stop, TRUNCATED
    return (p, stop, 0) if valid_utf8(buffer, p, stop) else (p, stop, BAD_UTF8)


@kernel
def transcode_messages(
    buffer: Any,
    starts: Any,
    stops: Any,
    out: Any,
    out_starts: Any,
    out_stops: Any,
    codes: Any,
    keys: Any,
    enums: Any,
    stack: Any,
    inside: Any,
) -> None:
    """Transcode every message, one behind the other into `out`; a message in error leaves nothing there."""
    o = np.int64(0)
    for i in range(starts.size):
        code, end = transcode_message(buffer, starts[i], stops[i], out, o, keys, enums, stack, inside)
        codes[i] = code
        out_starts[i] = o
        if code == 0:
            o = end
        out_stops[i] = o
