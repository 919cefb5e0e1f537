"""The flow watches drift: an upgrade that hurts becomes one incident of its workflow, however the input is read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from bytewax.testing import cluster_main
from prometheus_client import CollectorRegistry

from flows.files import FileSource
from flows.metrics import Metrics
from flows.replay import records_of
from flows.settings import FlowSettings
from flows.sink import CallSink
from flows.topology import build
from flyball.cli import main
from models.drift.settings import DriftSettings

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = FlowSettings(drift=DriftSettings(least_span=60))


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give two hours of one workflow whose new version, from minute 80 on, fails more often."""
    path: Path = tmp_path_factory.mktemp("drift") / "traffic.jsonl"
    incident = "model_upgrade@80m+40m:workflow=support,drop=0.4"
    command = [
        "simulate",
        "--to",
        str(path),
        "--duration",
        "2h",
        "--rate",
        "0.6",
        "--seed",
        "5",
        "--workflow",
        "support",
    ]
    assert main([*command, "--incident", incident]) == 0
    return path


def told(records: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Give what is said of drift: records and incidents."""
    drift = [
        (each["at"], each["workflow"], each["sli"], each["detector"], str(each["contrast"]), str(each["evidence"]))
        for each in records
        if each["kind"] == "drift"
    ]
    incidents = [
        (each["key"], each["status"], each["severity"], each["title"])
        for each in records
        if each["kind"] == "incident" and each["class"] == "drift"
    ]
    return sorted(drift) + sorted(incidents)


def everything(path: Path, settings: FlowSettings = SETTINGS) -> list[dict[str, Any]]:
    """Give all records of a replay."""
    return records_of(path, settings, b"{")


@pytest.fixture(scope="module")
def records(traffic: Path) -> list[dict[str, Any]]:
    """Give what a replay of it says."""
    return everything(traffic)


def test_an_upgrade_that_hurts_is_one_incident(records: list[dict[str, Any]]) -> None:
    """It names the SLI, and the new version against the old one."""
    incidents = [each for each in records if each["kind"] == "incident" and each["class"] == "drift"]
    success = [each for each in incidents if each["rule"] == "drift.task_success"]
    assert len({each["key"] for each in success}) == 1
    contrasts = [each["contrast"] for each in success[0]["evidence"]["contrasts"]]
    assert any(each["dimension"] in {"version", "prompt"} for each in contrasts)
    shown, ended = success[0]["evidence"]["examples"], {r["run_id"]: r for r in records if r["kind"] == "run"}
    assert success[0]["runs"] == shown["after"] + shown["before"]
    since = success[0]["evidence"]["since"]
    assert "2026-03-02T10:15" < since < "2026-03-02T10:25"  # the upgrade is at 10:20
    assert {each["at"][:16] for each in success[0]["evidence"]["contrasts"][0]["rolled_out"]} <= {"2026-03-02T10:20"}
    assert ended[shown["after"][0]]["outcome"] == "failure"
    assert all(ended[run]["ended_at"] >= since for run in shown["after"])
    assert shown["before"]
    assert {ended[run]["version"] for run in shown["before"]} == {"2026.3.1"}
    assert {ended[run]["version"] for run in shown["after"]} == {"2026.3.1-next"}
    alarms = [each for each in records if each["kind"] == "drift" and each["alarm"]]
    assert all("2026-03-02T10:20" < each["alarm_at"] <= each["at"] for each in alarms)
    # the upgrade is at 10:20; runs may wait for an evaluation, so each minute is looked at 32 minutes after it
    assert min(each["alarm_at"] for each in alarms) < "2026-03-02T11:10"
    others = [each for each in records if each["kind"] == "drift" and not each["alarm"]]
    assert {each["alarm_at"] for each in others} <= {None}


def test_two_workers_say_the_same(traffic: Path, records: list[dict[str, Any]]) -> None:
    """Evidence is a function of counts by minute: where a shard lies does not matter."""
    expected = told(records)
    found: list[dict[str, Any]] = []
    metrics = Metrics(None, CollectorRegistry())
    source = FileSource([traffic], 2**62)
    sink = CallSink(lambda records: found.extend(json.loads(record.value) for record in records))
    cluster_main(
        build(source, sink, SETTINGS, metrics, clock=None, drain=True, kept=False), [], 0, worker_count_per_proc=2
    )
    assert told(found) == expected
    assert expected


def test_it_can_be_turned_off(traffic: Path, records: list[dict[str, Any]]) -> None:
    """Then nothing of it is told, and all else is."""
    off = everything(traffic, replace(SETTINGS, drift=replace(SETTINGS.drift, is_on=False)))
    assert told(off) == []
    with_it = [each for each in records if each["kind"] == "sli"]
    assert len([each for each in off if each["kind"] == "sli"]) == len(with_it)


def test_a_scrape_shows_the_evidence(traffic: Path) -> None:
    """Gauges by stream, on a log scale: an alarm from 0 on."""
    metrics = Metrics(None, CollectorRegistry())
    source, sink = FileSource([traffic], 2**62), CallSink(lambda _: None)
    cluster_main(build(source, sink, SETTINGS, metrics, clock=None, drain=True, kept=False), [], 0)
    samples = [sample for family in metrics.collect() for sample in family.samples]
    evidence = [each for each in samples if each.name == "flyball_drift_evidence_log10"]
    assert max(each.value for each in evidence) >= 0
    assert {each.labels["workflow"] for each in evidence} == {"support"}
    (streams,) = [each.value for each in samples if each.name == "flyball_drift_streams"]
    assert streams >= len(evidence)
