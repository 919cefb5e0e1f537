"""Where whoever keeps its own offsets begins a topic: `newest` counts once; nothing that comes after it is skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from alerts.intake import Intake as Alerts
from alerts.outbox import Outbox
from alerts.store import Store
from control.intake import Intake as Control
from streams.embedded import EmbeddedLog
from streams.port import UnreachableError
from streams.topic_readers import TopicReaders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOPIC = "flyball.verdicts"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EmbeddedLog]:
    """Give a log with a topic of two partitions, one message in each."""
    log = EmbeddedLog(tmp_path)
    log.ensure(TOPIC, 2)
    append(log, "before")
    yield log
    log.close()


def append(log: EmbeddedLog, value: str, partitions: int = 2) -> int:
    """Append messages until each partition has one more; gives how many."""
    before = [log.end(TOPIC, partition) for partition in range(partitions)]
    key = 0
    writer = log.writer()
    while any(log.end(TOPIC, partition) == at for partition, at in enumerate(before)):
        writer.append(TOPIC, [(str(key).encode(), value.encode())])
        writer.flush()
        key += 1
    writer.close()
    return key


class Book:
    """What `control` keeps: offsets, and the values taken."""

    def __init__(self) -> None:
        self.offsets: dict[int, int] = {}
        self.values: set[str] = set()
        self.is_broken = False

    def take(self, topic: str, partition: int, messages: Any) -> None:
        """Take messages, unless it cannot write."""
        if self.is_broken:
            raise OSError(topic)
        self.values |= {value.decode() for _, value in messages}
        self.offsets[partition] = messages[-1][0] + 1

    def begin(self, _: str, offsets: Any) -> None:
        """Keep where partitions begin."""
        self.offsets |= offsets

    def read(self, log: Any, **where: Any) -> None:
        """Live once: read what there is."""
        intake = Control(log, TOPIC, dict(self.offsets), self.take, self.begin, **where)
        try:
            intake.find_partitions()
            while intake.step():
                pass
        finally:
            intake.close()


def test_what_came_while_nobody_read_is_not_skipped(log: EmbeddedLog) -> None:
    """A first start at the newest message, in which nothing came, is the only one."""
    book = Book()
    book.read(log, start="newest")
    append(log, "meanwhile")
    book.read(log, start="newest")
    assert book.values == {"meanwhile"}


def test_what_cannot_be_taken_is_taken_later(log: EmbeddedLog) -> None:
    """The first messages of all come while the file cannot be written."""
    book = Book()
    intake = Control(log, TOPIC, {}, book.take, book.begin, start="newest")
    intake.find_partitions()
    append(log, "first")
    book.is_broken = True
    with pytest.raises(OSError, match=TOPIC):
        intake.step()
    book.is_broken = False
    intake.find_partitions()
    while intake.step():
        pass
    assert book.values == {"first"}
    intake.close()


def test_a_partition_that_came_later_is_read_from_its_oldest(log: EmbeddedLog) -> None:
    """The topic was read before: what lies in the new partition came since."""

    class Small:
        """The log as it was with one partition."""

        def __getattr__(self, name: str) -> Any:
            return getattr(log, name)

        def partitions(self, _: str) -> int:
            return 1

    book = Book()
    book.read(Small(), start="newest")
    book.read(log, start="newest")
    assert book.values == {"before"}


def test_a_gap_that_is_skipped_is_skipped_once(log: EmbeddedLog) -> None:
    """With `on_lost: newest` what comes after it is read, also by the next start."""
    book = Book()
    book.offsets = {0: 1_000, 1: 1_000}
    book.read(log, on_lost="newest", say=lambda _: None)
    append(log, "meanwhile")
    book.read(log, on_lost="newest", say=lambda _: None)
    assert book.values == {"meanwhile"}


def test_a_first_start_that_found_no_broker_is_none(log: EmbeddedLog) -> None:
    """Half of the partitions were there: the others begin at their newest as well, not at their oldest."""

    class Half:
        """The log, of which a partition does not answer."""

        def __getattr__(self, name: str) -> Any:
            return getattr(log, name)

        def reader(self, topic: str, partition: int, offset: int | None) -> Any:
            if partition:
                raise UnreachableError(topic)
            return log.reader(topic, partition, offset)

    book = Book()
    with pytest.raises(UnreachableError):
        book.read(Half(), start="newest")
    book.read(log, start="newest")
    assert book.values == set()


def test_delivery_keeps_it_too(log: EmbeddedLog, tmp_path: Path) -> None:
    """Incidents told while nobody delivered are delivered."""

    class Pager:
        """Counts what it cannot read."""

        counted: dict[Any, int]

        def take(self, *_: Any) -> None:
            """Take nothing."""

        tell_due = take

    found, expected, told = [], [], 0
    for _ in range(2):
        store = Store(tmp_path / "outbox.db")
        pager: Any = Pager()
        pager.counted = {("telling", "dead_letter"): 0}
        intake = Alerts(log, TOPIC, store, pager, Outbox(store), start="newest", say=lambda _: None)
        intake.find_partitions()
        intake.step(1)
        found.append(pager.counted["telling", "dead_letter"])
        expected.append(told)
        told = append(log, "no incident")
        intake.close()
        store.close()
    assert found == expected


def test_readers_give_where_they_began_once(log: EmbeddedLog) -> None:
    """Whoever reads keeps it."""
    readers = TopicReaders(log, TOPIC, start="newest", on_lost="stop", say=print)
    readers.find_partitions({})
    assert set(readers.take_begun()) == {0, 1}
    assert readers.take_begun() == {}
    readers.close()
