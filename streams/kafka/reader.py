"""Reading one partition of a Kafka topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.kafka.consumer import Feed, SharedConsumer
    from streams.port import Message


class KafkaReader:
    """A reader whose messages come through a consumer that it shares with others."""

    def __init__(self, consumer: SharedConsumer, feed: Feed) -> None:
        self._consumer = consumer
        self._feed = feed

    def poll(self, max_messages: int, max_bytes: int) -> Sequence[Message]:
        """Give what has come. Raises LostOffsetError; LogError for what does not pass by itself."""
        return self._consumer.take(self._feed, max_messages, max_bytes)

    def lag(self) -> int:
        """Count the messages after the last one given; while the brokers have not said, at least 1."""
        return self._consumer.lag(self._feed)

    def expects(self) -> bool:
        """Tell whether the brokers said, when last heard, that there is more."""
        return self._consumer.expects(self._feed)

    def close(self) -> None:
        """Stop reading the partition."""
        self._consumer.remove(self._feed)
