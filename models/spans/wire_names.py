# ruff: noqa: PLR1714, PLR2004, SIM109 - compiled kernels: bytes are compared with numbers of the wire format, one after the other
"""Names in the kernels: each distinct text of a batch is remembered once, by its digest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from models.digest import digest64
from models.spans.pointers import words_at
from models.spans.tables import CONTENT_NAME
from models.spans.wire_state import (
    MAX_NAME,
    MAX_NAMES,
    NAME_CUT,
    NAME_DIGEST,
    NAME_TEXT,
    NAME_TYPE,
    NAMES,
    NO_NAMES,
    NO_SCRATCH,
    SCRATCH,
    SCRATCH_END,
    SHORT,
)
from models.spans.wire_values import BOOL, INT, STRING, digest_value

_INT_TEXT = 20
_HEX_TEXT = 16
_TRUE, _FALSE = (int.from_bytes(text, "little") for text in (b"true", b"false"))


@njit(cache=True)
def intern_name(buffer: Any, at: Any, length: Any, column: Any, s: Any) -> Any:
    """Remember a text of one byte or more, cut to MAX_NAME bytes at a character's start: its digest.

    `column` is a bit number: where the name stands, for those who mend names by column afterwards.
    """
    if length > MAX_NAME:
        s[NAME_CUT] += 1
        length = np.int64(MAX_NAME)
        while length > MAX_NAME - 3 and buffer[at + length] & 0xC0 == 0x80:
            length -= 1
    digest = digest64(buffer, at, length)
    digests, texts, mask = words_at(s[NAME_DIGEST]), words_at(s[NAME_TEXT]), s[MAX_NAMES] - 1
    place = digest & mask
    while digests[place] != digest:
        if digests[place] == 0:
            if s[NAMES] * 2 > mask:
                s[SHORT] |= NO_NAMES
                return digest
            s[NAMES] += 1
            digests[place] = digest
            texts[3 * place], texts[3 * place + 1], texts[3 * place + 2] = at, length, 0
            break
        place = (place + 1) & mask
    texts[3 * place + 2] |= np.int64(1) << column
    return digest


@njit(cache=True)
def name_of(buffer: Any, how: Any, kind: Any, a: Any, b: Any, column: Any, s: Any) -> Any:
    """Give the digest of a value as a name: text as it is, whole numbers and booleans written out; else 0, counted."""
    if how == CONTENT_NAME:
        digest = digest_value(buffer, kind, a, b)
        return _intern_written(buffer, _write_hex(buffer, digest, s), np.int64(_HEX_TEXT), column, s)
    if kind == STRING:
        return intern_name(buffer, a, b, column, s)
    if kind == INT or kind == BOOL:
        at = s[SCRATCH]
        if at + _INT_TEXT > s[SCRATCH_END]:
            s[SHORT] |= NO_SCRATCH
            return np.int64(1)
        length = _write_int(buffer, at, a) if kind == INT else _write_bool(buffer, at, a)
        return _intern_written(buffer, at, length, column, s)
    s[NAME_TYPE] += 1
    return np.int64(0)


@njit(cache=True)
def _intern_written(buffer: Any, at: Any, length: Any, column: Any, s: Any) -> Any:
    """Remember a text that was written behind the messages; the room is kept only if the text is new."""
    known = s[NAMES]
    digest = intern_name(buffer, at, length, column, s)
    if s[NAMES] > known:
        s[SCRATCH] = at + length
    return digest


@njit(cache=True)
def _write_hex(buffer: Any, digest: Any, s: Any) -> Any:
    """Write 16 hexadecimal digits: their position."""
    at = s[SCRATCH]
    if at + _HEX_TEXT > s[SCRATCH_END]:
        s[SHORT] |= NO_SCRATCH
        return at - _HEX_TEXT
    for i in range(_HEX_TEXT):
        nibble = (digest >> (60 - 4 * i)) & 15
        buffer[at + i] = nibble + (48 if nibble < 10 else 87)
    return at


@njit(cache=True)
def _write_int(buffer: Any, at: Any, value: Any) -> Any:
    """Write a whole number in decimal: its length."""
    length = np.int64(0)
    if value < 0:
        buffer[at] = 45
        length = np.int64(1)
    left = np.uint64(value) if value >= 0 else np.uint64(0) - np.uint64(value)
    digits = np.int64(1)
    rest = left // np.uint64(10)
    while rest > np.uint64(0):
        rest //= np.uint64(10)
        digits += 1
    for i in range(digits):
        buffer[at + length + digits - 1 - i] = 48 + np.int64(left % np.uint64(10))
        left //= np.uint64(10)
    return length + digits


@njit(cache=True)
def _write_bool(buffer: Any, at: Any, value: Any) -> Any:
    """Write true or false: its length."""
    length = np.int64(4 if value else 5)
    text = _TRUE if value else _FALSE
    for i in range(length):
        buffer[at + i] = (text >> (8 * i)) & 255
    return length


@njit(cache=True)
def pack_names(buffer: Any, texts: Any, used: Any) -> Any:
    """Put the texts of the used places of the table of names behind each other: (bytes, end of each)."""
    ends = np.empty(len(used), np.int64)
    end = np.int64(0)
    for i in range(len(used)):
        end += texts[used[i], 1]
        ends[i] = end
    packed = np.empty(end, np.uint8)
    end = np.int64(0)
    for i in range(len(used)):
        at = texts[used[i], 0]
        for j in range(ends[i] - end):
            packed[end + j] = buffer[at + j]
        end = ends[i]
    return packed, ends
