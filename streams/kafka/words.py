"""Words: what an error of Kafka means to whoever runs Flyball, and what to do, in place of its code."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException

_RIGHTS: Final = "give the user that Flyball connects as the right to read and write its topics"
_DO: Final = {
    KafkaError._TRANSPORT: "check that its brokers run and can be reached, and `log.brokers`",  # noqa: SLF001 - its public names
    KafkaError._ALL_BROKERS_DOWN: "check that its brokers run and can be reached, and `log.brokers`",  # noqa: SLF001
    KafkaError._TIMED_OUT: "check that its brokers run and are not overloaded, and `log.brokers`",  # noqa: SLF001
    KafkaError._RESOLVE: "check the names of hosts in `log.brokers`",  # noqa: SLF001
    KafkaError._AUTHENTICATION: "check the user and the password that Flyball connects with",  # noqa: SLF001
    KafkaError.SASL_AUTHENTICATION_FAILED: "check the user and the password that Flyball connects with",
    KafkaError._SSL: "check the certificates, and that the brokers speak TLS at this port",  # noqa: SLF001
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.GROUP_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: _RIGHTS,
    KafkaError.UNKNOWN_TOPIC_OR_PART: "the topic was deleted, or never created: create it, and restart",
    KafkaError._UNKNOWN_TOPIC: "the topic was deleted, or never created: create it, and restart",  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION: "the topic was deleted, or created anew with fewer partitions: restart",  # noqa: SLF001
    KafkaError.NOT_ENOUGH_REPLICAS: "too few brokers hold the topic: start those that are down",
    KafkaError.MSG_SIZE_TOO_LARGE: "raise `max.message.bytes` of the topic",
}


def in_words(where: str, error: KafkaException | KafkaError) -> str:
    """Say what has befallen `where` (brokers, or a topic's partition) and what helps; where nobody knows, its name."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    if not isinstance(cause, KafkaError):
        return f"{where}: {error}"
    said = cause.str().replace("Local: ", "").replace("Broker: ", "")
    if cause.code() not in _DO:
        return f"Kafka at {where}: {said} ({cause.name()})"
    return f"Kafka at {where}: {said}; {_DO[cause.code()]}"
