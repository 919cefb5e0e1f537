"""The flow holds versions and tenants against the rest within types of task, however its input is read."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from bytewax.testing import cluster_main
from prometheus_client import CollectorRegistry

from flows.files import FileSource
from flows.metrics import Metrics
from flows.settings import FlowSettings
from flows.sink import CallSink
from flows.topology import build
from models.drift.settings import DriftSettings
from tests.helpers.plain_runs import SECOND, run_line

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = FlowSettings(drift=DriftSettings(least_span=60))
START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * SECOND
EVERY = 2 * SECOND
MINUTE = 60 * SECOND


def recorded(path: Path, *, worse: bool, said_as: str = "flyball_cohort_task") -> Path:
    """Write three hours: version 2 comes after 100 minutes, beside 1; four in five of its runs book, of 1 one in five.

    Of those that book one in four fails, of others one in fifty; `worse`: of version 2 one in two, and one in ten.
    """
    chance = random.Random(1)  # noqa: S311
    with path.open("wb") as file:
        for number in range(1, 180 * MINUTE // EVERY):
            ended = START + number * EVERY
            is_new = ended - START > 100 * MINUTE and chance.random() < 0.4
            books = chance.random() < (0.8 if is_new else 0.2)
            rate = {True: (0.25, 0.5), False: (0.02, 0.1)}[books][is_new and worse]
            said = {"langfuse_version": "2" if is_new else "1", said_as: "book" if books else "ask"}
            said |= {"flyball_cohort_plan": "pro" if is_new else "free"}
            file.write(run_line(number, ended, is_bad=chance.random() < rate, **said) + b"\n")
    return path


def drift(path: Path, batch_bytes: int = 4 << 20, workers: int = 1) -> list[dict[str, Any]]:
    """Give the records of drift, and incidents of it, of a replay."""
    found: list[dict[str, Any]] = []
    sink = CallSink(lambda records: found.extend(json.loads(record.value) for record in records))
    source = FileSource([path], 2**62, batch_bytes=batch_bytes)
    flow = build(source, sink, SETTINGS, Metrics(None, CollectorRegistry()), clock=None, drain=True, kept=False)
    cluster_main(flow, [], 0, worker_count_per_proc=workers)
    return [each for each in found if each["kind"] == "drift" or each.get("class") == "drift"]


def _said(records: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(each) for each in records if each["kind"] == "drift")


@pytest.fixture(scope="module")
def hurts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give traffic of which version 2 is worse in each type."""
    return recorded(tmp_path_factory.mktemp("drift") / "worse.jsonl", worse=True)


def test_harder_tasks_are_no_drift(tmp_path: Path) -> None:
    """Of version 2, and of the cohort that it is given to; where types are said by another name both are alarms."""
    records = drift(recorded(tmp_path / "same.jsonl", worse=False))
    assert {each["watch"] for each in records if each["kind"] == "drift" and each["alarm"]} <= {"task_mix"}
    records = drift(recorded(tmp_path / "untyped.jsonl", worse=False, said_as="flyball_cohort_sort"))
    assert {"live_rate", "change_rate"} <= {
        each["watch"] for each in records if each["kind"] == "drift" and each["alarm"]
    }


def test_what_is_worse_in_each_type_is_an_incident_that_says_so(hurts: Path) -> None:
    """Its summary tells that types of task were told apart."""
    records = drift(hurts)
    alarms = {each["watch"] for each in records if each["kind"] == "drift" and each["alarm"]}
    assert {"live_rate_by_task", "change_rate_by_task"} <= alarms
    assert not alarms & {"live_rate", "change_rate"}
    incidents = [each for each in records if each["kind"] == "incident" and each["rule"] == "drift.task_success"]
    contrasts = [contrast for each in incidents for contrast in each["evidence"]["contrasts"]]
    assert any("within types of task" in each["summary"] for each in contrasts)
    assert not any("task_" in each["contrast"]["dimension"] for each in contrasts)


@pytest.mark.parametrize(("batch_bytes", "workers"), [(200_000, 1), (90_000, 1), (4 << 20, 2), (4 << 20, 3)])
def test_parts_and_workers_say_the_same(hurts: Path, batch_bytes: int, workers: int) -> None:
    """To the last digit."""
    assert _said(drift(hurts, batch_bytes, workers)) == _said(drift(hurts))
