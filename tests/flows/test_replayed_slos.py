"""What a replay says of SLOs does not depend on how much of a file is read at once, nor on what comes later in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from bytewax.testing import run_main
from prometheus_client import CollectorRegistry

from flows.files import FileSource
from flows.metrics import Metrics
from flows.sink import CallSink
from flows.topology import build
from flyball.check import configuration, objectives
from flyball.cli import main
from flyball.wiring import flow_settings

if TYPE_CHECKING:
    from pathlib import Path


def told(path: Path, config: Path, batch_bytes: int) -> dict[tuple[str, ...], Any]:
    """Replay with batches of this size: what is counted and told of SLOs, by when and of what."""
    settings = flow_settings(configuration(config), objectives(config))
    records: list[dict[str, Any]] = []
    sink = CallSink(lambda out: records.extend(json.loads(each.value) for each in out if each.value[:1] == b"{"))
    source = FileSource([path], 2**62, batch_bytes=batch_bytes)
    metrics = Metrics(None, CollectorRegistry())
    run_main(build(source, sink, settings, metrics, clock=None, drain=True, kept=False))
    found: dict[tuple[str, ...], Any] = {}
    for each in records:
        if each["kind"] == "slo" and each["total"]:
            counts = each["total"], each["bad"], each["budget_used"], each["burn"]
            slices = {(s["dimension"], s["value"]): s["bad"] for s in each["spent_by"] if s["dimension"] != "failure"}
            assert max(slices.values(), default=0) <= each["bad"]
            found["slo", each["slo"], each["at"]] = counts
        elif each["kind"] == "incident" and each["class"].startswith("slo."):
            found["incident", each["key"], each["at"]] = each["status"], each["severity"], each["evidence"]["count"]
    return found


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give four minutes of all workflows, of which some tools fail."""
    path: Path = tmp_path_factory.mktemp("replayed") / "traffic.jsonl"
    outage = "tool_outage@1m+2m:workflow=support"
    assert main(["simulate", "--to", str(path), "--seed", "5", "--duration", "4m", "--incident", outage]) == 0
    return path


def test_batches_of_any_size_tell_the_same(recording: Path, tmp_path: Path) -> None:
    """Counts, budgets and incidents, to the ten seconds; slices never have more than all."""
    whole = told(recording, tmp_path, 64 << 20)
    assert len([key for key in whole if key[0] == "incident"]) > 3
    for batch_bytes in (1 << 20, 60_000):
        assert told(recording, tmp_path, batch_bytes) == whole


def test_what_comes_later_changes_nothing(recording: Path, tmp_path: Path) -> None:
    """Two minutes of it say of their time what all of it says."""
    lines = recording.read_bytes().splitlines(keepends=True)
    part = tmp_path / "part.jsonl"
    part.write_bytes(b"".join(lines[: len(lines) // 2]))
    first, whole = told(part, tmp_path, 64 << 20), told(recording, tmp_path, 64 << 20)
    last = "2026-03-02T09:01:30"
    early = {key: said for key, said in first.items() if key[2] <= last}
    assert len(early) > 3
    assert {key: said for key, said in whole.items() if key[2] <= last} == early
