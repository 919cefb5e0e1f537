# ruff: noqa: EM102, PLR2004 - messages name what was found and what is expected
"""The mapping as flat arrays: what the kernels look attributes up in."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from models.digest import SLACK, digest_of, load64, mix64
from models.kernels import kernel
from models.spans.columns import Column
from models.spans.mapping import (
    ALL_KINDS,
    ANNOTATIONS,
    CONTENTS,
    EVALUATIONS,
    LOG,
    MEANINGS,
    RECORD_NAME,
    SPAN,
    Mapping,
    MappingError,
    Name,
    Source,
)
from models.spans.wire_state import MAX_SLOTS, MAX_SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

NAME, CONTENT, NUMBER, CONTENT_NAME, CHOICES, PRESENCE, UUID_FREE_NAME = range(7)
"""How a source is read. UUID_FREE_NAME: a name, but a UUID is none."""

KEY_MASK, KEY_HASH, KEY_NUMBER, KEYS, VALUE_MASK, VALUE_KEY, VALUE_MEANING = range(7)
SCOPE_COUNT, SCOPE_TEXT, SLOTS, FIRST_ANNOTATION, RECORD_KEY, OTHER_ERROR = range(7, 13)
SOURCES = 16
"""Positions in the compiled mapping, one array of int64 words. MASK: size - 1 of an open-addressed table. Others are
positions again: hashes and numbers (-1: empty) of keys; of each key what KEY_FIELDS says; keys (0: empty) and meanings
of values; byte offsets of scope patterns. SLOTS: how many slots there are, which are places for values: the canonical
columns, hidden ones, then annotations. RECORD_KEY: number of the key that is a log record's name. OTHER_ERROR: byte
offset of the error type of errors that have none. SOURCES: by FIELDS.
"""

KEY_TEXT, KEY_LENGTH, KEY_SOURCE, KEY_OPENS, KEY_PARENT = range(5)
KEY_FIELDS = 8
"""Fields of a key, with room up to a power of 2: byte offset of its text in the array, its length, first source,
whether members of its value are keys too, and the number of the key whose value it is a member of, -1: it is an
attribute."""

PLACE, SCOPE, KINDS, SLOT, RANK, HOW, VALUES, CONSTANT, PLUS, PLUS_TOO, WITHIN, ROLES, BESIDE = range(13)
FIELDS = 16
"""Fields of a source, with room up to a power of 2. SCOPE: bit of the pattern, -1: any. KINDS: AT_ONCE if nothing must
be waited for. RANK: even; the same source on a resource has the next, odd, rank. VALUES: set of texts, -1: none.
CONSTANT: meaning of the presence, or power of ten of a number. PLUS, WITHIN, BESIDE: slots, -1: none. ROLES: OTLP's
kinds, as bits."""

AT_ONCE = ALL_KINDS | 1 << 40
OTHER_TYPE = "_OTHER"
"""https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/"""

MAX_SCOPES = 30
ABSENT_TEXT = -1
"""Meaning of a text in a set of values: it says nothing."""

SIGNED_SCALE = 6
"""Power of ten of scores, the only numbers that may be negative."""

_SCALE = {Column.COST: 9, Column.SCORE: SIGNED_SCALE}
_ONE = np.uint64(1)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@kernel
def hash_key(buffer: Any, at: Any, length: Any) -> Any:
    """Hash an attribute's name: by its length and its first and last 8 bytes; equal names are compared in full."""
    if length >= 8:
        first, last = load64(buffer, at), load64(buffer, at + length - 8)
    else:
        first = load64(buffer, at) & ((_ONE << np.uint64(8 * length)) - _ONE)
        last = np.uint64(0)
    return np.int64(mix64((first * _SPREAD) ^ last ^ (np.uint64(length) << np.uint64(56))))


@kernel
def number_digest(number: Any) -> Any:
    """Digest a whole number, to look it up in a set of values."""
    return np.int64(mix64(np.uint64(number) ^ _SPREAD) | _ONE)


@kernel
def hash_member(hashed: Any, parent: Any) -> Any:
    """Hash a member's name, hashed as an attribute's, in the value of the key of this number; -1: the attribute's."""
    return np.int64(mix64(np.uint64(hashed) + np.uint64(parent + 1) * _SPREAD)) if parent >= 0 else hashed


@kernel
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
        self.rows: defaultdict[Name, list[list[int]]] = defaultdict(list)
        self.scopes: list[str] = []
        self.sets: list[dict[str, int]] = []
        sources = [source for sources in mapping.columns.values() for source in sources]
        numbers = {name for s in sources for name in (*s.plus, s.within) if isinstance(name, tuple) and name}
        presences = {s.beside for s in sources if s.beside}
        self.hidden = [(NUMBER, name) for name in sorted(numbers)] + [(PRESENCE, name) for name in sorted(presences)]
        self.first_annotation = len(Column) + len(self.hidden)

    def words(self) -> NDArray[np.int64]:
        for column, sources in self.mapping.columns.items():
            absent = self.absent(column)
            for rank, source in enumerate(sources):
                self.source(column, source, 2 * rank, absent)
        for key in ((RECORD_NAME,), *(name[:n] for name in list(self.rows) for n in range(1, len(name)))):
            self.rows[key] += []  # keys without sources of their own
        rows = [row + [0] * (FIELDS - len(row)) for sources_of_key in self.rows.values() for row in sources_of_key]
        slots = self.first_annotation + 3 * ANNOTATIONS
        if len(rows) > MAX_SOURCES or slots > MAX_SLOTS:
            raise MappingError(f"found {len(rows)} sources, {slots} slots, expected {MAX_SOURCES}, {MAX_SLOTS} at most")
        words = [0] * SOURCES + [word for row in rows for word in row]
        words[SLOTS], words[FIRST_ANNOTATION] = slots, self.first_annotation
        words[OTHER_ERROR] = _add_text(words, OTHER_TYPE)
        self.add_keys(words)
        self.add_scopes(words)
        _add_values(words, self.sets)
        return np.array([*words, 0], np.int64)

    def add_keys(self, words: list[int]) -> None:
        """Add the names of attributes and members: their texts, what is known of each, the table to find them in."""
        known, hashes, source = [], [], 0
        numbers = {name: number for number, name in enumerate(self.rows)}
        opened = {name[:-1] for name in self.rows}
        for name, sources in self.rows.items():
            text, parent = name[-1], numbers.get(name[:-1], -1)
            fields = [_add_text(words, text), len(text.encode()), source, int(name in opened), parent]
            known += fields + [0] * (KEY_FIELDS - len(fields))
            hashes.append(_hash(text.encode(), parent))
            source += len(sources)
        words[KEYS], words[RECORD_KEY] = len(words), numbers[RECORD_NAME,]
        words += [*known, 0, 0, source, *[0] * (KEY_FIELDS - 3)]
        words[KEY_MASK], words[KEY_HASH], words[KEY_NUMBER] = _add_table(words, hashes, list(range(len(hashes))), -1)

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
        how, values = _how(column, source, column in self.mapping.unnamed), absent
        if source.values is not None:
            values = self.add_set(dict(source.values))
        if len(source.plus) > 2:
            raise MappingError(f"{column.name}: {source.attribute}: found {len(source.plus)} in `plus`, at most 2 fit")
        # what a span can say, the row of a log record can; its kind is said by its name alone
        places = source.places | (LOG if source.places & SPAN and column != Column.KIND else 0)
        row = [places, self.scope(source.scope), source.kinds if source.waits else AT_ONCE, int(column), rank, how]
        row += [values, _SCALE.get(column, source.constant or 0)]
        plus = [p if isinstance(p, Column) else self.hide(NUMBER, p, row) for p in source.plus]
        row += [*plus, *[-1] * (2 - len(plus)), self.hide(NUMBER, source.within, row), source.span_kinds]
        row.append(self.hide(PRESENCE, source.beside, row))
        if column in EVALUATIONS and ".N." in source.attribute:
            for n in range(ANNOTATIONS):
                slot = self.first_annotation + 3 * n + EVALUATIONS.index(column)
                name = source.attribute.replace(".N.", f".{n}."), *source.path
                self.rows[name].append([SPAN, *row[1:SLOT], slot, *row[RANK:]])
        else:
            self.rows[source.name].append(row)

    def hide(self, how: int, name: Name, row: list[int]) -> int:
        """Have what is said by this name, for the source of `row`, in a slot that is no column: the slot; -1: none."""
        if not name:
            return -1
        slot = len(Column) + self.hidden.index((how, name))
        constant = row[CONSTANT] if how == NUMBER else 0
        self.rows[name].append([SPAN | LOG, row[SCOPE], AT_ONCE, slot, 0, how, -1, constant, -1, -1, -1, 0, -1])
        return slot

    def scope(self, pattern: str) -> int:
        """Give the bit of a scope pattern."""
        if not pattern:
            return -1
        if pattern not in self.scopes:
            self.scopes.append(pattern)
        if len(self.scopes) > MAX_SCOPES:
            raise MappingError(f"found more than {MAX_SCOPES} different scopes")
        return self.scopes.index(pattern)


def _hash(raw: bytes, parent: int) -> int:
    return int(hash_member(hash_key(np.frombuffer(raw + bytes(SLACK), np.uint8), 0, len(raw)), parent))


def _how(column: Column, source: Source, unnamed: bool) -> int:  # noqa: FBT001
    if column in MEANINGS:
        return CHOICES if source.values is not None else PRESENCE
    if source.digest:
        return CONTENT_NAME
    if column in CONTENTS:
        return CONTENT
    if column > Column.LABEL:
        return NUMBER
    return UUID_FREE_NAME if unnamed else NAME


def _add_text(words: list[int], text: str) -> int:
    """Add a text, padded to whole words and SLACK: its byte offset."""
    raw = text.encode()
    first = 8 * len(words)
    words += np.frombuffer(raw + bytes(-len(raw) % 8 + SLACK), np.int64).tolist()
    return first


def _add_values(words: list[int], sets: list[dict[str, int]]) -> None:
    """Add the sets of texts and what they mean; a whole number means what its text does."""
    meanings = {
        int(value_key(digest, i)): value
        for i, texts in enumerate(sets)
        for text, value in texts.items()
        for digest in _digests(text)
    }
    table = _add_table(words, list(meanings), list(meanings.values()), 0)
    words[VALUE_MASK], words[VALUE_KEY], words[VALUE_MEANING] = table


def _digests(text: str) -> Iterator[int]:
    """Give the digest of a text and, if it is a whole number as it is written out, that of the number."""
    yield digest_of(text)
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdecimal() and str(int(text)) == text and abs(int(text)) < 2**63:
        yield number_digest(int(text))


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
