"""Leaving brokers that hang: librdkafka waits for them for minutes, whoever wants to end does not."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from streams.kafka import consumer
from streams.kafka.consumer import SharedConsumer

if TYPE_CHECKING:
    import pytest


def test_a_broker_that_hangs_holds_up_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow whose broker froze stood there for as long, neither read nor started again."""
    shared = SharedConsumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g"}, 1)
    real, thawed = shared._consumer, threading.Event()

    class Hanging:
        def close(self) -> None:
            thawed.wait(30)

    hanging: Any = Hanging()
    monkeypatch.setattr(shared, "_consumer", hanging)
    monkeypatch.setattr(consumer, "_LEAVE_S", 0.2)
    began = time.monotonic()
    shared.close()
    assert time.monotonic() - began < 5
    thawed.set()
    real.close()
