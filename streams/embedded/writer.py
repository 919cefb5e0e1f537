"""Writing to the embedded log: messages are queued by partition, and written at flush, one write a partition."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from streams.port import UndeliveredError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.embedded.appender import Appender
    from streams.embedded.settings import Settings


class _Topic:
    """One topic as a writer sees it."""

    def __init__(self, appenders: list[Appender], settings: Settings) -> None:
        self.appenders = appenders
        self.max_message_bytes = settings.max_message_bytes
        self.queues: list[list[tuple[bytes | None, bytes]]] = [[] for _ in appenders]
        self.turn = 0

    def queue_for(self, key: bytes | None) -> list[tuple[bytes | None, bytes]]:
        """Choose the partition: by crc32 of the key, for ever; without a key in turn."""
        if key is not None:
            return self.queues[zlib.crc32(key) % len(self.queues)]
        self.turn = (self.turn + 1) % len(self.queues)
        return self.queues[self.turn]


class EmbeddedWriter:
    """A writer of any topics of one log. Not thread-safe; other writers may write at the same time."""

    def __init__(
        self,
        appenders: Callable[[str], list[Appender]],
        settings: Callable[[str], Settings],
        now_ns: Callable[[], int],
    ) -> None:
        self._open = appenders
        self._settings = settings
        self._now_ns = now_ns
        self._topics: dict[str, _Topic] = {}
        self._failures: list[OSError] = []

    def append(self, topic: str, messages: Sequence[tuple[bytes | None, bytes]]) -> None:
        """Queue messages for the next flush. Raises ValueError, and queues none, where one is too large."""
        known = self._topics.get(topic)
        if known is None:
            known = self._topics[topic] = _Topic(self._open(topic), self._settings(topic))
        largest = max((len(key or b"") + len(value) for key, value in messages), default=0)
        if largest > known.max_message_bytes:
            msg = f"{topic}: a message of {largest} bytes; at most {known.max_message_bytes} are allowed"
            raise ValueError(msg)
        for key, value in messages:
            known.queue_for(key).append((key, value))

    def push(self) -> None:
        """Write what is queued; what the disk refuses is raised by the next flush."""
        now_ns = self._now_ns()
        for topic in self._topics.values():
            for number, (appender, queue) in enumerate(zip(topic.appenders, topic.queues, strict=True)):
                if not queue:
                    continue
                topic.queues[number] = []
                try:
                    appender.append(queue, now_ns)
                except OSError as error:
                    self._failures.append(error)

    def flush(self) -> None:
        """Write what is queued. Raises UndeliveredError where the disk refuses; other partitions are still written."""
        self.push()
        failures, self._failures = self._failures, []
        if failures:
            msg = f"{len(failures)} partitions could not be written: {failures[0]}"
            raise UndeliveredError(msg) from failures[0]

    def close(self) -> None:
        """Flush, and close the files."""
        try:
            self.flush()
        finally:
            for topic in self._topics.values():
                for appender in topic.appenders:
                    appender.close()
            self._topics.clear()
