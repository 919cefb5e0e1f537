"""Source: partitions of the log as batches of raw messages, with the offset in the snapshot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from typing_extensions import override

from flows.alignment import Alignment
from flows.backlog import Backlog
from flows.begun import Begun
from flows.items import RawBatch
from flows.waiting import StoppedError
from streams.port import LostOffsetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from threading import Event

    from flows.alignment import Lane
    from flows.metrics import Metrics
    from flows.waiting import Waiting
    from streams.port import Log, Message, Reader

_EMPTY_WAIT = timedelta(milliseconds=5)  # a source that sleeps longer holds up every other source of the engine
_HELD_WAIT = timedelta(milliseconds=1)
_QUIET_S = 1.0
_NONE = np.empty(0, np.int64)
T = TypeVar("T")


class LogPartition(StatefulSourcePartition[RawBatch, int]):
    """One partition. Ends (EOF, then a last snapshot) when `stop` is set."""

    def __init__(
        self,
        topic: str,
        partition: int,
        lane: Lane,
        offset: int | None,
        stop: Event,
        *,
        commit: Callable[[str, Mapping[int, int]], None] | None = None,
        backlog: Backlog | None = None,
    ) -> None:
        self._backlog = backlog or Backlog()
        self._part = part_name(topic, partition)
        self._topic = topic
        self._partition = partition
        self._lane = lane
        self._next = offset
        self._kept = offset
        self._commit = commit
        self._stop = stop
        self._wait: timedelta | None = None
        self._came = inf
        self._is_begun = False

    @override
    def next_batch(self) -> Iterable[RawBatch]:
        if self._stop.is_set():
            raise StopIteration
        if not self._is_begun:  # wakes all shards (flows.ticking)
            self._is_begun = True
            return self._nothing_new()
        messages = self._lane.take()
        if not messages:
            return self._nothing()
        self._wait = None
        self._backlog.read(self._part, messages[-1].appended_ns)
        self._came = monotonic()
        self._next = messages[-1].offset + 1
        count = len(messages)
        return (
            RawBatch(
                self._part,
                self._topic,
                self._partition,
                np.fromiter((message.offset for message in messages), np.int64, count),
                np.fromiter((message.appended_ns for message in messages), np.int64, count),
                [message.value for message in messages],
            ),
        )

    def _nothing(self) -> Iterable[RawBatch]:
        if not self._lane.is_empty:
            self._wait = _HELD_WAIT
            return ()
        self._wait = _EMPTY_WAIT
        self._backlog.caught_up(self._part)
        return self._silence()

    def _silence(self) -> Iterable[RawBatch]:
        """Say once that nothing has come for a while: then all shards are told how far this partition is."""
        if monotonic() - self._came < _QUIET_S:
            return ()
        self._came = inf
        return self._nothing_new()

    def _nothing_new(self) -> Iterable[RawBatch]:
        return (RawBatch(self._part, self._topic, self._partition, _NONE, _NONE, []),)

    @override
    def next_awake(self) -> datetime | None:
        return datetime.now(UTC) + self._wait if self._wait else None

    @override
    def snapshot(self) -> int:
        if self._kept is not None and self._commit:
            self._commit(self._topic, {self._partition: self._kept})  # of the epoch before: that one is safe
        self._kept = self._next
        return -1 if self._next is None else self._next

    @override
    def close(self) -> None:
        if self._kept is not None and self._commit:
            self._commit(self._topic, {self._partition: self._kept})  # the end of the input: the last snapshot is there
        self._lane.close()


@dataclass(frozen=True)
class Begin:
    """Where partitions are begun.

    `start`: one without a stored offset ("oldest" or "newest"). `on_lost`: one whose stored offset is gone ("stop",
    "oldest", "newest"); "stop" ends the flow with the choice to make. Of `lossless` topics the oldest that is left is
    always right: what is cut off is told again in them.
    """

    start: str = "oldest"
    on_lost: str = "stop"
    lossless: tuple[str, ...] = ()

    def of(self, topic: str) -> tuple[str, str]:
        """Give `start` and `on_lost` of a topic."""
        return ("oldest", "oldest") if topic in self.lossless else (self.start, self.on_lost)


class LogSource(FixedPartitionedSource[RawBatch, int]):
    """All partitions of some topics of a log, and of the lossless ones that `begin` names.

    `waiting`, where given, is how a log that does not answer is waited for: brokers that have just come up may know of
    partitions that nobody leads yet. `begun` keeps where partitions were begun.
    """

    def __init__(
        self,
        log: Callable[[], Log],
        topics: Sequence[str],
        stop: Event,
        *,
        begin: Begin | None = None,
        max_bytes: int = 8 << 20,
        metrics: Metrics | None = None,
        waiting: Waiting | None = None,
        begun: Begun | None = None,
    ) -> None:
        self.met: Callable[[], None] = lambda: None
        """Called when the engine asks for partitions: then all processes of the flow have met."""
        self._firsts = begun or Begun(None)
        self._open = log
        self._waiting = waiting
        self._parts: list[str] = []
        self._metrics = metrics
        self._begin = begin or Begin()
        self._topics = (*topics, *self._begin.lossless)
        self._stop = stop
        self._max_bytes = max_bytes
        self._log: Log | None = None
        self._alignments: dict[int, Alignment] = {}

    @override
    def list_parts(self) -> list[str]:
        self.met()
        return self._listed()

    def _listed(self) -> list[str]:
        """List the partitions there are when first asked: the engine must see the ones that the flow was built for."""
        if not self._parts:
            log = self._shared()
            counts = self._answer(lambda: {topic: log.partitions(topic) for topic in self._topics})
            for topic, count in counts.items():
                self._firsts.saw(topic, count)
            self._parts = [part_name(topic, index) for topic, count in counts.items() for index in range(count)]
        return self._parts

    @override
    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> LogPartition:
        topic, index = for_part.rsplit("/", 1)
        offset = None if resume_state is None or resume_state < 0 else resume_state
        reader: Reader
        try:
            reader, offset = self._answer(lambda: self._begun(topic, int(index), offset))
        except StoppedError:
            reader = _NoReader()
        is_lossless = topic in self._begin.lossless
        metrics = None if is_lossless else self._metrics
        # of one worker, which is a thread; orders wait for nobody
        alignment = Alignment() if is_lossless else self._alignments.setdefault(get_ident(), Alignment())
        lane = alignment.add(reader, self._max_bytes)
        if metrics:
            metrics.watch_lag(topic, str(int(index)), reader.lag)
        backlog = metrics.backlog if metrics else None
        commit = self._shared().commit
        return LogPartition(topic, int(index), lane, offset, self._stop, commit=commit, backlog=backlog)

    def _begun(self, topic: str, partition: int, offset: int | None) -> tuple[Reader, int | None]:
        """Open a partition at `offset`, or where it is to begin; gives where that is, None: at the oldest.

        It is kept from then on: where nothing comes before the next start, "newest" still is what it was at this one.
        A partition that its topic got after the first start begins at its oldest.
        """
        log = self._shared()
        start, on_lost = self._begin.of(topic)
        if offset is None and start == "newest":
            offset = self._firsts.offset(topic, partition, lambda: log.end(topic, partition))
        try:
            return log.reader(topic, partition, offset), offset
        except LostOffsetError as error:
            if on_lost == "stop":
                msg = f"{error}. Choose with log.on_lost: oldest (count what is left) or newest (skip to now)"
                raise LostOffsetError(msg) from error
            if on_lost == "oldest":
                return log.reader(topic, partition, None), offset
            offset = log.end(topic, partition)
            return log.reader(topic, partition, offset), offset

    def _answer(self, ask: Callable[[], T]) -> T:
        return self._waiting.until(ask) if self._waiting else ask()

    def counts(self) -> dict[str, int]:
        """Count the partitions that are read, by topic."""
        return Counter(part.rsplit("/", 1)[0] for part in self._listed())

    def events(self) -> tuple[str, ...]:
        """Name the partitions that have events: those whose progress is a watermark's."""
        return tuple(part for part in self._listed() if part.rsplit("/", 1)[0] not in self._begin.lossless)

    def _shared(self) -> Log:
        if self._log is None:
            self._log = self._open()
        return self._log


class _NoReader:
    """Stands for a partition that could not be opened before the flow was stopped."""

    def poll(self, max_messages: int, max_bytes: int) -> Sequence[Message]:
        return ()

    def lag(self) -> int:
        return 1

    def expects(self) -> bool:
        return False

    def close(self) -> None:
        pass


def part_name(topic: str, partition: int) -> str:
    """Name a source partition, the same for ever: it keys the recovery state."""
    return f"{topic}/{partition:05d}"
