"""Intake: reads a topic from all its partitions; offsets are kept in the transaction of what the messages caused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.topic_readers import TopicReaders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.port import Log

    Take = Callable[[str, int, Sequence[tuple[int, bytes]]], None]
    Begin = Callable[[str, Mapping[int, int]], None]

MAX_MESSAGES = 200
"""At once; a person's kill waits for as many at most, tens of milliseconds."""
MAX_BYTES = 4 << 20


class Intake:
    """One topic. Not thread-safe. `take(topic, partition, [(offset, value)])` keeps the offset itself.

    `known` are the offsets kept, by partition; `begin(topic, offsets)` keeps where some are begun that are not
    read from their oldest message. For `start` and `on_lost` see `TopicReaders`.
    """

    def __init__(
        self,
        log: Log,
        topic: str,
        known: dict[int, int],
        take: Take,
        begin: Begin,
        *,
        start: str = "oldest",
        on_lost: str = "stop",
        say: Callable[[str], None] = print,
    ) -> None:
        self._topic, self._known, self._take, self._begin = topic, known, take, begin
        self._readers = TopicReaders(log, topic, start=start, on_lost=on_lost, say=say)

    def find_partitions(self) -> None:
        """Open readers of partitions that have none yet. Raises UnreachableError, LostOffsetError."""
        self._readers.find_partitions(self._known)
        self._keep_begun()

    def step(self) -> bool:
        """Take what is there; False when nothing had come. Raises LostOffsetError."""
        came = False
        for partition in self._readers.partitions():
            messages = self._readers.poll(partition, MAX_MESSAGES, MAX_BYTES)
            if not messages:
                self._keep_begun()
                continue
            try:
                self._take(self._topic, partition, [(each.offset, each.value) for each in messages])
            except BaseException:
                self._readers.drop(partition)  # to be opened again before these messages
                raise
            self._known[partition] = messages[-1].offset + 1
            self._readers.commit(partition, messages[-1].offset + 1)
            came = True
        return came

    def _keep_begun(self) -> None:
        begun = self._readers.take_begun()
        if begun:
            self._begin(self._topic, begun)
            self._known |= begun

    def lags(self) -> dict[tuple[str, int], int]:
        """Count the messages that are not taken yet, by topic and partition."""
        return self._readers.lags()

    def close(self) -> None:
        """Close the readers."""
        self._readers.close()
