"""A Kafka cluster as the log. Topics are set up by kafka-python, messages go through librdkafka (confluent-kafka)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from kafka.admin import KafkaAdminClient
from kafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError
from kafka.errors import KafkaError as PythonKafkaError

from streams.kafka.consumer import SharedConsumer
from streams.kafka.reader import KafkaReader
from streams.kafka.settings import Settings
from streams.kafka.words import in_words
from streams.kafka.writer import KafkaWriter
from streams.port import LogError, LostOffsetError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ANSWER_S: Final = 5.0
# where nobody changed the brokers' settings, what Kafka allows in a topic
_KAFKA_MAX_MESSAGE_BYTES: Final = 1_048_588


class KafkaLog:
    """A log on the cluster that `settings` (or just its brokers) names. Its readers may be in several threads."""

    def __init__(self, settings: Settings | str) -> None:
        self._settings = Settings(settings) if isinstance(settings, str) else settings
        self._consumers: list[SharedConsumer] = []
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._metadata: AdminClient | None = None

    def ensure(self, topic: str, partitions: int) -> None:
        """Create the topic if it is missing, with the brokers' clock as its time. Raises UnreachableError."""
        if self.partitions(topic):
            return
        configs = {"message.timestamp.type": "LogAppendTime"}
        if self._settings.max_message_bytes > _KAFKA_MAX_MESSAGE_BYTES - 2048:
            configs["max.message.bytes"] = str(self._settings.max_message_bytes + 2048)
        wanted = {"num_partitions": partitions, "replication_factor": self._settings.replication, "configs": configs}
        try:
            admin = KafkaAdminClient(**self._settings.admin())
            try:
                admin.create_topics({topic: wanted}, wait_for_metadata=True)
            except TopicAlreadyExistsError:  # another was quicker
                admin.wait_for_topics([topic])
            finally:
                admin.close()
        except PythonKafkaError as error:
            # brokers that have just come up are not counted yet among those that can hold a copy
            passes = error.retriable or isinstance(error, InvalidReplicationFactorError)
            kind = UnreachableError if passes else LogError
            do = "it is tried again" if passes else "create it, or let Flyball create topics"
            msg = f"{topic} cannot be created at Kafka at {self._settings.brokers} ({type(error).__name__}): {do}"
            raise kind(msg) from error

    def partitions(self, topic: str) -> int:
        """Count the partitions, asking the brokers; 0 when the topic is missing. Raises UnreachableError."""
        if self._metadata is None:
            self._metadata = AdminClient(self._settings.common())
        try:
            # all topics are asked for: asking for one could create it
            known = self._metadata.list_topics(timeout=_ANSWER_S).topics.get(topic)
        except KafkaException as error:
            raise UnreachableError(in_words(self._settings.brokers, error)) from error
        return 0 if known is None else len(known.partitions)

    def reader(self, topic: str, partition: int, offset: int | None) -> KafkaReader:
        """Open a reader at `offset`; None: at the oldest message there is.

        Raises LostOffsetError where the offset is not there now, LogError for a missing partition, UnreachableError.
        """
        with self._lock:
            self._check(topic, partition)
            if offset is not None:
                low, high = self._bounds(topic, partition)
                if not low <= offset <= high:
                    msg = f"{topic}/{partition}: offset {offset} is not there; {low} to {high} are"
                    raise LostOffsetError(msg)
            free = [consumer for consumer in self._consumers if not consumer.holds(topic, partition)]
            consumer = free[0] if free else self._new_consumer()
            return KafkaReader(consumer, consumer.add(topic, partition, offset))

    def end(self, topic: str, partition: int) -> int:
        """Tell the offset that the next message will have, asking the brokers. Raises LogError, UnreachableError."""
        with self._lock:
            self._check(topic, partition)
            return self._bounds(topic, partition)[1]

    def offset_at(self, topic: str, partition: int, appended_ns: int) -> int | None:
        """Ask the brokers for the first offset of that time or later; where there is none, it is the end."""
        with self._lock:
            self._check(topic, partition)
            consumer = self._consumers[0] if self._consumers else self._new_consumer()
        place = TopicPartition(topic, partition, max(0, appended_ns) // 1_000_000)
        try:
            offset = consumer.offset_at(place, _ANSWER_S)
        except KafkaException as error:
            raise UnreachableError(in_words(self._settings.brokers, error)) from error
        return self.end(topic, partition) if offset < 0 else offset

    def writer(self) -> KafkaWriter:
        """Open a writer; nothing is said to the brokers before the first message."""
        return KafkaWriter(self._settings)

    def commit(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Send positions to the group, for tools that show lag."""
        with self._lock:
            consumer = self._consumers[0] if self._consumers else self._new_consumer()
        consumer.commit(topic, dict(offsets))

    def backlog(self, topic: str) -> int | None:
        """Count the messages after the group's positions; a partition without one counts from its oldest message."""
        with self._lock:
            consumer = self._consumers[0] if self._consumers else self._new_consumer()
        places = [TopicPartition(topic, partition) for partition in range(self.partitions(topic))]
        try:
            return consumer.backlog(places, _ANSWER_S)
        except KafkaException as error:
            raise UnreachableError(in_words(self._settings.brokers, error)) from error

    def close(self) -> None:
        """Close what the readers share."""
        with self._lock:
            for consumer in self._consumers:
                consumer.close()
            self._consumers.clear()
            self._metadata = None

    def _check(self, topic: str, partition: int) -> None:
        if partition >= self._counts.get(topic, 0):
            self._counts[topic] = self.partitions(topic)
        count = self._counts[topic]
        if not 0 <= partition < count:
            msg = f"{self._settings.brokers}: topic {topic!r} has {count} partitions, none of number {partition}"
            raise LogError(msg)

    def _bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Ask for the oldest offset and the one after the newest."""
        consumer = self._consumers[0] if self._consumers else self._new_consumer()
        try:
            return consumer.bounds(TopicPartition(topic, partition), _ANSWER_S)
        except KafkaException as error:
            raise UnreachableError(in_words(self._settings.brokers, error)) from error

    def _new_consumer(self) -> SharedConsumer:
        consumer = SharedConsumer(self._settings.consumer(), self._settings.buffer_bytes)
        self._consumers.append(consumer)
        return consumer
