"""Intake: reads the incidents topic and gives it to the pager; offsets are kept in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alerts.telling import read
from models.incidents.incident import IncidentError
from streams.topic_readers import TopicReaders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alerts.outbox import Outbox
    from alerts.pager import Pager
    from alerts.store import Store
    from models.incidents.incident import Incident
    from streams.port import Log, Message

MAX_MESSAGES = 1_000
MAX_BYTES = 4 << 20
_KEEP = (
    "INSERT INTO offsets (topic, partition, next) VALUES (?, ?, ?)"
    " ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next"
)


class Intake:
    """Reads one topic from all its partitions. Not thread-safe. For `start` and `on_lost` see `TopicReaders`."""

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
        self._topic = topic
        self._store, self._pager, self._outbox = store, pager, outbox
        self._say = say
        self._readers = TopicReaders(log, topic, start=start, on_lost=on_lost, say=say)

    def find_partitions(self) -> None:
        """Open readers of partitions that have none yet. Raises UnreachableError, LostOffsetError."""
        with self._store.reading() as db:
            known = dict(db.execute("SELECT partition, next FROM offsets WHERE topic = ?", (self._topic,)).fetchall())
        self._readers.find_partitions(known)
        self._keep_begun()

    def step(self, now_ns: int) -> bool:
        """Take what is there, and tell what is due; False when nothing had come. Raises LostOffsetError.

        Nothing is read while the outbox has no room: then the log keeps what comes.
        """
        came = False
        for partition in self._readers.partitions() if self._outbox.room() else ():
            messages = self._readers.poll(partition, MAX_MESSAGES, MAX_BYTES)
            if messages:
                self._take(partition, messages, now_ns)
                came = True
            else:
                self._keep_begun()
        with self._store.transaction() as db:
            self._pager.tell_due(db, now_ns)
        return came

    def lags(self) -> dict[tuple[str, int], int]:
        """Count the messages that are not taken yet, by topic and partition."""
        return self._readers.lags()

    def close(self) -> None:
        """Close the readers."""
        self._readers.close()

    def _take(self, partition: int, messages: Sequence[Message], now_ns: int) -> None:
        """Take one batch: all that it causes and the offset after it are kept together."""
        counted = self._pager.counted.copy()
        incidents = [incident for message in messages if (incident := self._read(partition, message)) is not None]
        following = messages[-1].offset + 1
        try:
            with self._store.transaction() as db:
                self._pager.take(db, incidents, now_ns)
                db.execute(_KEEP, (self._topic, partition, following))
        except BaseException:
            self._readers.drop(partition)  # to be opened again at the offset that is kept
            self._pager.counted = counted
            raise
        self._readers.commit(partition, following)

    def _keep_begun(self) -> None:
        """Keep where partitions were begun, though nothing of them has come yet."""
        begun = self._readers.take_begun()
        if begun:
            with self._store.transaction() as db:
                db.executemany(_KEEP, [(self._topic, *each) for each in begun.items()])

    def _read(self, partition: int, message: Message) -> Incident | None:
        """Read one telling; what is none is counted and kept out."""
        try:
            return read(message.value)
        except IncidentError as error:
            self._pager.counted["telling", "dead_letter"] += 1
            self._say(f"{self._topic}/{partition}@{message.offset} is no incident: {error}")
            return None
