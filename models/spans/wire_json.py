# ruff: noqa: C901, PLR0911, PLR0912, PLR2004, SIM110 - compiled kernels: bytes are compared with what JSON has, one after the other
"""JSON in attributes: what a text is made of, checked in full before any of it is believed (RFC 8259).

Positions are in the buffer of the message, of which the text is a part; nothing at or beyond `end` is looked at.
"""

from __future__ import annotations

from typing import Any

from models.kernels import kernel
from models.spans.wire import MAX_DEPTH, STACK

NO_JSON = -1
"""Position that says that there is no JSON."""

QUOTE, BACKSLASH, COMMA, COLON, OPEN_BRACKET, OPEN_BRACE, CLOSE_BRACE = 0x22, 0x5C, 0x2C, 0x3A, 0x5B, 0x7B, 0x7D
TRUE, FALSE, NULL = 0x74, 0x66, 0x6E  # their first letters
_TRUE, _FALSE, _NULL = (int.from_bytes(word, "little") for word in (b"true", b"false", b"null"))


@kernel
def behind_space(buffer: Any, at: Any, end: Any) -> Any:
    """Give the position of the first byte that is no whitespace."""
    while at < end and (buffer[at] == 0x20 or buffer[at] == 0x0A or buffer[at] == 0x0D or buffer[at] == 0x09):
        at += 1
    return at


@kernel
def behind_string(buffer: Any, at: Any, end: Any) -> Any:
    """Give the position behind the string whose opening quote is at `at`."""
    if at >= end or buffer[at] != QUOTE:
        return NO_JSON
    at += 1
    while at < end:
        c = buffer[at]
        if c == QUOTE:
            return at + 1
        if c < 0x20:
            return NO_JSON
        at += 1
        if c == BACKSLASH:
            at = _behind_escape(buffer, at, end)
            if at < 0:
                return NO_JSON
    return NO_JSON


@kernel
def _behind_escape(buffer: Any, at: Any, end: Any) -> Any:
    """Give the position behind what stands behind a backslash."""
    if at >= end:
        return NO_JSON
    c = buffer[at]
    if c != 0x75:  # u
        return at + 1 if c in (QUOTE, BACKSLASH, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74) else NO_JSON
    if at + 5 > end:
        return NO_JSON
    for i in range(1, 5):
        c = buffer[at + i]
        if not (0x30 <= c <= 0x39 or 0x41 <= c <= 0x46 or 0x61 <= c <= 0x66):
            return NO_JSON
    return at + 5


@kernel
def behind_key(buffer: Any, at: Any, end: Any) -> Any:
    """Give the position of the value whose key is at `at`, spaces before it allowed."""
    at = behind_string(buffer, behind_space(buffer, at, end), end)
    if at < 0:
        return NO_JSON
    at = behind_space(buffer, at, end)
    return behind_space(buffer, at + 1, end) if at < end and buffer[at] == COLON else NO_JSON


@kernel
def _behind_digits(buffer: Any, at: Any, end: Any) -> Any:
    """Give the position behind one digit or more."""
    first = at
    while at < end and 0x30 <= buffer[at] <= 0x39:
        at += 1
    return at if at > first else NO_JSON


@kernel
def _behind_number(buffer: Any, at: Any, end: Any) -> Any:
    """Give the position behind a number."""
    if at < end and buffer[at] == 0x2D:
        at += 1
    at = at + 1 if at < end and buffer[at] == 0x30 else _behind_digits(buffer, at, end)
    if at >= 0 and at < end and buffer[at] == 0x2E:
        at = _behind_digits(buffer, at + 1, end)
    if at >= 0 and at < end and (buffer[at] == 0x65 or buffer[at] == 0x45):
        at += 1
        if at < end and (buffer[at] == 0x2B or buffer[at] == 0x2D):
            at += 1
        at = _behind_digits(buffer, at, end)
    return at


@kernel
def _is_word(buffer: Any, at: Any, end: Any, word: Any, length: Any) -> Any:
    """Tell whether a literal stands here."""
    if at + length > end:
        return False
    for i in range(length):
        if buffer[at + i] != (word >> (8 * i)) & 255:
            return False
    return True


@kernel
def _behind_plain(buffer: Any, at: Any, end: Any) -> Any:
    """Give the position behind a value that is neither object nor list."""
    if at >= end:
        return NO_JSON
    if buffer[at] == QUOTE:
        return behind_string(buffer, at, end)
    if buffer[at] == TRUE:
        return at + 4 if _is_word(buffer, at, end, _TRUE, 4) else NO_JSON
    if buffer[at] == FALSE:
        return at + 5 if _is_word(buffer, at, end, _FALSE, 5) else NO_JSON
    if buffer[at] == NULL:
        return at + 4 if _is_word(buffer, at, end, _NULL, 4) else NO_JSON
    return _behind_number(buffer, at, end)


@kernel
def behind_value(buffer: Any, at: Any, end: Any, s: Any) -> Any:
    """Give the position behind the value at `at`; all in it is checked. No deeper than 100."""
    depth = 0
    while True:
        at = behind_space(buffer, at, end)
        opens = at < end and (buffer[at] == OPEN_BRACE or buffer[at] == OPEN_BRACKET)
        if opens:
            if depth >= MAX_DEPTH:
                return NO_JSON
            close = buffer[at] + 2  # } and ] stand two behind { and [
            s[STACK + depth] = close
            depth += 1
            at = behind_space(buffer, at + 1, end)
            if at >= end or buffer[at] != close:
                if close == CLOSE_BRACE:
                    at = behind_key(buffer, at, end)
                if at < 0:
                    return NO_JSON
                continue
        else:
            at = _behind_plain(buffer, at, end)
            if at < 0:
                return NO_JSON
        while depth > 0:
            at = behind_space(buffer, at, end)
            if at >= end:
                return NO_JSON
            if buffer[at] == COMMA:
                break
            if buffer[at] != s[STACK + depth - 1]:
                return NO_JSON
            at += 1
            depth -= 1
        if depth == 0:
            return at
        at += 1
        if s[STACK + depth - 1] == CLOSE_BRACE:
            at = behind_key(buffer, at, end)
            if at < 0:
                return NO_JSON
