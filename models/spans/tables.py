# ruff: noqa: EM102, PLR2004 - messages name what was found and what is expected
"""The mapping as flat arrays: what the kernels look attributes up in."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from models.digest import SLACK, digest_of, load64, mix64
from models.spans.columns import Column
from models.spans.mapping import (
    ALL_KINDS,
    ANNOTATIONS,
    CONTENTS,
    EVALUATIONS,
    MEANINGS,
    SPAN,
    Mapping,
    MappingError,
    Source,
)
from models.spans.wire_state import MAX_SLOTS, MAX_SOURCES

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME, CONTENT, NUMBER, CHOICES, PRESENCE, CONTENT_NAME = 0, 1, 2, 3, 4, 5
"""How a source is read."""

KEY_MASK, KEY_HASH, KEY_NUMBER, KEYS, VALUE_MASK, VALUE_KEY, VALUE_MEANING = range(7)
SCOPE_COUNT, SCOPE_TEXT, SLOTS, FIRST_ANNOTATION = range(7, 11)
SOURCES = 16
"""Positions in the compiled mapping, one array of int64 words. MASK: size - 1 of an open-addressed table. Others are
positions again: hashes and numbers (-1: empty) of keys; of each key the byte offset of its text in the array, its
length and first source; keys (0: empty) and meanings of values; byte offsets of scope patterns. SLOTS: how many slots
there are, which are places for values: the canonical columns, hidden addends, then annotations. SOURCES: by FIELDS.
"""

PLACE, SCOPE, KINDS, SLOT, RANK, HOW, VALUES, CONSTANT, PLUS, PLUS_TOO = range(10)
FIELDS = 10
"""Fields of a source. SCOPE: bit of the pattern, -1: any. RANK: even; the same source on a resource has the next, odd,
rank. VALUES: set of texts, -1: none. CONSTANT: meaning of the presence, or power of ten of a number. PLUS: slots, -1:
none."""

MAX_SCOPES = 30
ABSENT_TEXT = -1
"""Meaning of a text in a set of values: it says nothing."""

SIGNED_SCALE = 6
"""Power of ten of scores, the only numbers that may be negative."""

_SCALE = {Column.COST: 9, Column.SCORE: SIGNED_SCALE}
_ONE = np.uint64(1)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True)
def hash_key(buffer: Any, at: Any, length: Any) -> Any:
    """Hash an attribute's name: by its length and its first and last 8 bytes; equal names are compared in full."""
    if length >= 8:
        first, last = load64(buffer, at), load64(buffer, at + length - 8)
    else:
        first = load64(buffer, at) & ((_ONE << np.uint64(8 * length)) - _ONE)
        last = np.uint64(0)
    return np.int64(mix64((first * _SPREAD) ^ last ^ (np.uint64(length) << np.uint64(56))))


@njit(cache=True)
def value_key(digest: Any, values: Any) -> Any:
    """Key of a text in a set of values."""
    return np.int64(mix64(np.uint64(digest) ^ (np.uint64(values + 1) * _SPREAD)) | _ONE)


def compile_tables(mapping: Mapping) -> NDArray[np.int64]:
    """Flatten a mapping. Raises MappingError where it has more than the kernels' workspace has room for."""
    return _Builder(mapping).words()


class _Builder:
    """Collects rows while the mapping is walked."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.rows: defaultdict[str, list[list[int]]] = defaultdict(list)
        self.scopes: list[str] = []
        self.sets: list[dict[str, int]] = []
        self.hidden: list[str] = []
        addends = {p for sources in mapping.columns.values() for s in sources for p in s.plus if isinstance(p, str)}
        self.hidden = sorted(addends)
        self.first_annotation = len(Column) + len(self.hidden)

    def words(self) -> NDArray[np.int64]:
        for column, sources in self.mapping.columns.items():
            absent = self.absent(column)
            for rank, source in enumerate(sources):
                self.source(column, source, 2 * rank, absent)
        rows = [row for sources_of_key in self.rows.values() for row in sources_of_key]
        slots = self.first_annotation + 3 * ANNOTATIONS
        if len(rows) > MAX_SOURCES or slots > MAX_SLOTS:
            raise MappingError(f"found {len(rows)} sources, {slots} slots, expected {MAX_SOURCES}, {MAX_SLOTS} at most")
        words = [0] * SOURCES + [word for row in rows for word in row]
        words[SLOTS], words[FIRST_ANNOTATION] = slots, self.first_annotation
        self.add_keys(words)
        self.add_scopes(words)
        _add_values(words, self.sets)
        return np.array([*words, 0], np.int64)

    def add_keys(self, words: list[int]) -> None:
        """Add the names of attributes: their texts, what is known of each, and the table to find them in."""
        known, source = [], 0
        for name, sources in self.rows.items():
            known += [_add_text(words, name), len(name.encode()), source]
            source += len(sources)
        words[KEYS] = len(words)
        words += [*known, 0, 0, source]
        names = [name.encode() for name in self.rows]
        hashes = [int(hash_key(np.frombuffer(raw + bytes(SLACK), np.uint8), 0, len(raw))) for raw in names]
        words[KEY_MASK], words[KEY_HASH], words[KEY_NUMBER] = _add_table(words, hashes, list(range(len(names))), -1)

    def add_scopes(self, words: list[int]) -> None:
        """Add the patterns of scopes, behind each other."""
        first = _add_text(words, "".join(self.scopes))
        words[SCOPE_COUNT], words[SCOPE_TEXT] = len(self.scopes), len(words)
        words += [
            first + sum(len(pattern.encode()) for pattern in self.scopes[:i]) for i in range(len(self.scopes) + 1)
        ]

    def absent(self, column: Column) -> int:
        """Give the set of texts that say nothing in a column; -1 where there is none."""
        texts = self.mapping.absent.get(column)
        return self.add_set(dict.fromkeys(texts, ABSENT_TEXT)) if texts else -1

    def add_set(self, texts: dict[str, int]) -> int:
        self.sets.append(texts)
        return len(self.sets) - 1

    def source(self, column: Column, source: Source, rank: int, absent: int) -> None:
        how, values = _how(column, source), absent
        if source.values is not None:
            values = self.add_set(dict(source.values))
        plus = [p if isinstance(p, Column) else len(Column) + self.hidden.index(p) for p in source.plus]
        if len(plus) > 2:
            raise MappingError(f"{column.name}: {source.attribute}: found {len(plus)} in `plus`, expected at most 2")
        row = [source.places, self.scope(source.scope), source.kinds, int(column), rank, how, values]
        row += [_SCALE.get(column, source.constant or 0), *plus, *[-1] * (2 - len(plus))]
        if column in EVALUATIONS and ".N." in source.attribute:
            for n in range(ANNOTATIONS):
                slot = self.first_annotation + 3 * n + EVALUATIONS.index(column)
                self.rows[source.attribute.replace(".N.", f".{n}.")].append([SPAN, *row[1:SLOT], slot, *row[RANK:]])
        else:
            self.rows[source.attribute].append(row)
        for name in source.plus:
            if isinstance(name, str):
                slot = len(Column) + self.hidden.index(name)
                extra = [SPAN, row[SCOPE], ALL_KINDS, slot, 0, NUMBER, -1, row[CONSTANT], -1, -1]
                self.rows[name].append(extra)

    def scope(self, pattern: str) -> int:
        """Give the bit of a scope pattern."""
        if not pattern:
            return -1
        if pattern not in self.scopes:
            self.scopes.append(pattern)
        if len(self.scopes) > MAX_SCOPES:
            raise MappingError(f"found more than {MAX_SCOPES} different scopes")
        return self.scopes.index(pattern)


def _how(column: Column, source: Source) -> int:
    if column in MEANINGS:
        return CHOICES if source.values is not None else PRESENCE
    if source.digest:
        return CONTENT_NAME
    if column in CONTENTS:
        return CONTENT
    return NAME if column <= Column.LABEL else NUMBER


def _add_text(words: list[int], text: str) -> int:
    """Add a text, padded to whole words and SLACK: its byte offset."""
    raw = text.encode()
    first = 8 * len(words)
    words += np.frombuffer(raw + bytes(-len(raw) % 8 + SLACK), np.int64).tolist()
    return first


def _add_values(words: list[int], sets: list[dict[str, int]]) -> None:
    """Add the sets of texts and what they mean."""
    meanings = {
        int(value_key(digest_of(text), i)): value for i, texts in enumerate(sets) for text, value in texts.items()
    }
    table = _add_table(words, list(meanings), list(meanings.values()), 0)
    words[VALUE_MASK], words[VALUE_KEY], words[VALUE_MEANING] = table


def _add_table(words: list[int], keys: list[int], values: list[int], empty: int) -> tuple[int, int, int]:
    """Add an open-addressed table, at most a quarter full: (size - 1, position of the keys, of the values)."""
    size = 1 << (4 * len(keys) + 4).bit_length()
    found, meaning, used = [0] * size, [empty] * size, [False] * size
    for key, value in zip(keys, values, strict=True):
        place = key & (size - 1)
        while used[place]:
            place = (place + 1) & (size - 1)
        found[place], meaning[place], used[place] = key, value, True
    first = len(words)
    words += [*found, *meaning]
    return size - 1, first, first + size
