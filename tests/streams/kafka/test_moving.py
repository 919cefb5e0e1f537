"""Positions of a group that move to another broker: asked again, as brokers that have just come up mean it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.kafka import consumer
from streams.kafka.consumer import SharedConsumer

if TYPE_CHECKING:
    from collections.abc import Iterator


class Moving:
    """Answers with an error some times, then with a position; the log ends at 9."""

    def __init__(self, error: int, times: int) -> None:
        self.error, self.times = KafkaError(error), times

    def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        """Answer."""
        self.times -= 1
        if self.times >= 0:
            raise KafkaException(self.error)
        return [TopicPartition(place.topic, place.partition, 4) for place in places]

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        """Give the bounds."""
        return 0, 9


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedConsumer]:
    """Give a consumer of nobody, that is quick to ask again."""
    shared = SharedConsumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g"}, 1)
    real = shared._consumer
    monkeypatch.setattr(consumer, "_MOVED_S", 0.001)
    yield shared
    real.close()


def backlog(shared: SharedConsumer, broker: Any, timeout_s: float = 10.0) -> int | None:
    """Ask it."""
    shared._consumer = broker
    return shared.backlog([TopicPartition("spans", 0), TopicPartition("spans", 1)], timeout_s)


@pytest.mark.parametrize("error", [KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS])
def test_positions_that_move_are_asked_for_again(shared: SharedConsumer, error: int) -> None:
    """The answer that comes in the end counts; one that does not come within the time is what went wrong."""
    assert backlog(shared, Moving(error, 3)) == 10
    with pytest.raises(KafkaException):
        backlog(shared, Moving(error, 10**6), 0.05)


def test_another_error_is_told_at_once(shared: SharedConsumer) -> None:
    """It would come again."""
    broker = Moving(KafkaError.GROUP_AUTHORIZATION_FAILED, 10**6)
    with pytest.raises(KafkaException):
        backlog(shared, broker)
    assert broker.times == 10**6 - 1
