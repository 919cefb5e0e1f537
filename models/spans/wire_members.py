# ruff: noqa: PLR0913, PLR0917, PLR1714, PLR2004, SIM109 - compiled kernels: bytes are compared with numbers of the wire format, one after the other
"""Attributes that hold an object: its members are offered as attributes are, by the paths that the mapping knows.

The object is a text of JSON or a kvlistValue. What is no such thing, all of it, says nothing of its members and is
counted. A member's number or text is a text, as attributes have them; null is nothing. A text that is written with
escapes, a list and an object are their bytes as they stand there: no name and no number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.kernels import kernel
from models.spans.tables import KEY_FIELDS, KEY_OPENS, KEYS
from models.spans.wire import read_length, read_tag, skip
from models.spans.wire_json import (
    BACKSLASH,
    CLOSE_BRACE,
    COMMA,
    FALSE,
    NULL,
    OPEN_BRACE,
    OPEN_BRACKET,
    QUOTE,
    TRUE,
    behind_key,
    behind_space,
    behind_string,
    behind_value,
)
from models.spans.wire_sources import find_member, offer
from models.spans.wire_state import NESTING, NUMBER_UNREADABLE
from models.spans.wire_values import BOOL, BYTES, DICT, LIST, NOTHING, STRING, read_pair, value_is_empty


@kernel
def offer_attribute(buffer: Any, key: Any, place: Any, scopes: Any, kind: Any, a: Any, b: Any, t: Any, s: Any) -> Any:
    """Take the value of a mapped attribute, and those of its members if they are mapped."""
    offer(buffer, key, place, scopes, kind, a, b, t, s)
    if _opens(key, t):
        # as plain numbers: else this is compiled once for every place
        _offer_members(buffer, np.int64(key), np.int64(place), np.int64(scopes), kind, a, b, t, s)


@kernel
def _offer_members(buffer: Any, key: Any, place: Any, scopes: Any, kind: Any, a: Any, b: Any, t: Any, s: Any) -> Any:
    """Take the values of the members of an object; what is none is counted."""
    if value_is_empty(kind, b):
        return
    if kind == DICT:
        _offer_pairs(buffer, key, place, scopes, a, a + b, t, s)
    elif kind != STRING or not _offer_text(buffer, key, place, scopes, a, a + b, t, s):
        s[NUMBER_UNREADABLE] += 1


@kernel
def _opens(key: Any, t: Any) -> Any:
    """Tell whether members of a key's value are mapped."""
    return t[t[KEYS] + KEY_FIELDS * key + KEY_OPENS] != 0


@kernel
def _offer_text(buffer: Any, key: Any, place: Any, scopes: Any, at: Any, end: Any, t: Any, s: Any) -> Any:
    """Offer the members of an object as JSON; False if it is none."""
    at = behind_space(buffer, at, end)
    if at >= end or buffer[at] != OPEN_BRACE:
        return False
    stop = behind_value(buffer, at, end, s)
    if stop < 0 or behind_space(buffer, stop, end) != end:
        return False
    level = 0
    at += 1
    while True:
        at = behind_space(buffer, at, end)
        if buffer[at] == CLOSE_BRACE:
            if level == 0:
                return True
            level -= 1
            key = s[NESTING + 3 * level]
            at += 1
        elif buffer[at] == COMMA:
            at += 1
        else:
            name = at + 1
            length = behind_string(buffer, at, end) - 1 - name
            at = behind_key(buffer, at, end)
            stop = behind_value(buffer, at, end, s)
            found = find_member(buffer, name, length, key, t)
            if found >= 0:
                kind, a, b = _json_value(buffer, at, stop)
                offer(buffer, found, place, scopes, kind, a, b, t, s)
                if kind == DICT and _opens(found, t):
                    s[NESTING + 3 * level] = key
                    level += 1
                    key, stop = found, at + 1
            at = stop


@kernel
def _json_value(buffer: Any, at: Any, stop: Any) -> Any:
    """Give a value of JSON at [at, stop) as that of an attribute: (kind, a, b)."""
    first = buffer[at]
    if first == QUOTE:
        kind = STRING
        for i in range(at + 1, stop - 1):
            if buffer[i] == BACKSLASH:
                kind = BYTES
        return np.int64(kind), at + 1, stop - at - 2
    if first == TRUE or first == FALSE:
        return np.int64(BOOL), np.int64(first == TRUE), np.int64(0)
    if first == NULL:
        return np.int64(NOTHING), np.int64(0), np.int64(0)
    kind = DICT if first == OPEN_BRACE else (LIST if first == OPEN_BRACKET else STRING)
    return np.int64(kind), at, stop - at


@kernel
def _offer_pairs(buffer: Any, key: Any, place: Any, scopes: Any, at: Any, end: Any, t: Any, s: Any) -> Any:
    """Offer the members of a KeyValueList that was checked before."""
    level = 0
    while True:
        if at == end:
            if level == 0:
                return
            level -= 1
            key, at, end = s[NESTING + 3 * level], s[NESTING + 3 * level + 1], s[NESTING + 3 * level + 2]
            continue
        tag, at = read_tag(buffer, at, end)
        if tag != 0x0A:
            at = skip(buffer, at, end, tag, 0, s)
            continue
        stop, at = read_length(buffer, at, end)
        name, length, kind, a, b, at = read_pair(buffer, at, stop, 0, s)
        found = find_member(buffer, name, length, key, t)
        if found >= 0:
            offer(buffer, found, place, scopes, kind, a, b, t, s)
            if kind == DICT and _opens(found, t):
                s[NESTING + 3 * level], s[NESTING + 3 * level + 1], s[NESTING + 3 * level + 2] = key, at, end
                level += 1
                key, at, end = found, a, a + b
