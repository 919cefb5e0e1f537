"""The tool that runs a real Kafka, as a person uses it."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from streams.kafka import KafkaLog

TOOL = Path(__file__).resolve().parent / "broker.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the tool."""
    return subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.kafka
def test_start_stop_and_start_again(kafka: Any, tmp_path: Path) -> None:
    """Start prints the address, status knows, stop ends it, and the next start finds the topics of before."""
    folder = tmp_path / "broker"
    try:
        started = run("start", "--dir", folder, "--port", 0)
        address = started.stdout.strip()
        assert address.startswith("127.0.0.1:"), started.stderr
        assert run("status", "--dir", folder).stdout.startswith(f"running at {address}, process ")
        topic = uuid.uuid4().hex
        log = KafkaLog(address)
        log.ensure(topic, 3)
        log.close()
        assert run("stop", "--dir", folder).returncode == 0
        stopped = run("status", "--dir", folder)
        assert (stopped.stdout, stopped.returncode) == ("stopped\n", 1)
        assert run("start", "--dir", folder, "--port", 0).stdout.strip() == address
        log = KafkaLog(address)
        assert log.partitions(topic) == 3
        log.close()
    finally:
        run("stop", "--dir", folder)


def test_missing_jars_are_said(kafka_tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the jars the reason says what to run; without Java what to install."""
    monkeypatch.setenv("FLYBALL_KAFKA_CACHE", str(tmp_path))
    monkeypatch.setattr(kafka_tool.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert "broker.py fetch" in kafka_tool.missing()
    monkeypatch.setattr(kafka_tool.shutil, "which", lambda name: None)
    assert "no java in PATH" in kafka_tool.missing()
    with pytest.raises(kafka_tool.BrokerError, match="no java"):
        kafka_tool.Broker(tmp_path).start()
    with pytest.raises(kafka_tool.BrokerError, match="no mvn in PATH"):
        kafka_tool.fetch()
