"""A flow on a real Kafka: what a Collector writes in, records out, through a restart of the broker and lost offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def deployment(kafka: Any, tmp_path: Path, live: Any) -> Iterator[Any]:
    """Give a deployment on the broker."""
    with live.Deployment(tmp_path, kafka.address) as deployment:
        yield deployment


def committed_lag(deployment: Any, address: str) -> int | None:
    """Give the lag that any tool sees: ends of the topics read less the group's positions; None before the first."""
    admin = KafkaAdminClient(bootstrap_servers=address)
    try:
        positions = admin.list_group_offsets("flyball")
    finally:
        admin.close()
    topic = deployment.topics["spans"]
    found = [_position(positions, topic, partition) for partition in range(4)]
    if None in found:
        return None
    return sum(deployment.log.end(topic, i) - offset for i, offset in enumerate(found) if offset is not None)


def _position(positions: Any, topic: str, partition: int) -> int | None:
    known = positions.get("flyball", positions)
    if TopicPartition(topic, partition) in known:
        return int(known[TopicPartition(topic, partition)].offset)
    return None


def test_through_a_restart_of_the_broker(deployment: Any, live: Any, kafka: Any, tmp_path: Path) -> None:
    """Spans by trace id, logs without keys, poison among them, the broker killed in mid-stream: the truth is told."""
    traffic = live.traffic(seed=21, duration_s=60.0, rate=3.0)
    spans = live.keyed_by_trace(traffic.messages)
    logs = [(name, None, payload) for name, payload in traffic.messages if name == "logs"]
    oracle = live.expected([payload for *_, payload in [*spans, *logs]], tmp_path)
    live.check_truth(oracle, traffic.truth)

    def produce(messages: list[tuple[str, bytes | None, bytes]]) -> None:
        producer = Producer({"bootstrap.servers": kafka.address, "enable.idempotence": True})
        for name, key, payload in messages:
            producer.produce(deployment.topics[name], payload, key)
        assert producer.flush(60) == 0

    deployment.start()
    half = len(spans) // 2
    produce(spans[:half])
    producer = Producer({"bootstrap.servers": kafka.address})
    producer.produce(deployment.topics["spans"], b"\xff\xff\xff", partition=2)
    assert producer.flush(30) == 0
    live.until(lambda: deployment.check_alive() and deployment.watcher.read().records > 100, "nothing is told")
    kafka.kill()
    kafka.start()
    produce([*spans[half:], *logs])
    deployment.append_each(traffic.marks())
    live.until(
        lambda: deployment.check_alive() and deployment.watcher.read().facts() == oracle.facts(),
        lambda: deployment.watcher.told.differences(oracle),
    )
    live.until(lambda: deployment.check_alive() and committed_lag(deployment, kafka.address) == 0, "no lag is told")
    assert "flyball_consumer_lag_messages{" in deployment.metrics()
    deployment.stop()
    told = deployment.watcher.read_all()
    live.check_truth(told, traffic.truth)
    letters = {(letter["topic"], letter["partition"], letter["bytes"]) for letter in told.dead_letters}
    assert letters == {(deployment.topics["spans"], 2, 3)}
    assert len({letter["offset"] for letter in told.dead_letters}) == 1


def test_lost_offsets_stop_loudly(deployment: Any, live: Any, kafka: Any) -> None:
    """Messages deleted before they were read: the flow ends and names the choice; with `oldest` it goes on."""
    traffic = live.traffic(seed=22, duration_s=30.0, rate=2.0)
    deployment.append(traffic.messages[:40])
    deployment.start()
    live.until(lambda: deployment.check_alive() and deployment.metrics() and backlog(deployment) == 0, "unread")
    deployment.stop()
    deployment.append(traffic.messages[40:])
    topic = deployment.topics["spans"]
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)
    admin.delete_records({TopicPartition(topic, i): deployment.log.end(topic, i) for i in range(live.PARTITIONS)})
    admin.close()
    lost = deployment.command("flow")
    assert lost.process.wait(60) == 1
    assert "log.on_lost: oldest" in lost.said.splitlines()[-1]
    deployment.kill()
    deployment.configure(log={"on_lost": "oldest"})
    deployment.start()
    deployment.append(traffic.messages[:40])
    live.until(lambda: deployment.check_alive() and backlog(deployment) == 0, "it does not go on")
    deployment.stop()


def backlog(deployment: Any) -> int | None:
    """Count what is not read, by the group's positions."""
    return deployment.log.backlog(deployment.topics["spans"])  # type: ignore[no-any-return]
