# ruff: noqa: PLR1714, PLR2004 - compiled kernels: bytes are compared with numbers of the wire format, one after the other
"""Names in the kernels: each distinct text of a batch is remembered once, by its digest."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import digest64
from models.kernels import kernel
from models.spans.pointers import bytes_of, words_at
from models.spans.tables import CONTENT_NAME
from models.spans.wire_state import (
    MAX_NAME,
    MAX_NAMES,
    MAX_TEXT,
    NAME_CUT,
    NAME_LIST,
    NAME_PLACES,
    NAME_TYPE,
    NAMES,
    NO_NAMES,
    NO_TEXT,
    SHORT,
    TEXT,
    TEXT_AT,
)
from models.spans.wire_values import BOOL, INT, STRING, digest_value

_LONGEST = 20  # digits of a whole number, with its sign
_HEX_TEXT = 16
_TRUE, _FALSE = (int.from_bytes(text, "little") for text in (b"true", b"false"))


@kernel
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
    places, mask = words_at(s[NAME_PLACES]), s[MAX_NAMES] - 1
    place = digest & mask
    while places[2 * place] != digest:
        if places[2 * place] == 0:
            if not _keep(buffer, at, length, digest, s):
                return digest
            places[2 * place], places[2 * place + 1] = digest, 0
            break
        place = (place + 1) & mask
    places[2 * place + 1] |= np.int64(1) << column
    return digest


@kernel
def _keep(buffer: Any, at: Any, length: Any, digest: Any, s: Any) -> Any:
    """Put a new name on the list, its text behind those of the others; False where there is no room."""
    i, end = s[NAMES], s[TEXT]
    if 2 * i + 2 > s[MAX_NAMES]:
        s[SHORT] |= NO_NAMES
        return False
    if end + length > s[MAX_TEXT]:
        s[SHORT] |= NO_TEXT
        return False
    text, names = bytes_of(words_at(s[TEXT_AT])), words_at(s[NAME_LIST])
    for j in range(length):
        text[end + j] = buffer[at + j]
    names[2 * i], names[2 * i + 1] = digest, end + length
    s[NAMES], s[TEXT] = i + 1, end + length
    return True


@kernel
def place_names(old: Any, new: Any) -> Any:
    """Put the names of a table of places, [place, (digest, bits)], into one of more places, all empty."""
    mask = len(new) - 1
    for i in range(len(old)):
        if old[i, 0] != 0:
            place = old[i, 0] & mask
            while new[place, 0] != 0:
                place = (place + 1) & mask
            new[place, 0], new[place, 1] = old[i, 0], old[i, 1]


@kernel
def name_of(buffer: Any, how: Any, kind: Any, a: Any, b: Any, column: Any, s: Any) -> Any:
    """Give the digest of a value as a name: text as it is, whole numbers and booleans written out; else 0, counted."""
    if kind == STRING and how != CONTENT_NAME:
        return intern_name(buffer, a, b, column, s)
    if how != CONTENT_NAME and kind != INT and kind != BOOL:
        s[NAME_TYPE] += 1
        return np.int64(0)
    at = s[TEXT]  # written where it will stay, if it is new
    if at + _LONGEST > s[MAX_TEXT]:
        s[SHORT] |= NO_TEXT
        return np.int64(1)
    text = bytes_of(words_at(s[TEXT_AT]))
    if how == CONTENT_NAME:
        length = _write_hex(text, at, digest_value(buffer, kind, a, b))
    else:
        length = _write_int(text, at, a) if kind == INT else _write_bool(text, at, a)
    return intern_name(text, at, length, column, s)


@kernel
def _write_hex(buffer: Any, at: Any, digest: Any) -> Any:
    """Write 16 hexadecimal digits: how many they are."""
    for i in range(_HEX_TEXT):
        nibble = (digest >> (60 - 4 * i)) & 15
        buffer[at + i] = nibble + (48 if nibble < 10 else 87)
    return np.int64(_HEX_TEXT)


@kernel
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


@kernel
def _write_bool(buffer: Any, at: Any, value: Any) -> Any:
    """Write true or false: its length."""
    length = np.int64(4 if value else 5)
    text = _TRUE if value else _FALSE
    for i in range(length):
        buffer[at + i] = (text >> (8 * i)) & 255
    return length
