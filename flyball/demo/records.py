"""Records: what the deployment writes to its log, as it comes."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from flyball.topic import present, readers
from streams.embedded.log import EmbeddedLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.port import Reader

TOPICS = ("flyball.runs", "flyball.verdicts", "flyball.incidents", "flyball.drift")
Record = dict[str, Any]


class Heard(NamedTuple):
    """A record, and when we had it (time.monotonic)."""

    at: float
    record: Record


class Records:
    """The records of some topics; `find` reads what is new first."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the embedded log's; its topics are there."""
        self._log = EmbeddedLog(folder)
        self._readers: list[tuple[str, Reader]] = [
            (topic, each) for topic in TOPICS for each in readers(self._log, topic)
        ]
        self._heard: defaultdict[str, list[Heard]] = defaultdict(list)

    def find(self, topic: str, matches: Callable[[Record], bool]) -> Heard | None:
        """Give the first record of a topic that matches, None while there is none."""
        self._read()
        return next((each for each in self._heard[topic] if matches(each.record)), None)

    def all(self, topic: str) -> list[Record]:
        """Give all records of a topic."""
        self._read()
        return [each.record for each in self._heard[topic]]

    def written(self, topic: str) -> int:
        """Count the messages of a topic, of any age."""
        return sum(self._log.end(topic, partition) for partition in range(self._log.partitions(topic)))

    def read(self, topic: str) -> int:
        """Count the messages of a topic that the flow has said to have read."""
        unread = self._log.backlog(topic)
        return 0 if unread is None else self.written(topic) - unread

    def close(self) -> None:
        """Close the readers."""
        for _, reader in self._readers:
            reader.close()
        self._log.close()

    def _read(self) -> None:
        for topic, reader in self._readers:
            self._heard[topic] += [Heard(time.monotonic(), orjson.loads(each.value)) for each in present(reader)]


def opened(folder: Path) -> closing[Records]:
    """Open the records of a log."""
    return closing(Records(folder))
