"""TopicReaders: one topic read from all its partitions, from the offsets that whoever reads keeps itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.port import LostOffsetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.port import Log, Message, Reader


class TopicReaders:
    """Not thread-safe, but for `lags`.

    `start` says where a topic that was never read begins ("oldest", "newest"); a partition that it got later begins at
    its oldest message. `on_lost` says what to do when the next message is gone from the log ("stop" raises
    LostOffsetError, "oldest" and "newest" go on there, with a gap).
    """

    def __init__(self, log: Log, topic: str, *, start: str, on_lost: str, say: Callable[[str], None]) -> None:
        self._log, self._topic = log, topic
        self._start, self._on_lost, self._say = start, on_lost, say
        self._readers: dict[int, Reader] = {}
        self._begun: dict[int, int] = {}

    def find_partitions(self, known: Mapping[int, int]) -> None:
        """Open readers of partitions that have none, at the offsets known. Raises UnreachableError, LostOffsetError."""
        for partition in range(self._log.partitions(self._topic)):
            if partition not in self._readers:
                self._readers[partition] = self._open(partition, known.get(partition), is_first=not known)

    def take_begun(self) -> dict[int, int]:
        """Give where partitions were begun at their newest message since the last call; who reads keeps it as read.

        Else the next start asks for the newest again, and what came meanwhile is skipped.
        """
        begun, self._begun = self._begun, {}
        return begun

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

    def _open(self, partition: int, offset: int | None, *, is_first: bool) -> Reader:
        if offset is None and is_first and self._start == "newest":
            return self._at_newest(partition)
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
        if self._on_lost == "newest":
            return self._at_newest(partition)
        return self._log.reader(self._topic, partition, None)

    def _at_newest(self, partition: int) -> Reader:
        offset = self._log.end(self._topic, partition)
        reader = self._log.reader(self._topic, partition, offset)
        self._begun[partition] = offset
        return reader
