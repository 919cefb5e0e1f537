"""A real Prometheus on loopback, for tests: Debian's prometheus. It scrapes one address every second."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

START_TIMEOUT_S = 30.0
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: flyball
    static_configs: [{{targets: ["{target}"]}}]
"""


class PrometheusError(Exception):
    """It cannot be had: what it said."""


def missing() -> str | None:
    """Say what keeps it from being started; None: nothing."""
    return None if shutil.which("prometheus") else "no prometheus in PATH: install Debian's prometheus"


class Prometheus:
    """One Prometheus that scrapes `target` (host:port) and has these rules (YAML text); runs while it is entered."""

    def __init__(self, folder: Path, target: str, rules: str) -> None:
        self._folder = folder
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        (folder / "prometheus.yml").write_text(CONFIG.format(target=target))
        (folder / "rules.yaml").write_text(rules)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start, and wait until it is ready."""
        log = self._folder / "prometheus.log"
        command = ["prometheus", f"--config.file={self._folder / 'prometheus.yml'}"]
        command += [f"--storage.tsdb.path={self._folder / 'data'}", f"--web.listen-address=127.0.0.1:{self._port}"]
        with log.open("wb") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
        until = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise PrometheusError(log.read_text())
            time.sleep(0.05)
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Give the series of an expression as they are now: `metric` (labels), `value` ([time, text])."""
        return list(self._get("query", query=expression)["result"])

    def alerts(self) -> list[dict[str, Any]]:
        """Give the alerts that are pending or firing."""
        return list(self._get("alerts")["alerts"])

    def rules(self) -> list[dict[str, Any]]:
        """Give all rules, with `health` and `lastError`."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def targets(self) -> list[dict[str, Any]]:
        """Give what it scrapes, with `health` and `lastError`."""
        return list(self._get("targets")["activeTargets"])

    def _get(self, what: str, **arguments: str) -> Any:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 -- our own
            return json.load(answer)["data"]

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:  # noqa: S310 -- our own
                return bool(answer.status == 200)
        except OSError:
            return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
