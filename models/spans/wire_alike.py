# ruff: noqa: PLR1714, PLR2004, SIM109 - compiled kernels: bytes are compared with what JSON has, one after the other
"""Digests of arguments: JSON that says the same has the same, whatever the order of its keys and the spaces between.

An object is the sum of its members, a list a chain of its elements, all else the digest of its bytes as written: so
1 and 1.0, or a letter and its escape, are not alike. What is no JSON object or list, or nested deeper than 64, is
taken by its bytes as a whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import digest64, mix64
from models.kernels import kernel
from models.spans.wire import STACK
from models.spans.wire_json import (
    CLOSE_BRACE,
    COMMA,
    OPEN_BRACE,
    OPEN_BRACKET,
    QUOTE,
    behind_space,
    behind_string,
    behind_value,
)

_LEVEL = 3
_SUM, _KEY, _IS_OBJECT = range(_LEVEL)
"""What is kept of an open object or list: its digest so far; the key whose value comes (0: none was read)."""
DEEPEST = 64
_OBJECT, _LIST = np.uint64(0x5851F42D4C957F2D), np.uint64(0x14057B7EF767814F)
_CLOSE_BRACKET = 0x5D


@kernel
def digest_alike(buffer: Any, start: Any, length: Any, s: Any) -> Any:
    """Digest a text, never 0. `buffer` as for `digest64`; `s` is the workspace, whose stack is used."""
    end = start + length
    at = behind_space(buffer, start, end)
    if at < end and (buffer[at] == OPEN_BRACE or buffer[at] == OPEN_BRACKET):
        behind = behind_value(buffer, at, end, s)
        if behind >= 0 and behind_space(buffer, behind, end) == end:
            digest = _digest(buffer, at, end, s)
            if digest != 0:
                return digest
    return digest64(buffer, start, length)


@kernel
def _digest(buffer: Any, at: Any, end: Any, s: Any) -> Any:
    """Digest an object or list that was checked; 0: it is nested too deep."""
    level = STACK - _LEVEL  # of the innermost that is open
    while True:
        at = behind_space(buffer, at, end)
        c = buffer[at]
        if c == OPEN_BRACE or c == OPEN_BRACKET:
            level += _LEVEL
            if level == STACK + DEEPEST * _LEVEL:
                return np.int64(0)
            s[level + _SUM], s[level + _KEY] = np.int64(_OBJECT if c == OPEN_BRACE else _LIST), 0
            s[level + _IS_OBJECT] = c == OPEN_BRACE
            at += 1
            continue
        if c == COMMA:
            at += 1
            continue
        if c == CLOSE_BRACE or c == _CLOSE_BRACKET:
            said = np.int64(mix64(np.uint64(s[level + _SUM])) | np.uint64(1))
            level -= _LEVEL
            at += 1
            if level < STACK:
                return said
        else:
            behind = behind_string(buffer, at, end) if c == QUOTE else _behind_word(buffer, at)
            said = digest64(buffer, at, behind - at)
            at = behind
            if s[level + _IS_OBJECT] and s[level + _KEY] == 0:
                s[level + _KEY] = said
                at = behind_space(buffer, at, end) + 1  # the colon
                continue
        _add(s, level, said)


@kernel
def _add(s: Any, level: Any, said: Any) -> None:
    """Add a value to what it stands in."""
    kept, value = np.uint64(s[level + _SUM]), np.uint64(said)
    if s[level + _IS_OBJECT]:
        s[level + _SUM] = np.int64(kept + mix64(mix64(value) ^ np.uint64(s[level + _KEY])))
        s[level + _KEY] = 0
    else:
        s[level + _SUM] = np.int64(mix64(kept) ^ value)


@kernel
def _behind_word(buffer: Any, at: Any) -> Any:
    """Give the position behind a number or literal: something always follows it, as it stands in something."""
    while buffer[at] > 0x20 and buffer[at] != COMMA and buffer[at] != CLOSE_BRACE and buffer[at] != _CLOSE_BRACKET:
        at += 1
    return at
