# ruff: noqa: PLR1714, PLR2004 - compiled kernels: bytes are compared with numbers of the wire format, one after the other
"""Trace and span ids: bytes as they should be, or text of them, which some emitters send."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import digest64, load64
from models.kernels import kernel
from models.spans.wire_state import TRACE_ID_TEXT

_BAD = 255
_HEX = np.full(256, _BAD, np.uint8)
_BASE64 = np.full(256, _BAD, np.uint8)
for _i, _c in enumerate(b"0123456789abcdef"):
    _HEX[_c] = _HEX[ord(chr(_c).upper())] = _i
for _i, _c in enumerate(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):
    _BASE64[_c] = _i


@kernel
def read_word(buffer: Any, at: Any) -> Any:
    """Read 8 bytes as a big-endian int64: an id in the order in which it is printed."""
    x = load64(buffer, at)
    m8, m16 = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
    x = ((x & m8) << np.uint64(8)) | ((x >> np.uint64(8)) & m8)
    x = ((x & m16) << np.uint64(16)) | ((x >> np.uint64(16)) & m16)
    return np.int64((x << np.uint64(32)) | (x >> np.uint64(32)))


@kernel
def read_trace_id(buffer: Any, at: Any, length: Any, s: Any) -> Any:
    """Read a trace id: (high word, low word), both 0 where there is none; 32 hex or 24 base64 digits are read."""
    if length == 16:
        return read_word(buffer, at), read_word(buffer, at + 8)
    if length == 32:
        high, fine = _hex(buffer, at)
        low, fine_too = _hex(buffer, at + 16)
        fine = fine and fine_too
    elif length == 24 and buffer[at + 23] == 61 and buffer[at + 22] == 61:
        high, low, fine = _base64(buffer, at)
    else:
        return np.int64(0), np.int64(0)
    if not fine:
        return np.int64(0), np.int64(0)
    s[TRACE_ID_TEXT] += 1
    return high, low


@kernel
def read_span_id(buffer: Any, at: Any, length: Any, rule: Any, s: Any) -> Any:
    """Read a span id: 0 where there is none; of another length than 8: read from hex, or digested, and counted.

    So a parent id of a strange length still meets the span that has it.
    """
    if length == 8:
        return read_word(buffer, at)
    if length == 0:
        return np.int64(0)
    s[rule] += 1
    if length == 16:
        word, fine = _hex(buffer, at)
        if fine:
            return word
    return digest64(buffer, at, length)


@kernel
def _hex(buffer: Any, at: Any) -> Any:
    """Read 16 hexadecimal digits: (word, whether they are)."""
    word = np.int64(0)
    for i in range(16):
        digit = _HEX[buffer[at + i]]
        if digit == _BAD:
            return np.int64(0), False
        word = (word << 4) | np.int64(digit)
    return word, True


@kernel
def _base64(buffer: Any, at: Any) -> Any:
    """Read 22 base64 digits: (high word, low word, whether they are); the last 4 bits are not used."""
    high, low = np.int64(0), np.int64(0)
    for i in range(22):
        digit = np.int64(_BASE64[buffer[at + i]])
        if digit == _BAD:
            return np.int64(0), np.int64(0), False
        if i < 10:
            high = (high << 6) | digit
        elif i == 10:  # 60 of the high word's 64 bits are there
            high = (high << 4) | (digit >> 2)
            low = digit & 3
        elif i < 21:
            low = (low << 6) | digit
        else:
            low = (low << 2) | (digit >> 4)
    return high, low, True


@kernel
def is_uuid(buffer: Any, at: Any, length: Any) -> Any:
    """Tell whether a text is a UUID (RFC 9562): 32 hexadecimal digits, or 36 with dashes behind 8, 12, 16 and 20."""
    if length != 32 and length != 36:
        return False
    for i in range(length):
        dash = length == 36 and (i == 8 or i == 13 or i == 18 or i == 23)
        if (buffer[at + i] != 45) if dash else (_HEX[buffer[at + i]] == _BAD):
            return False
    return True
