"""The Kafka adapter against a real broker: what is written is read once and in order, whatever befalls the broker."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from kafka.admin import KafkaAdminClient
from loopback import free_port

from streams.kafka import KafkaLog, Settings
from streams.kafka.reader import KafkaReader
from streams.port import LogError, LostOffsetError, UndeliveredError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.port import Message, Reader

pytestmark = pytest.mark.kafka
PATIENCE_S = 30.0


@pytest.fixture
def log(kafka: Any) -> Iterator[KafkaLog]:
    """Open the log on the broker."""
    log = KafkaLog(kafka.address)
    yield log
    log.close()


@pytest.fixture
def topic(log: KafkaLog) -> str:
    """Create a topic of 4 partitions, of this test alone."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    log.ensure(name, 4)
    return name


def until(condition: Callable[[], bool]) -> None:
    """Wait for the broker, at most half a minute."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "nothing came in time"
        time.sleep(0.005)


def leads(log: KafkaLog, topic: str) -> bool:
    """Say whether every partition has somebody who answers for it."""
    try:
        return all(log.end(topic, partition) >= 0 for partition in range(4))
    except LogError:
        return False


def read(readers: list[Reader], count: int, max_messages: int = 500, max_bytes: int = 1 << 20) -> list[list[Message]]:
    """Poll the readers in turn until `count` messages have come."""
    found: list[list[Message]] = [[] for _ in readers]

    def enough() -> bool:
        for reader, messages in zip(readers, found, strict=True):
            messages.extend(reader.poll(max_messages, max_bytes))
        return sum(map(len, found)) >= count

    until(enough)
    return found


def write(log: KafkaLog, topic: str, start: int, stop: int, size: int = 0) -> None:
    """Write the numbers of a range, each as key and at the head of the value."""
    writer = log.writer()
    writer.append(topic, [(b"%d" % n, b"%d " % n + b"." * size) for n in range(start, stop)])
    writer.close()


def numbers(found: list[list[Message]]) -> list[int]:
    """List the numbers that were read."""
    return sorted(int(message.value.split()[0]) for messages in found for message in messages)


def delete_before(address: str, topic: str, partition: int, offset: int) -> None:
    """Delete the oldest messages, as retention does."""
    admin = KafkaAdminClient(bootstrap_servers=address)
    try:
        from kafka import TopicPartition  # noqa: PLC0415 - beside the class of the same name

        admin.delete_records({TopicPartition(topic, partition): offset})
    finally:
        admin.close()


def test_shared_consumer_over_four_partitions(log: KafkaLog, topic: str) -> None:
    """Four readers share one consumer; each gets its partition from 0 without a gap, with key and the broker's time."""
    before = time.time_ns()
    write(log, topic, 0, 5000, 200)
    readers = [log.reader(topic, partition, None) for partition in range(4)]
    found = read(readers, 5000)
    assert len(log._consumers) == 1
    assert numbers(found) == list(range(5000))
    for messages in found:
        assert len(messages) > 500
        assert [message.offset for message in messages] == list(range(len(messages)))
        assert all(message.key == message.value.split()[0] for message in messages)
        assert all(before - 10**9 < message.appended_ns < time.time_ns() + 10**9 for message in messages)


def test_resumes_without_a_gap(log: KafkaLog, topic: str, kafka: Any) -> None:
    """A second process that starts at the offsets where the first stopped reads exactly the rest."""
    write(log, topic, 0, 2000)
    first = read([log.reader(topic, p, None) for p in range(4)], 700, max_messages=50)
    resumed = KafkaLog(kafka.address)
    rest = read([resumed.reader(topic, p, len(first[p])) for p in range(4)], 2000 - sum(map(len, first)))
    resumed.close()
    assert sorted(numbers(first) + numbers(rest)) == list(range(2000))


def test_keys_choose_the_partition(log: KafkaLog, topic: str) -> None:
    """The same key goes to the same partition, whoever writes."""
    for start in (0, 0, 0):
        write(log, topic, start, 100)
    found = read([log.reader(topic, p, None) for p in range(4)], 300)
    assert sum(len({message.key for message in messages}) for messages in found) == 100


def test_lag_is_exact_and_never_zero_by_ignorance(log: KafkaLog, topic: str) -> None:
    """Lag counts what was not given, is at least 1 before the brokers spoke, and 0 once all is given."""
    write(log, topic, 0, 1000)
    readers = [log.reader(topic, p, None) for p in range(4)]
    assert all(reader.lag() >= 1 for reader in readers)
    found = read(readers, 400, max_messages=10)
    until(lambda: sum(reader.lag() for reader in readers) == 1000 - sum(map(len, found)))
    rest = read(readers, 1000 - sum(map(len, found)))
    assert numbers(found + rest) == list(range(1000))
    assert [reader.lag() for reader in readers] == [0, 0, 0, 0]
    write(log, topic, 1000, 1100)
    until(lambda: sum(reader.lag() for reader in readers) == 100)


def test_a_slow_partition_is_paused_and_loses_nothing(kafka: Any, topic: str) -> None:
    """Partitions that are polled late are paused: memory stays bounded, nothing is lost, nothing is repeated."""
    log = KafkaLog(Settings(kafka.address, buffer_bytes=200_000))
    write(log, topic, 0, 4000, 2000)
    readers = [log.reader(topic, p, None) for p in range(4)]
    early = read(readers[:1], 900)
    feeds = [reader._feed for reader in readers]

    def others_are_paused() -> bool:
        early[0].extend(readers[0].poll(100, 1 << 20))
        return readers[0].lag() == 0 and all(feed.paused for feed in feeds[1:])

    until(others_are_paused)
    assert max(feed.size for feed in feeds) < 5_000_000
    late = read(readers[1:], 4000 - len(early[0]), max_messages=7)
    for messages in early + late:
        assert [message.offset for message in messages] == list(range(len(messages)))
    assert numbers(early + late) == list(range(4000))
    log.close()


def test_broker_restart_mid_stream(log: KafkaLog, topic: str, kafka: Any) -> None:
    """The broker is killed and comes back while one reads and writes: no message is lost, none comes twice."""
    write(log, topic, 0, 500)
    readers = [log.reader(topic, p, None) for p in range(4)]
    first = read(readers, 500)
    writer = log.writer()
    writer.append(topic, [(b"%d" % n, b"%d " % n) for n in range(500, 600)])
    kafka.kill()
    writer.append(topic, [(b"%d" % n, b"%d " % n) for n in range(600, 700)])
    for reader in readers:
        assert len(reader.poll(10, 100)) >= 0  # raises nothing
    kafka.start()
    writer.close()
    second = read(readers, 200)
    write(log, topic, 700, 800)
    third = read(readers, 100)
    assert numbers(first + second + third) == list(range(800))
    until(lambda: sum(reader.lag() for reader in readers) == 0)


def test_lag_is_not_zero_while_the_broker_is_away(log: KafkaLog, topic: str, kafka: Any) -> None:
    """A reader that is caught up stops saying so when the broker cannot be asked, and says so again when it can."""
    write(log, topic, 0, 10)
    readers = [log.reader(topic, p, None) for p in range(4)]
    read(readers, 10)

    def lags() -> list[int]:
        for reader in readers:
            reader.poll(10, 100)
        return [reader.lag() for reader in readers]

    until(lambda: lags() == [0, 0, 0, 0])
    kafka.kill()
    until(lambda: min(lags()) >= 1)
    kafka.start()
    until(lambda: lags() == [0, 0, 0, 0])


def test_deleted_offset_is_lost_not_skipped(log: KafkaLog, topic: str, kafka: Any) -> None:
    """An offset that retention has passed is refused, with the offsets there are; the oldest can still be asked for."""
    write(log, topic, 0, 400)
    delete_before(kafka.address, topic, 2, 50)
    with pytest.raises(LostOffsetError, match=f"offset 10 is not there; 50 to {log.end(topic, 2)} are"):
        log.reader(topic, 2, 10)
    with pytest.raises(LostOffsetError, match="offset 999 is not there"):
        log.reader(topic, 0, 999)
    (messages,) = read([log.reader(topic, 2, None)], 1)
    assert messages[0].offset == 50


def test_offsets_lost_while_reading_are_raised(log: KafkaLog, topic: str, kafka: Any) -> None:
    """An offset that goes while it is read for, or that a truncated log lacks, raises for its partition only."""
    write(log, topic, 0, 400)
    delete_before(kafka.address, topic, 2, 50)
    reader = log.reader(topic, 0, 0)
    (consumer,) = log._consumers
    gone, beyond = (KafkaReader(consumer, consumer.add(topic, p, offset)) for p, offset in ((2, 10), (3, 999)))

    def raises(lost: KafkaReader, offset: int) -> bool:
        reader.poll(10, 1 << 20)
        try:
            return len(lost.poll(10, 1 << 20)) < 0
        except LostOffsetError as error:
            return f"offset {offset} is not there" in str(error)

    until(lambda: raises(gone, 10))
    until(lambda: raises(beyond, 999))


def test_undelivered_messages_are_raised(topic: str, kafka: Any) -> None:
    """With the broker dead flush raises for every message, once; afterwards the writer writes again."""
    log = KafkaLog(Settings(kafka.address, delivery_timeout_s=1.5))
    writer = log.writer()
    writer.append(topic, [(None, b"0 ")])
    writer.flush()
    kafka.kill()
    writer.append(topic, [(None, b"lost ")] * 3)
    with pytest.raises(UndeliveredError, match="3 messages were not taken"):
        writer.flush()
    writer.flush()
    kafka.start()
    until(lambda: leads(log, topic))  # the broker answers before it leads its partitions again
    patient = KafkaLog(Settings(kafka.address))  # nor need it take anything within a second and a half
    writer = patient.writer()
    writer.append(topic, [(None, b"1 ")])
    writer.close()
    patient.close()
    assert numbers(read([log.reader(topic, p, None) for p in range(4)], 2)) == [0, 1]
    log.close()


def test_missing_topic_and_dead_broker(log: KafkaLog, kafka_tool: Any) -> None:
    """A missing topic is refused by reader and writer; an address where nobody answers is unreachable."""
    assert log.partitions("nobody-made-it") == 0
    with pytest.raises(LogError, match="has 0 partitions"):
        log.reader("nobody-made-it", 0, None)
    nowhere = KafkaLog(f"127.0.0.1:{free_port()}")
    with pytest.raises(UnreachableError):
        nowhere.partitions("t")
    nowhere.close()


def test_ensure_keeps_what_is_there(log: KafkaLog, topic: str) -> None:
    """Ensuring a topic again changes nothing, whatever number of partitions is said."""
    log.ensure(topic, 9)
    assert log.partitions(topic) == 4


def test_too_large_a_message_is_refused(log: KafkaLog, topic: str) -> None:
    """The largest allowed message goes through; one byte more is refused before it is queued."""
    writer = log.writer()
    writer.append(topic, [(None, b"x" * 1_000_000)])
    writer.flush()
    with pytest.raises(ValueError, match="1000001 bytes; at most 1000000"):
        writer.append(topic, [(None, b"x" * 1_000_001)])
    writer.close()


def test_backlog_counts_from_committed_positions(kafka: Any, topic: str) -> None:
    """Positions that one process commits are seen as backlog by another; before any it is unknown."""
    group = f"g-{uuid.uuid4().hex[:8]}"
    consumer, other = KafkaLog(Settings(kafka.address, group=group)), KafkaLog(Settings(kafka.address, group=group))
    write(consumer, topic, 0, 100)
    assert other.backlog(topic) is None
    found = read([consumer.reader(topic, p, None) for p in range(4)], 100)
    consumer.commit(topic, {p: len(messages) - 5 for p, messages in enumerate(found)})
    until(lambda: other.backlog(topic) == 20)
    consumer.close()
    other.close()


def test_two_readers_of_one_partition(log: KafkaLog, topic: str) -> None:
    """A partition may be read twice in a process: each reader has its own position."""
    write(log, topic, 0, 40)
    one = read([log.reader(topic, p, None) for p in range(4)], 40)
    two = read([log.reader(topic, p, None) for p in range(4)], 40)
    assert one == two


def test_an_offset_by_time_leaves_nothing_out(log: KafkaLog, topic: str) -> None:
    """The offset of a message's time is at that message or before it; of a time to come it is the end."""
    write(log, topic, 0, 40)
    readers = [log.reader(topic, partition, None) for partition in range(4)]
    found = read(readers, 40)
    for partition, messages in enumerate(found):
        for message in messages:
            offset = log.offset_at(topic, partition, message.appended_ns)
            assert offset is not None
            assert offset <= message.offset
        assert log.offset_at(topic, partition, time.time_ns() + 10**12) == log.end(topic, partition)
        assert log.offset_at(topic, partition, 0) == 0
    for reader in readers:
        reader.close()
