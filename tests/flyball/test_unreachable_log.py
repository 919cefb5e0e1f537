"""`flyball flow` and `flyball up` without their Kafka: they wait, say for what, are not healthy, and end when told."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from loopback import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAITS = "flyball: waiting for the log, which does not answer: "


class Started:
    """A command whose Kafka address nobody listens on."""

    def __init__(self, folder: Path, live: Any, name: str) -> None:
        self.metrics, self.otlp, self.broker = free_ports(3)
        (folder / "config").mkdir()
        said = {
            "log": {"brokers": [f"127.0.0.1:{self.broker}"]},
            "metrics": {"port": self.metrics},
            "otlp": {"port": self.otlp, "grpc_port": None},
            "deliver": {"metrics": {"port": 0}},
            "control": {"port": 0},
        }
        (folder / "config" / "flyball.yaml").write_text(json.dumps(said))
        self.command = live.Command(folder, name, "--config", str(folder / "config"), "--data", str(folder / "data"))


@pytest.fixture
def started(request: pytest.FixtureRequest, tmp_path: Path, live: Any) -> Iterator[Started]:
    """Start the command that the test names."""
    started = Started(tmp_path, live, request.param)
    yield started
    for pid in (*live.descendants(started.command.process.pid), started.command.process.pid):
        live.kill(pid)
    started.command.process.wait(30)


@pytest.mark.parametrize("started", ["flow", "up"], indirect=True)
def test_an_unreachable_log_is_waited_for(started: Started, live: Any) -> None:
    """Health is red with the reason, one line says it; SIGTERM ends it at once, and that is no failure."""
    health = f"http://127.0.0.1:{started.metrics}/healthz"
    live.until(lambda: WAITS in started.command.said, lambda: started.command.said)
    status, text = live.get(health)
    assert status == 503
    assert text.startswith(f"waiting for the log, which does not answer: Kafka at 127.0.0.1:{started.broker}: ")
    began = time.monotonic()
    assert started.command.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 10
    assert started.command.said.count(WAITS) == 1


@pytest.mark.parametrize("started", ["up"], indirect=True)
def test_the_receiver_is_not_healthy_either(started: Started, live: Any) -> None:
    """Without a request that would show it, the receiver too says that its log is away; the flow is not given up."""
    health = f"http://127.0.0.1:{started.otlp}/healthz"
    live.until(lambda: live.get(health)[0] == 503, lambda: started.command.said)
    assert f"127.0.0.1:{started.broker}" in json.loads(live.get(health)[1])["status"]
    assert started.command.process.poll() is None
    assert "starting flow again" not in started.command.said
