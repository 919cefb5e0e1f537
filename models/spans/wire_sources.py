# ruff: noqa: PLR0913, PLR0917, PLR1714, PLR2004, SIM109 - compiled kernels: bytes are compared with numbers of the wire format, one after the other
"""Attributes meet the mapping: which source a key is, whether its value says something, which value wins a slot."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import digest64, digest_of, load64
from models.kernels import kernel
from models.spans.columns import Column
from models.spans.mapping import EVENT, EXCEPTION, RESOURCE
from models.spans.pointers import bytes_of
from models.spans.tables import (
    ABSENT_TEXT,
    AT_ONCE,
    BESIDE,
    CHOICES,
    CONSTANT,
    FIELDS,
    HOW,
    KEY_FIELDS,
    KEY_HASH,
    KEY_LENGTH,
    KEY_MASK,
    KEY_NUMBER,
    KEY_PARENT,
    KEY_SOURCE,
    KEY_TEXT,
    KEYS,
    KINDS,
    PLACE,
    PRESENCE,
    RANK,
    ROLES,
    SCOPE,
    SLOT,
    SOURCES,
    VALUE_KEY,
    VALUE_MASK,
    VALUE_MEANING,
    VALUES,
    hash_key,
    hash_member,
    number_digest,
    value_key,
)
from models.spans.wire_ids import is_uuid
from models.spans.wire_state import (
    BEST,
    EVENT_SAID,
    LATER,
    OUTCOME_UNKNOWN,
    ROLE,
    SAID,
    SPAN_NUMBER,
    UNSAID,
    WAITED,
    WAITING,
)
from models.spans.wire_values import BOOL, CHOICE, INT, LIST, STRING, first_of, value_is_empty

_TRUE, _FALSE = digest_of("true"), digest_of("false")
_OUTCOME = int(Column.OUTCOME)


@kernel
def find_key(buffer: Any, at: Any, length: Any, t: Any) -> Any:
    """Look an attribute's name up: the number of its key, -1 where no source has it."""
    return find_member(buffer, at, length, -1, t)  # a literal: compiled without what members need


@kernel
def find_member(buffer: Any, at: Any, length: Any, parent: Any, t: Any) -> Any:
    """Look the name of a member up, of the value of the key `parent`: the number of its own key, -1: no source."""
    h = hash_member(hash_key(buffer, at, length), parent)
    hashes, numbers, mask = t[KEY_HASH], t[KEY_NUMBER], t[KEY_MASK]
    place = h & mask
    while t[numbers + place] >= 0:
        if t[hashes + place] == h:
            key = t[numbers + place]
            known = t[KEYS] + KEY_FIELDS * key
            fits = t[known + KEY_LENGTH] == length and t[known + KEY_PARENT] == parent
            if fits and same_bytes(buffer, at, bytes_of(t), t[known + KEY_TEXT], length):
                return key
        place = (place + 1) & mask
    return np.int64(-1)


@kernel
def same_bytes(buffer: Any, at: Any, other: Any, there: Any, length: Any) -> Any:
    """Compare two stretches of the same length, 8 bytes at a time."""
    left = np.int64(length)
    while left >= 8:
        if load64(buffer, at) != load64(other, there):
            return False
        at += 8
        there += 8
        left -= 8
    if left == 0:
        return True
    mask = (np.uint64(1) << np.uint64(8 * left)) - np.uint64(1)
    return (load64(buffer, at) & mask) == (load64(other, there) & mask)


@kernel
def offer(buffer: Any, key: Any, place: Any, scopes: Any, kind: Any, a: Any, b: Any, t: Any, s: Any) -> Any:
    """Take a value for a key: of a span or record, an evaluation event, an exception event or a resource (rank + 1)."""
    if value_is_empty(kind, b):
        return
    known = t[KEYS] + KEY_FIELDS * key
    for source in range(t[known + KEY_SOURCE], t[known + KEY_FIELDS + KEY_SOURCE]):
        if not _applies(t, source, place, scopes):
            continue
        said, value_kind, value = _meaning(buffer, t, source, kind, a, b, s)
        if not said:
            s[OUTCOME_UNKNOWN] += kind == STRING and t[SOURCES + FIELDS * source + SLOT] == _OUTCOME
            continue
        if t[SOURCES + FIELDS * source + KINDS] != AT_ONCE and place != EVENT:
            _wait(s, source, value_kind, value, b)
        else:
            rank = t[SOURCES + FIELDS * source + RANK] + (place == RESOURCE or place == EXCEPTION)
            bank = EVENT_SAID if place == EVENT else SAID
            take(s, bank, t[SOURCES + FIELDS * source + SLOT], rank, value_kind, value, b, source)


@kernel
def take(s: Any, bank: Any, slot: Any, rank: Any, kind: Any, a: Any, b: Any, source: Any) -> Any:
    """Keep the value if its source comes before the one that is kept; the first of the same source stays."""
    if rank < s[bank + slot]:
        s[bank + slot] = rank
        best = bank + BEST + 4 * slot
        s[best], s[best + 1], s[best + 2], s[best + 3] = kind, a, b, source


@kernel
def settle(kind: Any, t: Any, s: Any) -> Any:
    """Take the values that waited for the span's kind, for OTLP's kind of it, or for an attribute beside them."""
    for i in range(s[LATER]):
        source = s[WAITING + i]
        first = SOURCES + FIELDS * source
        beside = t[first + BESIDE]
        fits = (t[first + KINDS] >> kind) & (t[first + ROLES] >> s[ROLE]) & 1
        if fits and (beside < 0 or s[SAID + beside] < UNSAID):
            waited = WAITED + 4 * source
            take(s, SAID, t[first + SLOT], t[first + RANK], s[waited + 1], s[waited + 2], s[waited + 3], source)


@kernel
def _wait(s: Any, source: Any, kind: Any, a: Any, b: Any) -> Any:
    """Keep the value until all that the source depends on is known; the first of the same source stays."""
    if s[WAITED + 4 * source + 0] != s[SPAN_NUMBER]:
        s[WAITED + 4 * source + 0] = s[SPAN_NUMBER]
        s[WAITED + 4 * source + 1], s[WAITED + 4 * source + 2], s[WAITED + 4 * source + 3] = kind, a, b
        s[WAITING + s[LATER]] = source
        s[LATER] += 1


@kernel
def _applies(t: Any, source: Any, place: Any, scopes: Any) -> Any:
    """Tell whether a source is looked for here."""
    scope = t[SOURCES + FIELDS * source + SCOPE]
    return t[SOURCES + FIELDS * source + PLACE] & place != 0 and (scope < 0 or (scopes >> scope) & 1 != 0)


@kernel
def _meaning(buffer: Any, t: Any, source: Any, kind: Any, a: Any, b: Any, s: Any) -> Any:
    """Tell whether the value says something to this source: (whether, kind, a), a choice where texts have meanings."""
    how, values = t[SOURCES + FIELDS * source + HOW], t[SOURCES + FIELDS * source + VALUES]
    if how > CHOICES:
        if how == PRESENCE:
            return True, np.int64(CHOICE), t[SOURCES + FIELDS * source + CONSTANT]
        if kind == STRING and is_uuid(buffer, a, b):
            return False, kind, a
    if values < 0:
        return True, kind, a
    if how == CHOICES and kind == LIST:
        kind, a, b = first_of(buffer, a, b, s)
    if kind == STRING:
        digest = digest64(buffer, a, b) if b <= 256 else np.int64(0)
    elif kind == BOOL:
        digest = np.int64(_TRUE) if a else np.int64(_FALSE)
    elif kind == INT:
        digest = number_digest(a)
    else:
        return how != CHOICES, kind, a
    meaning = _find_value(t, digest, values)
    if how == CHOICES:
        return meaning >= 0, np.int64(CHOICE), meaning
    return meaning != ABSENT_TEXT, kind, a


_NOT_THERE = -2


@kernel
def _find_value(t: Any, digest: Any, values: Any) -> Any:
    """Look a text up in a set of values: its meaning, _NOT_THERE."""
    key = value_key(digest, values)
    keys, mask = t[VALUE_KEY], t[VALUE_MASK]
    place = key & mask
    while t[keys + place] != 0:
        if t[keys + place] == key:
            return t[t[VALUE_MEANING] + place]
        place = (place + 1) & mask
    return np.int64(_NOT_THERE)
