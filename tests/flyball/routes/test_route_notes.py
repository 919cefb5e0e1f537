"""Notes of `flyball check` about routes: what is well-formed, and yet reaches nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flyball.cli import main

if TYPE_CHECKING:
    from pathlib import Path

SLO = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: refund, annotations: {flyball.dev/budget-policy: "50: notify, 100: rollback"}}
spec:
  service: s
  indicator: {spec: {ratioMetric: {rawType: success, raw: {metricSource: {type: flyball, spec: {sli: task_success}}}}}}
  timeWindow: [{duration: 30d}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.95}]
"""
SINKS = """
sinks:
  - {name: chat, type: stdout}
  - {name: deployer, type: webhook, url: "http://localhost:1/"}
routes:
"""
BACK = "  - {name: back, match: {labels: {action.rollback: 'yes'}}, sinks: [deployer], continue: true}\n"
ALL = "  - {name: all, sinks: [chat]}\n"
IDLE = "rollback reaches nothing that deploys: no route of routes.yaml that is ever taken leads to a webhook"


@pytest.mark.parametrize(
    ("routes", "noted"),
    [
        (None, [f"slo.yaml:2: refund: {IDLE}"]),
        (ALL, [f"slo.yaml:2: refund: {IDLE}"]),
        (BACK + ALL, []),
        (ALL + BACK, ["routes.yaml:7: back: never reached: all takes every page", f"slo.yaml:2: refund: {IDLE}"]),
        ("  - {name: all, sinks: [chat], continue: true}\n" + BACK, []),
        ("  - {name: urgent, match: {severity: [SEV-1]}, sinks: [chat]}\n" + BACK, []),
    ],
    ids=["no file", "nowhere", "right", "behind", "goes on", "some"],
)
def test_routes_that_reach_nobody_are_noted(
    routes: str | None, noted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A route behind one that takes all is noted, and a rollback that no reachable webhook hears of; both with line."""
    (tmp_path / "slo.yaml").write_text(SLO)
    if routes is not None:
        (tmp_path / "routes.yaml").write_text(SINKS + routes)
    assert main(["check", str(tmp_path)]) == 0
    *notes, last = capsys.readouterr().out.replace(f"{tmp_path}/", "").splitlines()
    assert notes == [f"note: {note}" for note in noted]
    assert last.startswith("ok: ")
