"""TopicReaders: one topic read from all its partitions, from the offsets that whoever reads keeps itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.port import LostOffsetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.port import Log, Message, Reader


class TopicReaders:
    """Not thread-safe, but for `lags`.

    `start` says where a partition that was never read begins ("oldest", "newest"); `on_lost` what to do when the next
    message is gone from the log ("stop" raises LostOffsetError, "oldest" and "newest" go on there, with a gap).
    """

    def __init__(self, log: Log, topic: str, *, start: str, on_lost: str, say: Callable[[str], None]) -> None:
        self._log, self._topic = log, topic
        self._start, self._on_lost, self._say = start, on_lost, say
        self._readers: dict[int, Reader] = {}

    def find_partitions(self, known: Mapping[int, int]) -> None:
        """Open readers of partitions that have none, at the offsets known. Raises UnreachableError, LostOffsetError."""
        for partition in range(self._log.partitions(self._topic)):
            if partition not in self._readers:
                self._readers[partition] = self._open(partition, known.get(partition))

    def partitions(self) -> list[int]:
        """Give the partitions that have a reader."""
        return list(self._readers)

    def poll(self, partition: int, max_messages: int, max_bytes: int) -> Sequence[Message]:
        """Give what is there now. Raises LostOffsetError."""
        try:
            return self._readers[partition].poll(max_messages, max_bytes)
        except LostOffsetError as error:
            self._readers[partition] = self._after_loss(partition, error)
            return ()

    def drop(self, partition: int) -> None:
        """Close a reader whose messages could not be taken: `find_partitions` opens it again at the offset known."""
        self._readers.pop(partition).close()

    def commit(self, partition: int, following: int) -> None:
        """Tell the log which message comes next, for those who look at lag."""
        self._log.commit(self._topic, {partition: following})

    def lags(self) -> dict[tuple[str, int], int]:
        """Count the messages that were not given yet, by topic and partition."""
        return {(self._topic, partition): reader.lag() for partition, reader in list(self._readers.items())}

    def close(self) -> None:
        """Close the readers."""
        for reader in self._readers.values():
            reader.close()
        self._readers = {}

    def _open(self, partition: int, offset: int | None) -> Reader:
        if offset is None and self._start == "newest":
            offset = self._log.end(self._topic, partition)
        try:
            return self._log.reader(self._topic, partition, offset)
        except LostOffsetError as error:
            return self._after_loss(partition, error)

    def _after_loss(self, partition: int, error: LostOffsetError) -> Reader:
        """Go on behind a gap, if the configuration says where. Raises LostOffsetError."""
        if self._on_lost == "stop":
            msg = f"{error}. Choose with log.on_lost: oldest (take what is left) or newest (skip to now)"
            raise LostOffsetError(msg) from error
        self._say(f"{error}: going on at the {self._on_lost} message")
        offset = None if self._on_lost == "oldest" else self._log.end(self._topic, partition)
        return self._log.reader(self._topic, partition, offset)
