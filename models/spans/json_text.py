# ruff: noqa: PLR2004 - compiled kernels full of the constants of UTF-8 and of JSON
"""JSON strings to UTF-8 bytes, ids and base64 to bytes, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import load64
from models.kernels import kernel
from models.spans.json_bits import store64, trailing_zeros
from models.spans.json_errors import BAD_BASE64, BAD_ESCAPE, BAD_STRING

_LOWS, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_QUOTES, _BACKSLASHES, _SPACES = _LOWS * np.uint64(0x22), _LOWS * np.uint64(0x5C), _LOWS * np.uint64(0x20)
QUOTE, BACKSLASH = 0x22, 0x5C
_REPLACEMENT = 0xFFFD

_NO_DIGIT = 0xFF
_HEX = np.full(256, _NO_DIGIT, np.uint8)
_HEX[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_HEX[np.frombuffer(b"ABCDEF", np.uint8)] = np.arange(10, 16)
_BASE64 = np.full(256, _NO_DIGIT, np.uint8)
_BASE64[np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8)] = np.arange(64)
_BASE64[np.frombuffer(b"-_", np.uint8)] = [62, 63]  # the URL-safe letters
_ESCAPED = np.zeros(256, np.uint8)
_ESCAPED[np.frombuffer(b'"\\/bfnrt', np.uint8)] = np.frombuffer(b'"\\/\b\f\n\r\t', np.uint8)


@kernel
def special_bytes(word: Any) -> Any:
    """Mark the first quote, backslash or control character among 8 bytes; 0: there is none.

    The lowest marked bit is exact; higher ones may be false (a borrow runs upwards only).
    """
    quotes, backslashes = word ^ _QUOTES, word ^ _BACKSLASHES
    marks = (quotes - _LOWS) & ~quotes
    marks |= (backslashes - _LOWS) & ~backslashes
    marks |= (word - _SPACES) & ~word
    return marks & _HIGHS


@kernel
def copy_string(buffer: Any, p: Any, stop: Any, out: Any, o: Any) -> Any:
    """Unescape the string whose content starts at `p` to `out[o:]`.

    Returns (position behind the closing quote or -code, end of the content). May write 8 bytes more than the content.
    """
    while True:
        word = load64(buffer, p)
        special = special_bytes(word)
        store64(out, o, word)
        if special == np.uint64(0):
            p += 8
            o += 8
            if p >= stop:
                return np.int64(-BAD_STRING), o
            continue
        plain = trailing_zeros(special) >> 3
        p += plain
        o += plain
        if p >= stop or buffer[p] < 0x20:
            return np.int64(-BAD_STRING), o
        if buffer[p] == QUOTE:
            return p + 1, o
        p, o = _escape(buffer, p + 1, stop, out, o)
        if p < 0:
            return p, o


@kernel
def _escape(buffer: Any, p: Any, stop: Any, out: Any, o: Any) -> Any:
    """Write the character whose escape continues at `p` (behind the backslash): (position behind it or -code, end)."""
    if p >= stop:
        return np.int64(-BAD_STRING), o
    if buffer[p] != 0x75:
        out[o] = _ESCAPED[buffer[p]]
        return (p + 1, o + 1) if out[o] != 0 else (np.int64(-BAD_ESCAPE), o)
    code = _four_hex(buffer, p + 1, stop)
    if code < 0:
        return np.int64(-BAD_ESCAPE), o
    p += 5
    if 0xD800 <= code < 0xE000:
        low = -1
        if code < 0xDC00 and p + 1 < stop and buffer[p] == BACKSLASH and buffer[p + 1] == 0x75:
            low = _four_hex(buffer, p + 2, stop)
        if 0xDC00 <= low < 0xE000:
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            p += 6
        else:
            code = _REPLACEMENT
    return p, _encode(code, out, o)


@kernel
def _four_hex(buffer: Any, p: Any, stop: Any) -> Any:
    """Give the value of four hex digits, -1 if they are not all there."""
    if p + 4 > stop:
        return -1
    code = np.int64(0)
    for i in range(4):
        digit = _HEX[buffer[p + i]]
        if digit == _NO_DIGIT:
            return -1
        code = code * 16 + np.int64(digit)
    return code


@kernel
def _encode(code: Any, out: Any, o: Any) -> Any:
    """Write one code point as UTF-8; returns the end."""
    if code < 0x80:
        out[o] = code
        return o + 1
    if code < 0x800:
        out[o] = 0xC0 | (code >> 6)
        out[o + 1] = 0x80 | (code & 0x3F)
        return o + 2
    if code < 0x10000:
        out[o] = 0xE0 | (code >> 12)
        out[o + 1] = 0x80 | ((code >> 6) & 0x3F)
        out[o + 2] = 0x80 | (code & 0x3F)
        return o + 3
    out[o] = 0xF0 | (code >> 18)
    out[o + 1] = 0x80 | ((code >> 12) & 0x3F)
    out[o + 2] = 0x80 | ((code >> 6) & 0x3F)
    out[o + 3] = 0x80 | (code & 0x3F)
    return o + 4


@kernel
def valid_utf8(buffer: Any, p: Any, stop: Any) -> Any:
    """Say whether `buffer[p:stop]` is UTF-8 (RFC 3629: no surrogates, no over-long forms, nothing above U+10FFFF)."""
    while p + 8 <= stop:
        if load64(buffer, p) & _HIGHS == np.uint64(0):
            p += 8
            continue
        size = _character(buffer, p, stop)
        if size == 0:
            return False
        p += size
    while p < stop:
        size = _character(buffer, p, stop)
        if size == 0:
            return False
        p += size
    return True


@kernel
def _character(buffer: Any, p: Any, stop: Any) -> Any:
    """Give the size of the UTF-8 character at `p`, 0 if it is none."""
    first = np.int64(buffer[p])
    if first < 0x80:
        return 1
    size = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if first < 0xC2 or first > 0xF4 or p + size > stop:
        return 0
    second = np.int64(buffer[p + 1])
    lowest = 0xA0 if first == 0xE0 else 0x90 if first == 0xF0 else 0x80
    highest = 0x9F if first == 0xED else 0x8F if first == 0xF4 else 0xBF
    if second < lowest or second > highest:
        return 0
    for i in range(2, size):
        if buffer[p + i] & 0xC0 != 0x80:
            return 0
    return size


@kernel
def decode_hex(out: Any, start: Any, end: Any) -> Any:
    """Decode hex digits in place: the new end, or -1 if they are not hex of whole bytes (then nothing is lost)."""
    if (end - start) & 1:
        return -1
    bad = np.uint8(0)
    for p in range(start, end):
        bad |= _HEX[out[p]] & np.uint8(0xF0)
    if bad:
        return -1
    size = (end - start) >> 1
    for i in range(size):
        out[start + i] = (_HEX[out[start + 2 * i]] << 4) | _HEX[out[start + 2 * i + 1]]
    return start + size


@kernel
def decode_base64(out: Any, start: Any, end: Any) -> Any:
    """Decode base64 (either alphabet, padding optional) in place: the new end, or -code."""
    padded = end
    while end > start and padded - end < 2 and out[end - 1] == 0x3D:
        end -= 1
    if (end - start) % 4 == 1 or (padded > end and (padded - start) % 4 != 0):
        return -BAD_BASE64
    o = start
    bits, held = np.uint32(0), 0
    for p in range(start, end):
        letter = _BASE64[out[p]]
        if letter == _NO_DIGIT:
            return -BAD_BASE64
        bits = (bits << np.uint32(6)) | np.uint32(letter)
        held += 6
        if held >= 8:
            held -= 8
            out[o] = np.uint8((bits >> np.uint32(held)) & np.uint32(0xFF))
            o += 1
    return o


@kernel
def decode_id(out: Any, start: Any, end: Any, size: Any) -> Any:
    """Decode an id of `size` bytes in place, from hex or base64; returns the new end.

    A text that is neither becomes one zero byte: an id of the wrong length, as it may come over protobuf too, so that
    the decoder judges that span alone and not the whole message.
    """
    length = end - start
    if length == 0:
        return end
    if out[end - 1] == 0x3D or length == (size * 8 + 5) // 6:
        decoded = decode_base64(out, start, end)
        if decoded == start + size:
            return decoded
    else:
        decoded = decode_hex(out, start, end)
        if decoded > 0:
            return decoded
    out[start] = 0
    return start + 1
