"""A real OpenTelemetry Collector on loopback, with the configuration of deploy/collector, where somebody has put one.

It is the program named by $FLYBALL_COLLECTOR, else `otelcol-contrib` or `otelcol` in PATH: of the version that compose
pins, with the components of deploy/collector/config.yaml. docs/deploy.md says how one gets it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from loopback import free_ports

from tests.helpers.web_service import WebService

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "deploy" / "collector" / "config.yaml"
IMAGE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["collector"]["image"]
VERSION = IMAGE.rpartition(":")[2]


def program() -> str | None:
    """Give the path of the program, or None."""
    said = os.environ.get("FLYBALL_COLLECTOR")
    return said or shutil.which("otelcol-contrib") or shutil.which("otelcol")


def missing() -> str | None:
    """Say what keeps it from being started; None: nothing."""
    found = program()
    if found is None:
        return "no otelcol-contrib in PATH, and $FLYBALL_COLLECTOR does not name one"
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    return None if said.split()[-1] == VERSION else f"{found} is not version {VERSION}: {said.strip()}"


class Collector(WebService):
    """One Collector that writes to `topics` (spans, logs) of a broker; runs while it is entered."""

    ready_at = "/"

    def __init__(self, folder: Path, broker: str, topics: Mapping[str, str]) -> None:
        self.grpc_port, self.http_port, health, self.metrics_port = free_ports(4)
        super().__init__(folder, "collector", health)
        said: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
        protocols = said["receivers"]["otlp"]["protocols"]
        for name, port in (("grpc", self.grpc_port), ("http", self.http_port)):
            protocols[name]["endpoint"] = f"127.0.0.1:{port}"
        kafka = said["exporters"]["kafka"]
        kafka["brokers"] = [broker]
        kafka["traces"]["topic"], kafka["logs"]["topic"] = topics["spans"], topics["logs"]
        said["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{health}"
        (reader,) = said["service"]["telemetry"]["metrics"]["readers"]
        reader["pull"]["exporter"]["prometheus"] |= {"host": "127.0.0.1", "port": self.metrics_port}
        self.config = said

    def command(self) -> list[str]:
        """Give what starts it."""
        path = self.folder / "collector.yaml"
        path.write_text(yaml.safe_dump(self.config))
        found = program()
        assert found is not None
        return [found, f"--config={path}"]

    def said(self) -> str:
        """Give what it logged."""
        return self._log.read_text()

    def metrics(self) -> dict[str, float]:
        """Add up its own metrics by name, as Prometheus sees them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        out: dict[str, float] = {}
        for name, value in re.findall(r"^(\w+)(?:\{.*\})? (\S+)$", text, re.MULTILINE):
            out[name] = out.get(name, 0.0) + float(value)
        return out
