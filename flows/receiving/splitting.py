"""Cutting a request into messages that the log takes, between spans: each is an OTLP request of its own.

A request is a tree: resources hold scopes, scopes hold spans (or log records). What stands beside the list at each
level (the resource, the scope, schema addresses) is repeated in every message that holds a part of the list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from flows.protobuf import BYTES, fields, varint
from flows.receiving.bodies import BodyType, UnreadableError
from flows.receiving.looking import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATH: Final = (1 << 3 | BYTES, 2 << 3 | BYTES, 2 << 3 | BYTES)  # tags of the lists, in TracesData and LogsData alike
_JSON_PATHS: Final = (("resourceSpans", "scopeSpans", "spans"), ("resourceLogs", "scopeLogs", "logRecords"))
_HEADER_BYTES: Final = 12  # at most: tag and length of a field, or key, brackets and comma in JSON


@dataclass(frozen=True)
class Split:
    """The messages, and how many spans or records are too large to be in any."""

    messages: list[bytes]
    rejected: int


def split(body: bytes, kind: BodyType, limit: int) -> Split:
    """Cut a request into messages of at most `limit` bytes, in order. Raises UnreadableError, NotProtobufError."""
    if len(body) <= limit:
        # no bytes are an empty request in protobuf, and no request at all in JSON
        return Split([body] if body or kind is BodyType.JSON else [], 0)
    if kind is BodyType.PROTOBUF:
        return _split(_Wire(body, _PATH), limit)
    request = parsed(body)
    path = next((path for path in _JSON_PATHS if path[0] in request), None)
    if path is None:  # nothing of it would be kept, and nobody told
        names = " nor ".join(repr(path[0]) for path in _JSON_PATHS)
        msg = f"the body holds neither {names}"
        raise UnreadableError(msg)
    return _split(_Json(request, path), limit)


class _Level(Protocol):
    """One level of the tree: what is repeated, and the parts of its list."""

    def parts(self) -> Iterator[tuple[_Level | None, bytes]]:
        """Give each part: its own level (None: it cannot be cut), and its bytes as they lie in the list."""
        ...

    def wrap(self, parts: list[bytes]) -> bytes:
        """Make this level again with these parts only."""
        ...

    def part(self, level: bytes) -> bytes:
        """Give a level of the next depth as it lies in this one's list."""
        ...

    def leaves(self) -> int:
        """Count the spans or records below."""
        ...


def _split(level: _Level, limit: int) -> Split:
    room = limit - len(level.wrap([])) - _HEADER_BYTES
    messages: list[bytes] = []
    group: list[bytes] = []
    size = rejected = 0
    for below, content in level.parts():
        pieces = [content]
        if len(content) > room:
            inner = _split(below, room - _HEADER_BYTES) if below is not None and room > 0 else None
            pieces = [level.part(message) for message in inner.messages] if inner else []
            rejected += inner.rejected if inner else (below.leaves() if below is not None else 1)
        for piece in pieces:
            if group and size + len(piece) > room:
                messages.append(level.wrap(group))
                group, size = [], 0
            group.append(piece)
            size += len(piece)
    if group:
        messages.append(level.wrap(group))
    return Split(messages, rejected)


class _Wire:
    """A level as protobuf bytes; a span's own fields are never looked at."""

    def __init__(self, message: bytes, path: tuple[int, ...]) -> None:
        self._message = message
        self._path = path
        found = list(fields(message))
        self._beside = b"".join(message[start:stop] for tag, start, _, stop in found if tag != path[0])
        self._listed = [(start, content, stop) for tag, start, content, stop in found if tag == path[0]]

    def parts(self) -> Iterator[tuple[_Level | None, bytes]]:
        for start, content, stop in self._listed:
            below = _Wire(self._message[content:stop], self._path[1:]) if len(self._path) > 1 else None
            yield below, self._message[start:stop]

    def wrap(self, parts: list[bytes]) -> bytes:
        return b"".join([self._beside, *parts])

    def part(self, level: bytes) -> bytes:
        return bytes([self._path[0]]) + varint(len(level)) + level

    def leaves(self) -> int:
        if len(self._path) == 1:
            return len(self._listed)
        return sum(below.leaves() for below, _ in self.parts() if below is not None)


class _Json:
    """A level as a JSON object; parts are texts, put together without parsing them again."""

    def __init__(self, value: Any, path: tuple[str, ...]) -> None:
        listed = value.get(path[0]) or [] if isinstance(value, dict) else None  # absent and null are empty lists
        if not isinstance(listed, list):
            msg = f"the body holds no list {path[0]!r} where one belongs"
            raise UnreadableError(msg)
        self._listed = listed
        self._path = path
        self._beside = orjson.dumps({name: content for name, content in value.items() if name != path[0]})

    def parts(self) -> Iterator[tuple[_Level | None, bytes]]:
        for value in self._listed:
            yield (_Json(value, self._path[1:]) if len(self._path) > 1 else None), orjson.dumps(value)

    def wrap(self, parts: list[bytes]) -> bytes:
        beside = self._beside[:-1] + (b"," if len(self._beside) > len(b"{}") else b"")
        return beside + orjson.dumps(self._path[0]) + b":[" + b",".join(parts) + b"]}"

    def part(self, level: bytes) -> bytes:
        return level

    def leaves(self) -> int:
        if len(self._path) == 1:
            return len(self._listed)
        return sum(below.leaves() for below, _ in self.parts() if below is not None)
