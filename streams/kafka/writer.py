"""Writing to Kafka: an idempotent producer whose every refusal is collected, and raised at flush."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from streams.kafka.words import in_words
from streams.port import UndeliveredError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.kafka.settings import Settings

_FULL_WAIT_S: Final = 0.1


class KafkaWriter:
    """A writer of any topics of one cluster. Not thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: Producer | None = None
        self._refused: list[KafkaError] = []

    def append(self, topic: str, messages: Sequence[tuple[bytes | None, bytes]]) -> None:
        """Queue messages; waits while the producer's own queue is full. Raises ValueError where one is too large."""
        largest = max((len(key or b"") + len(value) for key, value in messages), default=0)
        if largest > self._settings.max_message_bytes:
            bound = self._settings.max_message_bytes
            msg = f"{topic}: a message of {largest} bytes; at most {bound} are allowed"
            raise ValueError(msg)
        if self._producer is None:
            self._producer = Producer(self._settings.producer())
        for key, value in messages:
            self._produce(self._producer, topic, key, value)
        self._producer.poll(0)

    def push(self) -> None:
        """Let librdkafka send what is queued; it does so by itself after the linger time."""
        if self._producer is not None:
            self._producer.poll(0)

    def flush(self) -> None:
        """Wait for the brokers' word on every message. Raises UndeliveredError for what they did not take in time."""
        if self._producer is not None:
            while self._producer.flush(1.0):
                pass  # each message ends at the latest after the delivery timeout
        refused, self._refused = self._refused, []
        if any(error.fatal() for error in refused):
            self._producer = None  # it refuses everything from now on; the next one starts anew
        if refused:
            msg = f"{len(refused)} messages were not taken: {in_words(self._settings.brokers, refused[0])}"
            raise UndeliveredError(msg)

    def close(self) -> None:
        """Flush and release."""
        try:
            self.flush()
        finally:
            self._producer = None

    def _produce(self, producer: Producer, topic: str, key: bytes | None, value: bytes) -> None:
        while True:
            try:
                producer.produce(topic, value, key, on_delivery=self._delivered)
            except BufferError:
                producer.poll(_FULL_WAIT_S)
            except KafkaException as error:
                self._refused.append(error.args[0])
                return
            else:
                return

    def _delivered(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self._refused.append(error)
