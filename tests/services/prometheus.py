"""A real Prometheus on loopback, for tests: Debian's prometheus. It scrapes one address every second."""

from __future__ import annotations

import json
import shutil
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from tests.helpers.web_service import WebService

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: flyball
    static_configs: [{{targets: ["{target}"]}}]
"""


def missing() -> str | None:
    """Say what keeps it from being started; None: nothing."""
    return None if shutil.which("prometheus") else "no prometheus in PATH: install Debian's prometheus"


class Prometheus(WebService):
    """One Prometheus that scrapes `target` (host:port) and has these rules (YAML text); runs while it is entered."""

    def __init__(self, folder: Path, target: str, rules: str) -> None:
        super().__init__(folder, "prometheus")
        (folder / "prometheus.yml").write_text(CONFIG.format(target=target))
        (folder / "rules.yaml").write_text(rules)

    def command(self) -> list[str]:
        """Give what starts it."""
        files = [f"--config.file={self.folder / 'prometheus.yml'}", f"--storage.tsdb.path={self.folder / 'data'}"]
        return ["prometheus", *files, f"--web.listen-address=127.0.0.1:{self.port}"]

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
