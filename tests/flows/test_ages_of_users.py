"""New and existing users through the whole flow: what the run records themselves say, for one worker and for two."""

from __future__ import annotations

import json
from collections import Counter
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
from models.slis.settings import SliSettings
from models.times import nanoseconds

if TYPE_CHECKING:
    from pathlib import Path

DAYS = 2
_DAY_NS = 86_400 * 10**9
SETTINGS = FlowSettings(slis=SliSettings(new_user_days=DAYS), drift=DriftSettings(is_on=False))


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give six days of some 200 runs a day, of 300 users."""
    path: Path = tmp_path_factory.mktemp("ages") / "traffic.jsonl"
    said = {"--to": str(path), "--duration": "144h", "--rate": "0.0023", "--seed": "7", "--users": "300"}
    assert main(["simulate", *(word for pair in said.items() for word in pair)]) == 0
    return path


def by_age(records: list[dict[str, Any]]) -> Counter[tuple[str, str, str]]:
    """Count (workflow, age, minute) of runs, as the newest panes have it."""
    newest: dict[tuple[str, str, str], dict[str, Any]] = {}
    for each in records:
        if each["kind"] == "sli" and each["sli"] == "escalation_rate" and "user_age" in each["group"]:
            place = each["group"]["workflow"], each["group"]["user_age"], each["pane_start"]
            newest[place] = max(newest.get(place, each), each, key=lambda record: record["revision"])
    return Counter({place: each["total"] for place, each in newest.items() if each["total"]})


def expected(records: list[dict[str, Any]]) -> Counter[tuple[str, str, str]]:
    """Count the same from the run records, knowing all of them."""
    runs = {each["run_id"]: each for each in records if each["kind"] == "run"}
    seen = [
        (each["workflow"], each["user"], nanoseconds(each["ended_at"]) // _DAY_NS, each["ended_at"][:16] + ":00Z")
        for each in runs.values()
        if each["user"]
    ]
    found: Counter[tuple[str, str, str]] = Counter()
    for workflow, user, day, minute in seen:
        start = min(d for w, _, d, _ in seen if w == workflow)
        first = min(d for w, u, d, _ in seen if (w, u) == (workflow, user))
        if day > start + DAYS:
            is_new = first >= start + DAYS and day - first < DAYS
            found[workflow, "new" if is_new else "existing", minute] += 1
    return found


def test_ages_are_those_of_the_run_records(traffic: Path) -> None:
    """Each run once, in the minute of its end; with two workers the same panes; turned off there are none."""
    records = records_of(traffic, SETTINGS, b"{")
    told = by_age(records)
    assert told == expected(records)
    ages = Counter(age for (_, age, _), total in told.items() for _ in range(total))
    assert min(ages["new"], ages["existing"]) > 100
    assert not [each for each in records if each["kind"] == "sli" and "user" in each["group"]]
    found: list[dict[str, Any]] = []
    sink = CallSink(lambda more: found.extend(json.loads(record.value) for record in more))
    flow = build(
        FileSource([traffic], 2**62),
        sink,
        SETTINGS,
        Metrics(None, CollectorRegistry()),
        clock=None,
        drain=True,
        kept=False,
    )
    cluster_main(flow, [], 0, worker_count_per_proc=2)
    assert by_age(found) == told
    assert by_age(records_of(traffic, replace(SETTINGS, slis=SliSettings()), b"{")) == {}
