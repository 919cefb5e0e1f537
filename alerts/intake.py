"""Intake: reads the incidents topic and gives it to the pager; offsets are kept in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alerts.telling import read
from models.incidents.incident import IncidentError
from streams.port import LostOffsetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alerts.outbox import Outbox
    from alerts.pager import Pager
    from alerts.store import Store
    from models.incidents.incident import Incident
    from streams.port import Log, Message, Reader

MAX_MESSAGES = 1_000
MAX_BYTES = 4 << 20


class Intake:
    """Reads one topic from all its partitions. Not thread-safe.

    `start` says where a partition that was never read begins ("oldest", "newest"); `on_lost` what to do when the next
    message is gone from the log ("stop" raises LostOffsetError, "oldest" and "newest" go on there, with a gap).
    """

    def __init__(
        self,
        log: Log,
        topic: str,
        store: Store,
        pager: Pager,
        outbox: Outbox,
        *,
        start: str = "oldest",
        on_lost: str = "stop",
        say: Callable[[str], None] = print,
    ) -> None:
        self._log, self._topic = log, topic
        self._store, self._pager, self._outbox = store, pager, outbox
        self._start, self._on_lost = start, on_lost
        self._say = say
        self._readers: dict[int, Reader] = {}

    def find_partitions(self) -> None:
        """Open readers of partitions that have none yet. Raises UnreachableError, LostOffsetError."""
        with self._store.reading() as db:
            known = dict(db.execute("SELECT partition, next FROM offsets WHERE topic = ?", (self._topic,)).fetchall())
        for partition in range(self._log.partitions(self._topic)):
            if partition not in self._readers:
                self._readers[partition] = self._open(partition, known.get(partition))

    def step(self, now_ns: int) -> bool:
        """Take what is there, and tell what is due; False when nothing had come. Raises LostOffsetError.

        Nothing is read while the outbox has no room: then the log keeps what comes.
        """
        came = False
        for partition in list(self._readers) if self._outbox.room() else ():
            messages = self._poll(partition)
            if messages:
                self._take(partition, messages, now_ns)
                came = True
        with self._store.transaction() as db:
            self._pager.tell_due(db, now_ns)
        return came

    def lags(self) -> dict[tuple[str, int], int]:
        """Count the messages that are not taken yet, by topic and partition."""
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
        if self._on_lost == "stop":
            msg = f"{error}. Choose with log.on_lost: oldest (take what is left) or newest (skip to now)"
            raise LostOffsetError(msg) from error
        self._say(f"{error}: going on at the {self._on_lost} message")
        offset = None if self._on_lost == "oldest" else self._log.end(self._topic, partition)
        return self._log.reader(self._topic, partition, offset)

    def _poll(self, partition: int) -> Sequence[Message]:
        try:
            return self._readers[partition].poll(MAX_MESSAGES, MAX_BYTES)
        except LostOffsetError as error:
            self._readers[partition] = self._after_loss(partition, error)
            return ()

    def _take(self, partition: int, messages: Sequence[Message], now_ns: int) -> None:
        """Take one batch: all that it causes and the offset after it are kept together."""
        counted = self._pager.counted.copy()
        incidents = [incident for message in messages if (incident := self._read(partition, message)) is not None]
        following = messages[-1].offset + 1
        try:
            with self._store.transaction() as db:
                self._pager.take(db, incidents, now_ns)
                db.execute(
                    "INSERT INTO offsets (topic, partition, next) VALUES (?, ?, ?)"
                    " ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next",
                    (self._topic, partition, following),
                )
        except BaseException:
            self._readers.pop(partition).close()  # to be opened again at the offset that is kept
            self._pager.counted = counted
            raise
        self._log.commit(self._topic, {partition: following})

    def _read(self, partition: int, message: Message) -> Incident | None:
        """Read one telling; what is none is counted and kept out."""
        try:
            return read(message.value)
        except IncidentError as error:
            self._pager.counted["telling", "dead_letter"] += 1
            self._say(f"{self._topic}/{partition}@{message.offset} is no incident: {error}")
            return None
