"""The port between Flyball's parts: a partitioned, durable, ordered log.

Two adapters: `streams.embedded` and `streams.kafka`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Message(NamedTuple):
    """One message as it lies in a partition."""

    offset: int
    appended_ns: int  # Unix nanoseconds; when the log took it
    key: bytes | None
    value: bytes

    @property
    def size(self) -> int:
        """Count the bytes of key and value."""
        return len(self.value) + len(self.key or b"")


class LogError(Exception):
    """Something the log could not do."""


class LostOffsetError(LogError):
    """The offset asked for is gone (retention) or beyond the end (truncation): a person must choose where to go on."""


class UndeliveredError(LogError):
    """Messages were appended that the log did not take, or may not have taken: append them again or say so."""


class UnreachableError(LogError):
    """The log does not answer now; trying again may help."""


def told(error: Exception) -> str:
    """Say what went wrong to people: what a log says is meant for them, of anything else the kind is needed."""
    return str(error) if isinstance(error, LogError) and str(error) else f"{type(error).__name__}: {error}"


class Reader(Protocol):
    """Reads one partition forward. Not thread-safe."""

    def poll(self, max_messages: int, max_bytes: int) -> Sequence[Message]:
        """Give what is there now, never waits; empty when caught up. Raises LostOffsetError.

        `max_bytes` bounds the sum of keys and values, but one message is always given, whatever its size. While the log
        cannot be reached nothing is given and nothing raised: it is tried again at every call.
        """
        ...

    def lag(self) -> int:
        """Count the messages after the last one given; 0 only where that is known, at least 1 while it is not."""
        ...

    def expects(self) -> bool:
        """Tell whether more is in the log than was given, as far as is known without asking; True where unknown."""
        ...

    def close(self) -> None:
        """Release files and sockets."""
        ...


class Writer(Protocol):
    """Appends to topics. Not thread-safe."""

    def append(self, topic: str, messages: Sequence[tuple[bytes | None, bytes]]) -> None:
        """Queue (key, value) pairs; a message with a key always goes to the partition of that key.

        Raises ValueError, and queues none, where one is larger than the log allows; LogError where it must.
        """
        ...

    def push(self) -> None:
        """Send what was appended on its way without waiting for an answer; what fails is raised by the next flush."""
        ...

    def flush(self) -> None:
        """Return when all that was appended survives the death of this process.

        Raises UndeliveredError if any was not taken; what was queued is then gone from the writer, and a part of it may
        be in the log.
        """
        ...

    def close(self) -> None:
        """Flush and release."""
        ...


class Log(Protocol):
    """A log: topics of partitions."""

    def ensure(self, topic: str, partitions: int) -> None:
        """Create the topic if it is missing; an existing one keeps its partitions. Raises UnreachableError."""
        ...

    def partitions(self, topic: str) -> int:
        """Count the partitions; 0 when the topic is missing. Raises UnreachableError."""
        ...

    def reader(self, topic: str, partition: int, offset: int | None) -> Reader:
        """Open a reader at `offset` (of the next message to give); None: at the oldest message there is.

        Raises LostOffsetError, UnreachableError.
        """
        ...

    def end(self, topic: str, partition: int) -> int:
        """Tell the offset that the next message will have. Raises UnreachableError."""
        ...

    def offset_at(self, topic: str, partition: int, appended_ns: int) -> int | None:
        """Give an offset to read from for all messages that were appended at that time (Unix ns) or later.

        A place to begin, not the first of them: older messages may come before. None: begin at the oldest message there
        is. Raises UnreachableError.
        """
        ...

    def writer(self) -> Writer:
        """Open a writer."""
        ...

    def commit(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Tell others how far this consumer is: partition to offset of the next message. Never waits."""
        ...

    def backlog(self, topic: str) -> int | None:
        """Count the messages after what was last committed; None when nobody ever did. Raises UnreachableError."""
        ...

    def close(self) -> None:
        """Release what the log's readers and writers share."""
        ...
