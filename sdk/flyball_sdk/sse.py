"""Server-sent events, as far as signals need them: events with a name and one text, no reconnection by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_LINE: Final = 1 << 20
LARGEST_EVENT: Final = 4 << 20


class Frame(NamedTuple):
    """One event."""

    event: str
    data: str


class Lines(Protocol):
    """What lines are read from."""

    def readline(self, limit: int, /) -> bytes:
        """Read one line with its end, at most `limit` bytes; empty: the stream is over."""


def frames(lines: Lines) -> Iterator[Frame]:
    """Give the events of a stream until it ends; a part of one at the end is dropped.

    Raises ValueError for a line or an event that is too long, or is not UTF-8.
    """
    event, data, size = "message", list[str](), 0
    while line := lines.readline(LARGEST_LINE + 1):
        size += len(line)
        if len(line) > LARGEST_LINE or size > LARGEST_EVENT:
            raise ValueError("an event of the stream is too long")
        text = line.decode().rstrip("\r\n")
        if not text:
            if data:
                yield Frame(event, "\n".join(data))
            event, data, size = "message", [], 0
            continue
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
