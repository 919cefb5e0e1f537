"""What can be set of the Kafka adapter, and what the two client libraries are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# message.max.bytes counts keys, headers and the frame of a batch too
_FRAME_BYTES: Final = 1024
# security settings, in the words of librdkafka, as kafka-python calls them
_ADMIN_WORDS: Final = {
    "security.protocol": "security_protocol",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
    "ssl.ca.location": "ssl_cafile",
    "ssl.certificate.location": "ssl_certfile",
    "ssl.key.location": "ssl_keyfile",
    "ssl.key.password": "ssl_password",
}


@dataclass(frozen=True)
class Settings:
    """Settings of one connection to a Kafka cluster."""

    brokers: str
    """`host:port`, several by comma."""
    group: str = "flyball"
    """Under this name positions are committed, for tools that show lag. Nothing is ever read back from it."""
    max_message_bytes: int = 1_000_000
    """Must not be beyond the topics' `max.message.bytes` (1,048,588 where nobody changed it)."""
    delivery_timeout_s: float = 30.0
    """A message that the brokers have not taken by then is undelivered."""
    linger_ms: float = 5.0
    """A writer that is not flushed waits this long for more messages; a flush waits for nothing."""
    buffer_bytes: int = 8 << 20
    """Of one partition, read ahead of its reader: beyond it the partition is paused."""
    replication: int = -1
    """Copies of the topics that are created; -1: the brokers' own choice."""
    client: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further settings in librdkafka's words, e.g. security.protocol."""

    def consumer(self) -> dict[str, Any]:
        """Configure a reader: explicit offsets, and a loud stop where one is gone."""
        return self.common() | {
            "group.id": self.group,
            "auto.offset.reset": "error",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "allow.auto.create.topics": False,
            "fetch.wait.max.ms": 20,
            "max.partition.fetch.bytes": 8 << 20,
            "fetch.error.backoff.ms": 50,
            "queued.max.messages.kbytes": 49152,
        }

    def producer(self) -> dict[str, Any]:
        """Configure a writer: each message once and in order, or an error; keys choose partitions as in Java."""
        return self.common() | {
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": self.linger_ms,
            "delivery.timeout.ms": int(self.delivery_timeout_s * 1000),
            "message.max.bytes": self.max_message_bytes + _FRAME_BYTES,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
        }

    def admin(self) -> dict[str, Any]:
        """Configure the client that creates topics."""
        words = {_ADMIN_WORDS[name]: value for name, value in self.client.items() if name in _ADMIN_WORDS}
        return {"bootstrap_servers": self.brokers.split(","), "bootstrap_timeout_ms": 10_000} | words

    def common(self) -> dict[str, Any]:
        """Configure any client: where the brokers are, and how to come back to them."""
        return {
            "bootstrap.servers": self.brokers,
            "client.id": "flyball",
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1000,  # the default of 10 s keeps a stream still long after its broker is back
            "log_level": 2,  # what matters is raised or counted by us; librdkafka would repeat it on stderr
            **self.client,
        }
