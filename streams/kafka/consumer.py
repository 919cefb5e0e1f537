"""One consumer that reads many partitions, and hands each its own messages.

A librdkafka consumer costs threads, connections and a read-ahead buffer, so the partitions of a log share one. Whoever
polls takes all that has come, for everyone. A partition that is polled more slowly than it fills is paused, so that it
neither eats memory nor holds up the others.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from streams.kafka.words import in_words
from streams.port import LogError, LostOffsetError, Message

_log = logging.getLogger(__name__)

_LOST: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001 - its public names
# librdkafka goes on by itself after these
_PASSING: Final = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError._PARTITION_EOF,  # noqa: SLF001
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
    }
)
_MOVING: Final = frozenset(
    {
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
    }
)
"""The positions of groups move to another broker, or are made: here, librdkafka does not ask again by itself."""
_MOVED_S: Final = 0.1
_UNREACHABLE: Final = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE})  # noqa: SLF001
_AT_ONCE: Final = 4000  # messages asked of librdkafka in one call
_ASK_AGAIN_S: Final = 1.0
_LEAVE_S: Final = 10.0


class Feed:
    """What has come for one partition and was not taken yet."""

    def __init__(self, topic: str, partition: int, offset: int | None) -> None:
        self.place = TopicPartition(topic, partition, OFFSET_BEGINNING if offset is None else offset)
        self.messages: deque[Message] = deque()
        self.size = 0
        self.paused = False
        self.failure: LogError | None = None
        self.next: int | None = offset  # of the next message to give; None: the oldest, not known yet
        self.fetched = offset or 0  # after the newest message that has come

    @property
    def key(self) -> tuple[str, int]:
        """Name it."""
        return self.place.topic, self.place.partition


class SharedConsumer:
    """A consumer for any number of partitions, each once. Thread-safe."""

    def __init__(self, config: dict[str, Any], buffer_bytes: int) -> None:
        self._consumer = Consumer(config | {"on_commit": _on_commit, "error_cb": self._on_error})
        self._buffer_bytes = buffer_bytes
        self._feeds: dict[tuple[str, int], Feed] = {}
        self._lock = threading.Lock()
        self._asking = threading.RLock()  # questions that take long: they hold up no reader, but closing waits for them
        self._unreachable = False
        self._fatal: LogError | None = None
        self._asked = 0.0

    def holds(self, topic: str, partition: int) -> bool:
        """Tell whether the partition is already read here."""
        return (topic, partition) in self._feeds

    def add(self, topic: str, partition: int, offset: int | None) -> Feed:
        """Read one more partition, from `offset`."""
        feed = Feed(topic, partition, offset)
        with self._lock:
            self._feeds[feed.key] = feed
            self._consumer.incremental_assign([feed.place])
        return feed

    def remove(self, feed: Feed) -> None:
        """Stop reading the partition."""
        with self._lock:
            if self._feeds.pop(feed.key, None) is not None:
                self._consumer.incremental_unassign([feed.place])

    def take(self, feed: Feed, max_messages: int, max_bytes: int) -> list[Message]:
        """Give what is there for one partition; raises what befell it."""
        with self._lock:
            if not feed.messages:
                self._receive()
            found: list[Message] = []
            room = max_bytes
            while feed.messages and len(found) < max_messages:
                size = feed.messages[0].size
                if found and size > room:
                    break
                room -= size
                feed.size -= size
                found.append(feed.messages.popleft())
            if found:
                feed.next = found[-1].offset + 1
            elif feed.failure is not None:
                raise feed.failure
            if feed.paused and feed.size <= self._buffer_bytes // 4:
                self._consumer.resume([feed.place])
                feed.paused = False
            return found

    def lag(self, feed: Feed) -> int:
        """Count the messages of a partition that were not given; at least 1 where the brokers have not said."""
        with self._lock:
            high = self._high(feed)
            if high < 0:
                return 1 + len(feed.messages)
            # where nothing was given yet from the oldest on, what has come is all that is known to lie before `high`
            given = feed.next if feed.next is not None else self._low(feed)
            lag = max(high - given, len(feed.messages))
            return lag if lag or not self._unreachable else 1

    def expects(self, feed: Feed) -> bool:
        """Tell whether there is more of a partition than was given, by what the brokers said last; True: unknown."""
        with self._lock:
            high = self._known_high(feed)
            return bool(feed.messages) or high < 0 or high > feed.fetched

    def _high(self, feed: Feed) -> int:
        """Give the offset after the newest message, as known from fetches; asked for where brokers were away."""
        if self._unreachable and time.monotonic() - self._asked > _ASK_AGAIN_S:
            self._asked = time.monotonic()
            try:
                answer = self._consumer.get_watermark_offsets(feed.place, timeout=0.3)
            except KafkaException:
                answer = None
            if answer is not None:
                self._unreachable = False
                return int(answer[1])
        return self._known_high(feed)

    def _known_high(self, feed: Feed) -> int:
        known = self._consumer.get_watermark_offsets(feed.place, cached=True)
        return -1 if known is None else int(known[1])

    def _low(self, feed: Feed) -> int:
        if feed.messages:
            return feed.messages[0].offset
        known = self._consumer.get_watermark_offsets(feed.place, cached=True)
        return 0 if known is None else max(0, int(known[0]))

    def commit(self, topic: str, offsets: dict[int, int]) -> None:
        """Send positions to the brokers, without waiting for the answer."""
        places = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        with self._lock:
            try:
                self._consumer.commit(offsets=places, asynchronous=True)
            except KafkaException as error:
                _log.warning("positions of %s not committed: %s", topic, error)

    def bounds(self, place: TopicPartition, timeout_s: float) -> tuple[int, int]:
        """Ask for the oldest offset of a partition and the one after its newest. Raises KafkaException."""
        with self._asking:
            low, high = self._consumer.get_watermark_offsets(place, timeout=timeout_s)
        return int(low), int(high)

    def offset_at(self, place: TopicPartition, timeout_s: float) -> int:
        """Ask for the first offset of a time (its ms are the place's offset); below 0: none. Raises KafkaException."""
        with self._asking:
            (found,) = self._consumer.offsets_for_times([place], timeout=timeout_s)
        return int(found.offset)

    def backlog(self, places: list[TopicPartition], timeout_s: float) -> int | None:
        """Count the messages after the committed positions; None when there is none. Raises KafkaException."""
        with self._asking:
            committed = self._committed(places, timeout_s)
            if all(place.offset < 0 for place in committed):
                return None
            total = 0
            for place in committed:
                low, high = self.bounds(place, timeout_s)
                total += max(0, high - max(low, place.offset))
            return total

    def _committed(self, places: list[TopicPartition], timeout_s: float) -> list[TopicPartition]:
        until = time.monotonic() + timeout_s
        while True:
            try:
                return self._consumer.committed(places, timeout=timeout_s)
            except KafkaException as error:
                if error.args[0].code() not in _MOVING or time.monotonic() >= until:
                    raise
            time.sleep(_MOVED_S)

    def close(self) -> None:
        """Leave the brokers, with patience: one that hangs would hold up the end of the process for as long."""
        leaving = threading.Thread(target=self._leave, name="leave-kafka", daemon=True)
        leaving.start()
        leaving.join(_LEAVE_S)

    def _leave(self) -> None:
        with self._asking, self._lock:
            self._feeds.clear()
            self._consumer.close()

    def _receive(self) -> None:
        """Take what has come and hand it out; raises what befell the consumer as a whole."""
        batch: list[Any] = self._consumer.consume(_AT_ONCE, 0)
        for came in batch:
            error = came.error()
            if error is not None:
                self._note(error, came.topic(), came.partition())
                continue
            feed = self._feeds.get((came.topic(), came.partition()))
            offset = came.offset()
            if feed is None or offset < feed.fetched:  # a pause makes librdkafka fetch again what it had read ahead
                continue
            message = Message(offset, came.timestamp()[1] * 1_000_000, came.key(), came.value() or b"")
            feed.messages.append(message)
            feed.size += message.size
            feed.fetched = offset + 1
        if self._fatal is not None:
            raise self._fatal
        for feed in self._feeds.values():
            if feed.size > self._buffer_bytes and not feed.paused:
                self._consumer.pause([feed.place])
                feed.paused = True

    def _on_error(self, error: KafkaError) -> None:
        """Hear of the connection as a whole; called from within `consume`."""
        if error.fatal():
            self._fatal = LogError(in_words("its brokers", error))
        if error.code() in _UNREACHABLE and not self._unreachable:
            self._unreachable = True
            _log.warning("trying on: %s", in_words("its brokers", error))

    def _note(self, error: KafkaError, topic: str | None, partition: int | None) -> None:
        """Keep an error for the reader it concerns; raise it where it concerns all; let passing ones pass."""
        self._on_error(error)
        code = error.code()
        if code in _PASSING and not error.fatal():
            return
        feed = self._feeds.get((topic or "", -1 if partition is None else partition))
        what = in_words(f"{topic}/{partition}", error)
        if feed is None:
            raise LogError(what)
        wanted = "the oldest message" if feed.next is None else f"offset {feed.fetched}"
        feed.failure = LostOffsetError(f"{what}: {wanted} is not there") if code in _LOST else LogError(what)


def _on_commit(error: KafkaError | None, places: list[TopicPartition]) -> None:
    if error is not None:
        _log.warning("positions not committed: %s", error)
