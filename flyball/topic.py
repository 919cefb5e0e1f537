"""What a topic of the log holds now, read from its beginning, for commands that look things up."""

from __future__ import annotations

import heapq
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import orjson

from flyball.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.port import Log, Message, Reader

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


def records(log: Log, topic: str) -> Iterator[dict[str, Any]]:
    """Yield all records of a topic, the oldest first."""
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(reader)) for reader in readers(log, topic)]
        for message in heapq.merge(*map(present, opened), key=lambda message: message.appended_ns):
            yield orjson.loads(message.value)
