"""Errors of Kafka in the words of whoever runs Flyball: what is wrong, where, and what helps."""

from __future__ import annotations

import socket

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.kafka.log import KafkaLog
from streams.kafka.settings import Settings
from streams.kafka.words import in_words
from streams.port import LogError, UnreachableError, told

AT = "Kafka at k:9092: "
SAID = {
    KafkaError._TRANSPORT: "Broker transport failure; check that its brokers run and can be reached, and `log.brokers`",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "Group authorization failed; give the user that Flyball connects as the"
    " right to read and write its topics",
    KafkaError.INVALID_PARTITIONS: "Invalid number of partitions (INVALID_PARTITIONS)",
}


@pytest.mark.parametrize("code", SAID)
def test_an_error_says_what_to_do(code: int) -> None:
    """Bare or as it is raised; one that nobody knows what to do about keeps its name."""
    error = KafkaError(code)
    assert in_words("k:9092", error) == in_words("k:9092", KafkaException(error)) == AT + SAID[code]


def test_brokers_that_do_not_answer() -> None:
    """A port where nobody listens: no code, no class, but where it was looked for and what to look at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(UnreachableError) as raised:
            KafkaLog(Settings(where)).partitions("t")
    said = told(raised.value)
    assert said.startswith(f"Kafka at {where}: ")
    assert said.endswith("`log.brokers`")
    assert "Error" not in said


def test_what_is_no_error_of_a_log_keeps_its_kind() -> None:
    """A mistake of ours is none that people can mend: whoever reports it needs its kind."""
    found = [told(error) for error in (LogError("a"), LogError(), ValueError("b"))]
    assert found == ["a", "LogError: ", "ValueError: b"]
