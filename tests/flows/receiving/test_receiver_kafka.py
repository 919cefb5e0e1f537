"""The receiver in front of a real Kafka: acknowledged is written, and an outage is said and survived."""

from __future__ import annotations

import http.client
import threading
import time
import uuid
from typing import Any

import pytest
import uvicorn

from flows.receiver import create_app
from flows.receiving.settings import ReceiverSettings
from streams.kafka import KafkaLog, Settings

pytestmark = pytest.mark.kafka


def post(port: int, body: bytes) -> int:
    """Post a JSON request and give the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/v1/traces", body, {"Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status


def numbers(log: KafkaLog, topic: str, count: int) -> set[int]:
    """Read until `count` different numbers have come: those of a refused request may come too, and twice."""
    readers = [log.reader(topic, partition, None) for partition in range(log.partitions(topic))]
    found: set[int] = set()
    deadline = time.monotonic() + 30
    while len(found) < count:
        assert time.monotonic() < deadline
        for reader in readers:
            found |= {int(message.value[6:-1]) for message in reader.poll(100, 1 << 20)}
        time.sleep(0.005)
    return found


def test_an_outage_is_503_and_passes(kafka: Any) -> None:
    """Requests are stored, refused while the broker is dead, and stored again when it is back; none is lost."""
    log = KafkaLog(Settings(kafka.address, delivery_timeout_s=3.0))
    topic = f"spans-{uuid.uuid4().hex[:8]}"
    settings = ReceiverSettings(spans_topic=topic, logs_topic=f"{topic}-logs")
    server = uvicorn.Server(uvicorn.Config(create_app(log, settings), "127.0.0.1", 0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        taken = [number for number in range(20) if post(port, b'{"n": %d}' % number) == 200]
        assert taken == list(range(20))
        kafka.kill()
        assert post(port, b'{"n": 20}') == 503
        kafka.start()
        deadline = time.monotonic() + 30
        while post(port, b'{"n": 21}') != 200:
            assert time.monotonic() < deadline
        assert numbers(log, topic, 21) >= {*range(20), 21}
    finally:
        server.should_exit = True
        thread.join()
        log.close()
