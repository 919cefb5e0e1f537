"""The fields of opentelemetry-proto that are transcoded from JSON, and the hash table that finds them by key.

Numbers and types: opentelemetry-proto 1.x `trace.proto`, `logs.proto`, `common.proto`, `resource.proto`. Left out, and
so skipped like any unknown key: `entityRefs` and the string-table indexes of profiles, which Flyball does not read.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from models.digest import digest_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Kind(IntEnum):
    """How the value of a field is written in JSON and on the wire."""

    STRING = 1
    TRACE_ID = 2
    SPAN_ID = 3
    BYTES = 4
    BOOL = 5
    INT64 = 6  # varint
    UINT32 = 7  # varint
    ENUM = 8  # varint, or a name
    FIXED64 = 9
    FIXED32 = 10
    DOUBLE = 11
    MESSAGE = 12
    MESSAGES = 13  # repeated


class Message(IntEnum):
    """The message types; ROOT is TracesData and LogsData in one, for both have their list in field 1."""

    ROOT = 1
    RESOURCE_SPANS = 2
    RESOURCE_LOGS = 3
    RESOURCE = 4
    SCOPE_SPANS = 5
    SCOPE_LOGS = 6
    SCOPE = 7
    SPAN = 8
    EVENT = 9
    LINK = 10
    STATUS = 11
    LOG_RECORD = 12
    KEY_VALUE = 13
    ANY_VALUE = 14
    ARRAY = 15
    KEY_VALUES = 16


class Enum(IntEnum):
    """The enums; the value is the `child` of their fields."""

    SPAN_KIND = 1
    STATUS_CODE = 2
    SEVERITY_NUMBER = 3


_M = Message
_ATTRIBUTES = (Kind.MESSAGES, _M.KEY_VALUE)
_Field = tuple[int, Kind] | tuple[int, Kind, Message | Enum]

SCHEMA: dict[Message, dict[str, _Field]] = {
    _M.ROOT: {
        "resourceSpans": (1, Kind.MESSAGES, _M.RESOURCE_SPANS),
        "resourceLogs": (1, Kind.MESSAGES, _M.RESOURCE_LOGS),
    },
    _M.RESOURCE_SPANS: {
        "resource": (1, Kind.MESSAGE, _M.RESOURCE),
        "scopeSpans": (2, Kind.MESSAGES, _M.SCOPE_SPANS),
        "schemaUrl": (3, Kind.STRING),
    },
    _M.RESOURCE_LOGS: {
        "resource": (1, Kind.MESSAGE, _M.RESOURCE),
        "scopeLogs": (2, Kind.MESSAGES, _M.SCOPE_LOGS),
        "schemaUrl": (3, Kind.STRING),
    },
    _M.RESOURCE: {"attributes": (1, *_ATTRIBUTES), "droppedAttributesCount": (2, Kind.UINT32)},
    _M.SCOPE_SPANS: {
        "scope": (1, Kind.MESSAGE, _M.SCOPE),
        "spans": (2, Kind.MESSAGES, _M.SPAN),
        "schemaUrl": (3, Kind.STRING),
    },
    _M.SCOPE_LOGS: {
        "scope": (1, Kind.MESSAGE, _M.SCOPE),
        "logRecords": (2, Kind.MESSAGES, _M.LOG_RECORD),
        "schemaUrl": (3, Kind.STRING),
    },
    _M.SCOPE: {
        "name": (1, Kind.STRING),
        "version": (2, Kind.STRING),
        "attributes": (3, *_ATTRIBUTES),
        "droppedAttributesCount": (4, Kind.UINT32),
    },
    _M.SPAN: {
        "traceId": (1, Kind.TRACE_ID),
        "spanId": (2, Kind.SPAN_ID),
        "traceState": (3, Kind.STRING),
        "parentSpanId": (4, Kind.SPAN_ID),
        "name": (5, Kind.STRING),
        "kind": (6, Kind.ENUM, Enum.SPAN_KIND),
        "startTimeUnixNano": (7, Kind.FIXED64),
        "endTimeUnixNano": (8, Kind.FIXED64),
        "attributes": (9, *_ATTRIBUTES),
        "droppedAttributesCount": (10, Kind.UINT32),
        "events": (11, Kind.MESSAGES, _M.EVENT),
        "droppedEventsCount": (12, Kind.UINT32),
        "links": (13, Kind.MESSAGES, _M.LINK),
        "droppedLinksCount": (14, Kind.UINT32),
        "status": (15, Kind.MESSAGE, _M.STATUS),
        "flags": (16, Kind.FIXED32),
    },
    _M.EVENT: {
        "timeUnixNano": (1, Kind.FIXED64),
        "name": (2, Kind.STRING),
        "attributes": (3, *_ATTRIBUTES),
        "droppedAttributesCount": (4, Kind.UINT32),
    },
    _M.LINK: {
        "traceId": (1, Kind.TRACE_ID),
        "spanId": (2, Kind.SPAN_ID),
        "traceState": (3, Kind.STRING),
        "attributes": (4, *_ATTRIBUTES),
        "droppedAttributesCount": (5, Kind.UINT32),
        "flags": (6, Kind.FIXED32),
    },
    _M.STATUS: {"message": (2, Kind.STRING), "code": (3, Kind.ENUM, Enum.STATUS_CODE)},
    _M.LOG_RECORD: {
        "timeUnixNano": (1, Kind.FIXED64),
        "severityNumber": (2, Kind.ENUM, Enum.SEVERITY_NUMBER),
        "severityText": (3, Kind.STRING),
        "body": (5, Kind.MESSAGE, _M.ANY_VALUE),
        "attributes": (6, *_ATTRIBUTES),
        "droppedAttributesCount": (7, Kind.UINT32),
        "flags": (8, Kind.FIXED32),
        "traceId": (9, Kind.TRACE_ID),
        "spanId": (10, Kind.SPAN_ID),
        "observedTimeUnixNano": (11, Kind.FIXED64),
        "eventName": (12, Kind.STRING),
    },
    _M.KEY_VALUE: {"key": (1, Kind.STRING), "value": (2, Kind.MESSAGE, _M.ANY_VALUE)},
    _M.ANY_VALUE: {
        "stringValue": (1, Kind.STRING),
        "boolValue": (2, Kind.BOOL),
        "intValue": (3, Kind.INT64),
        "doubleValue": (4, Kind.DOUBLE),
        "arrayValue": (5, Kind.MESSAGE, _M.ARRAY),
        "kvlistValue": (6, Kind.MESSAGE, _M.KEY_VALUES),
        "bytesValue": (7, Kind.BYTES),
    },
    _M.ARRAY: {"values": (1, Kind.MESSAGES, _M.ANY_VALUE)},
    _M.KEY_VALUES: {"values": (1, *_ATTRIBUTES)},
}

_SEVERITIES = [f"{level}{i}" for level in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL") for i in ("", 2, 3, 4)]
ENUM_NAMES: dict[Enum, list[str]] = {
    Enum.SPAN_KIND: ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"],
    Enum.STATUS_CODE: ["UNSET", "OK", "ERROR"],
    Enum.SEVERITY_NUMBER: ["UNSPECIFIED", *_SEVERITIES],
}

SLOTS = 512
LONGEST_KEY = 24
MULTIPLIERS = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5)
_TOP = 2**64 - 1


def slot_of(words: tuple[int, int, int], message: int, length: int) -> int:
    """Give the first slot of a key: the upper 9 bits of a multiplicative hash, as the kernel computes it."""
    m = MULTIPLIERS
    h = words[0] * m[0] ^ words[1] * m[1] ^ words[2] * m[2] ^ (message << 8 | length) * m[3]
    return (h & _TOP) >> 55


def describe(message: int, length: int, number: int, kind: int, child: int) -> int:
    """Pack what a key means into one word: child, kind, number, then who owns the key and how long it is."""
    return child | kind << 8 | number << 16 | length << 24 | message << 32


def _key_words(key: str) -> tuple[int, int, int]:
    raw = key.encode().ljust(LONGEST_KEY, b"\0")
    return (int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:16], "little"), int.from_bytes(raw[16:], "little"))


def build_key_table() -> NDArray[np.uint64]:
    """Give uint64 [SLOTS, 4]: the key in three little-endian words and its description; 0 is an empty slot."""
    table = np.zeros((SLOTS, 4), np.uint64)
    for message, fields in SCHEMA.items():
        for name, field in fields.items():
            child = field[2] if len(field) > 2 else 0  # noqa: PLR2004 - fields of messages and enums have a third part
            for key in {name, re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name)}:
                words = _key_words(key)
                slot = slot_of(words, message, len(key))
                while table[slot, 3]:
                    slot = (slot + 1) % SLOTS
                table[slot] = (*words, describe(message, len(key), field[0], field[1], child))
    return table


def build_enum_table() -> NDArray[np.int64]:
    """Give int64 [names, 3]: of each enum value its enum, the digest of its whole name, its number."""
    rows = [
        (enum, digest_of(f"{enum.name}_{name}"), number)
        for enum, names in ENUM_NAMES.items()
        for number, name in enumerate(names)
    ]
    return np.array(rows, np.int64)
