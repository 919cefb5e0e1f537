"""Intake: reads a topic from all its partitions; offsets are kept in the transaction of what the messages caused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.port import LostOffsetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.port import Log, Reader

    Take = Callable[[str, int, Sequence[tuple[int, bytes]]], None]

MAX_MESSAGES = 200
"""At once; a person's kill waits for as many at most, tens of milliseconds."""
MAX_BYTES = 4 << 20


class Intake:
    """One topic. Not thread-safe. `take(topic, partition, [(offset, value)])` keeps the offset itself.

    `start` says where a partition that was never read begins ("oldest", "newest"); `on_lost` what to do when the next
    message is gone from the log ("stop" raises LostOffsetError, "oldest" and "newest" go on there, with a gap).
    """

    def __init__(
        self,
        log: Log,
        topic: str,
        known: dict[int, int],
        take: Take,
        *,
        start: str = "oldest",
        on_lost: str = "stop",
        say: Callable[[str], None] = print,
    ) -> None:
        self._log, self._topic, self._known, self._take = log, topic, known, take
        self._start, self._on_lost, self._say = start, on_lost, say
        self._readers: dict[int, Reader] = {}

    def find_partitions(self) -> None:
        """Open readers of partitions that have none yet. Raises UnreachableError, LostOffsetError."""
        for partition in range(self._log.partitions(self._topic)):
            if partition not in self._readers:
                self._readers[partition] = self._open(partition, self._known.get(partition))

    def step(self) -> bool:
        """Take what is there; False when nothing had come. Raises LostOffsetError."""
        came = False
        for partition, reader in list(self._readers.items()):
            try:
                messages = reader.poll(MAX_MESSAGES, MAX_BYTES)
            except LostOffsetError as error:
                self._readers[partition] = self._after_loss(partition, error)
                continue
            if messages:
                try:
                    self._take(self._topic, partition, [(each.offset, each.value) for each in messages])
                except BaseException:
                    self._readers.pop(partition).close()  # to be opened again before these messages
                    raise
                self._known[partition] = messages[-1].offset + 1
                self._log.commit(self._topic, {partition: messages[-1].offset + 1})
                came = True
        return came

    def lag(self) -> int:
        """Count the messages that are not taken yet."""
        return sum(reader.lag() for reader in self._readers.values())

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
        except LostOffsetError as lost:
            return self._after_loss(partition, lost)

    def _after_loss(self, partition: int, lost: LostOffsetError) -> Reader:
        """Go on behind a gap, if the configuration says where. Raises LostOffsetError."""
        if self._on_lost == "stop":
            msg = f"{lost}. Choose with log.on_lost: oldest (take what is left) or newest (skip to now)"
            raise LostOffsetError(msg) from lost
        self._say(f"{lost}: verdicts go on at the {self._on_lost} message")
        end = self._log.end(self._topic, partition) if self._on_lost == "newest" else None
        return self._log.reader(self._topic, partition, end)
