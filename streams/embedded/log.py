"""The embedded log: topics as folders of segment files on a local disk, for one machine without Kafka.

    PATH/<topic>/committed          words: offset per partition, as told by `commit`; -1: never
    PATH/<topic>/<partition>/end    word: how far readers may read
    PATH/<topic>/<partition>/<offset of the first message>.log

Any number of processes read and write at once; all must be on the machine that holds the disk (no network file system).
"""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from streams.embedded import segments, words
from streams.embedded.appender import END_FILE, Appender
from streams.embedded.reader import EmbeddedReader
from streams.embedded.settings import Settings
from streams.embedded.writer import EmbeddedWriter
from streams.port import LogError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOPIC: Final = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,200}")
_COMMITTED: Final = "committed"
_NEVER: Final = -1


class EmbeddedLog:
    """A log in the folder `path`; `topics` gives some topics settings of their own."""

    def __init__(
        self,
        path: Path | str,
        settings: Settings | None = None,
        topics: Mapping[str, Settings] | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._path = Path(path)
        self._settings = settings or Settings()
        self._topics = dict(topics or {})
        self._now_ns = now_ns
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)  # what agents read and wrote is in it

    def ensure(self, topic: str, partitions: int) -> None:
        """Create the topic if it is missing, as a whole or not at all."""
        folder = self._folder(topic)
        if folder.exists():
            return
        if partitions < 1:
            msg = f"{topic}: a topic has at least 1 partition, not {partitions}"
            raise ValueError(msg)
        draft = self._path / f".{topic}.{uuid4().hex}"  # a pid may come again
        for partition in range(partitions):
            (draft / str(partition)).mkdir(parents=True)
            words.create(draft / str(partition) / END_FILE, 1, 0)
        words.create(draft / _COMMITTED, partitions, _NEVER)
        try:
            draft.rename(folder)
        except OSError:
            shutil.rmtree(draft)
            if not folder.exists():  # else another was quicker
                raise

    def partitions(self, topic: str) -> int:
        """Count the partitions; 0 when the topic is missing."""
        try:
            return (self._folder(topic) / _COMMITTED).stat().st_size // words.WORD
        except FileNotFoundError:
            return 0

    def reader(self, topic: str, partition: int, offset: int | None) -> EmbeddedReader:
        """Open a reader at `offset`; None: at the oldest message there is."""
        self._check(topic, partition)
        return EmbeddedReader(self._folder(topic) / str(partition), offset)

    def end(self, topic: str, partition: int) -> int:
        """Tell the offset that the next message will have."""
        self._check(topic, partition)
        end = words.Words(self._folder(topic) / str(partition) / END_FILE)
        try:
            return end[0]
        finally:
            end.close()

    def offset_at(self, topic: str, partition: int, appended_ns: int) -> int | None:
        """Give the first offset of the newest segment that began before that time; None where none did."""
        self._check(topic, partition)
        folder = self._folder(topic) / str(partition)
        for base in reversed(segments.bases(folder)):
            try:
                began = segments.first_appended_ns(segments.path_of(folder, base))
            except FileNotFoundError:  # retention was quicker: those before are gone too
                return None
            if began is not None and began < appended_ns:
                return base
        return None

    def writer(self) -> EmbeddedWriter:
        """Open a writer."""
        return EmbeddedWriter(self._appenders, self._settings_of, self._now_ns)

    def commit(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Note how far the consumer is."""
        committed = words.Words(self._folder(topic) / _COMMITTED)
        try:
            for partition, offset in offsets.items():
                committed[partition] = offset
        finally:
            committed.close()

    def backlog(self, topic: str) -> int | None:
        """Count the messages after what was last committed; a partition nobody ever committed counts from 0."""
        count = self.partitions(topic)
        if not count:
            return None
        committed = words.Words(self._folder(topic) / _COMMITTED)
        try:
            at = [committed[partition] for partition in range(count)]
        finally:
            committed.close()
        if max(at) == _NEVER:
            return None
        return sum(max(0, self.end(topic, partition) - max(0, offset)) for partition, offset in enumerate(at))

    def retain(self) -> None:
        """Delete what age or size has passed, in all topics; writers do it for the topics they write to."""
        for folder in self._path.iterdir():
            for appender in self._appenders(folder.name) if self.partitions(folder.name) else ():
                appender.retain(self._now_ns())
                appender.close()

    def close(self) -> None:
        """Nothing is shared between readers and writers."""

    def _folder(self, topic: str) -> Path:
        if not _TOPIC.fullmatch(topic):
            msg = f"{topic!r} is no topic name: letters, digits, '.', '_' and '-', not beginning with '.'"
            raise ValueError(msg)
        return self._path / topic

    def _check(self, topic: str, partition: int) -> None:
        count = self.partitions(topic)
        if not 0 <= partition < count:
            msg = f"{self._path}: topic {topic!r} has {count} partitions, none of number {partition}"
            raise LogError(msg)

    def _settings_of(self, topic: str) -> Settings:
        return self._topics.get(topic, self._settings)

    def _appenders(self, topic: str) -> list[Appender]:
        count = self.partitions(topic)
        if not count:
            msg = f"{self._path}: there is no topic {topic!r}; `ensure` makes it"
            raise LogError(msg)
        folder, settings = self._folder(topic), self._settings_of(topic)
        return [Appender(folder / str(partition), settings, count) for partition in range(count)]
