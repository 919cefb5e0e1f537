"""What a topic of the log holds now, read from its beginning, for commands that look things up."""

from __future__ import annotations

import heapq
import sys
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import orjson

from flyball.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.port import Log, Message, Reader

    Members = Mapping[str, type | tuple[type, ...]]

_AT_ONCE, _BYTES = 1000, 1 << 20
_PAUSE_S = 0.02


def readers(log: Log, topic: str) -> list[Reader]:
    """Open a reader for each partition; raises CommandError where the topic is not there."""
    count = log.partitions(topic)
    if not count:
        msg = f"topic {topic} is not there yet: the log has it once `flyball up` has run; --data says where it lies"
        raise CommandError(msg)
    return [log.reader(topic, partition, None) for partition in range(count)]


def present(reader: Reader) -> Iterator[Message]:
    """Yield what one partition has now; Kafka gives nothing at first while it still has some."""
    while True:
        messages = reader.poll(_AT_ONCE, _BYTES)
        yield from messages
        if not messages:
            if not reader.lag():
                return
            time.sleep(_PAUSE_S)


def record_of(value: bytes, members: Members) -> dict[str, Any] | None:
    """Read a record that has members of these types; None: it is none, whoever wrote it into the topic."""
    try:
        said = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    fits = isinstance(said, dict) and all(isinstance(said.get(name), of) for name, of in members.items())
    return said if fits else None


def records(log: Log, topic: str, members: Members) -> Iterator[dict[str, Any]]:
    """Yield all records of a topic that have these members, the oldest first; what else is there is told after."""
    others = 0
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(reader)) for reader in readers(log, topic)]
        for message in heapq.merge(*map(present, opened), key=lambda message: message.appended_ns):
            record = record_of(message.value, members)
            if record is None:
                others += 1
            else:
                yield record
    tell_left_out(others, topic)


def tell_left_out(count: int, topic: str) -> None:
    """Say on stderr how many messages are no records."""
    if count:
        what = "message is no record and is" if count == 1 else "messages are no records and are"
        print(f"flyball: {count} {what} left out of {topic}", file=sys.stderr)  # noqa: T201 -- for people
