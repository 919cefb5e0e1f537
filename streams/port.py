"""The port between Flyball's parts: a partitioned, durable, ordered log. Two adapters: `streams.embedded` and `streams.kafka`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Message(NamedTuple):
    """One message as it lies in a partition."""

    offset: int
    appended_ns: int  # Unix nanoseconds; when the log took it
    key: bytes | None
    value: bytes


class LostOffsetError(Exception):
    """The offset asked for is gone (retention) or beyond the end (truncation): a person must choose where to go on."""


class Reader(Protocol):
    """Reads one partition forward. Not thread-safe."""

    def poll(self, max_messages: int, max_bytes: int) -> Sequence[Message]:
        """Give what is there now, never waits; empty when caught up. Raises LostOffsetError."""
        ...

    def lag(self) -> int:
        """Count the messages after the last one given."""
        ...

    def close(self) -> None:
        """Release files and sockets."""
        ...


class Writer(Protocol):
    """Appends to topics. Not thread-safe."""

    def append(self, topic: str, messages: Sequence[tuple[bytes | None, bytes]]) -> None:
        """Queue (key, value) pairs; a message with a key always goes to the partition of that key."""
        ...

    def flush(self) -> None:
        """Return when all that was appended survives the death of this process; raises if any was not taken."""
        ...

    def close(self) -> None:
        """Flush and release."""
        ...


class Log(Protocol):
    """A log: topics of partitions."""

    def ensure(self, topic: str, partitions: int) -> None:
        """Create the topic if it is missing; an existing one keeps its partitions."""
        ...

    def partitions(self, topic: str) -> int:
        """Count the partitions; 0 when the topic is missing."""
        ...

    def reader(self, topic: str, partition: int, offset: int | None) -> Reader:
        """Open a reader at `offset` (of the next message to give); None: at the oldest message there is."""
        ...

    def writer(self) -> Writer:
        """Open a writer."""
        ...
