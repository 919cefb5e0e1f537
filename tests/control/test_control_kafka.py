"""Verdicts from a real Kafka: each is applied once, over restarts of the control plane, and soon."""

from __future__ import annotations

import time
import uuid
from typing import Any

import orjson
import pytest

from control.plane import Plane, PlaneSettings
from streams.kafka import KafkaLog


@pytest.mark.kafka
def test_verdicts_from_kafka_are_applied_once(planes: Any, tmp_path: Any, kafka: Any) -> None:
    """Kills of 20 users arrive; after a restart, told again among new ones, each has one entry in the audit log."""
    topic, spend = f"verdicts-{uuid.uuid4().hex}", f"spend-{uuid.uuid4().hex}"
    log = KafkaLog(kafka.address)
    log.ensure(topic, 3)
    writer = log.writer()
    told = [planes.verdict(scope=("user", f"u{number}")) for number in range(20)]

    def tell(records: list[Any]) -> None:
        writer.append(topic, [(each["scope"]["id"].encode(), orjson.dumps(each)) for each in records])
        writer.flush()

    tell(told[:10])
    slowest = 0.0
    for records in (told[10:15], told[5:]):
        plane = Plane(PlaneSettings(tmp_path / "control", verdicts=topic, spend=spend), log, say=lambda _: None)
        plane.start()
        planes.until(lambda plane=plane: len(plane.authority.shown.signals) >= 10, "nothing came", 60)
        tell(records)
        begun, last = time.monotonic(), planes.scope("user", records[-1]["scope"]["id"])
        planes.until(lambda plane=plane, last=last: plane.authority.killed(last, None), "the last one is missing", 60)
        slowest = max(slowest, time.monotonic() - begun)
        plane.stop()
    print(f"slowest {slowest * 1000:.0f} ms from the broker's answer to the signal")  # noqa: T201
    plane = Plane(PlaneSettings(tmp_path / "control"), say=lambda _: None)
    bodies = [orjson.loads(each.body) for each in plane.store.entries()]
    ids = [each["what"]["id"] for each in bodies if each["kind"] == "verdict"]
    assert sorted(ids) == sorted(each["id"] for each in told)
    assert len(plane.authority.shown.signals) == 20
    plane.stop()
    writer.close()
    log.close()
