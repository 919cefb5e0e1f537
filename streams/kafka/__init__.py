"""A Kafka cluster as the log."""

from __future__ import annotations

from streams.kafka.log import KafkaLog
from streams.kafka.settings import Settings

__all__ = ["KafkaLog", "Settings"]
