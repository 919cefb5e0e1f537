"""An alarm about new users, through the whole flow: it names runs of new and of existing users."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
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
from models.drift.settings import DriftSettings
from models.slis.settings import SliSettings
from tests.helpers.plain_runs import SECOND, run_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DAYS = 2
_LATER = (_DAYS + 1) * 86_400 * SECOND
START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * SECOND
HURT = START + _LATER + 8 * 3600 * SECOND
"""From eight hours into the fourth day on, new users fail."""
SETTINGS = FlowSettings(slis=SliSettings(new_user_days=_DAYS), drift=DriftSettings(least_span=60))


def lines() -> Iterator[bytes]:
    """Give runs: on the first day some of users who are there; on the fourth, twelve hours of both, in turn."""
    rng = random.Random(3)  # noqa: S311
    number = 0
    for n in range(50):
        number += 1
        yield run_line(number, START + n * 60 * SECOND, is_bad=False, user_id=f"old-{n}")
    for second in range(0, 12 * 3600, 12):
        number += 1
        ended, is_new = START + _LATER + second * SECOND, number % 2 == 0
        user = f"{'new' if is_new else 'old'}-{rng.randrange(50)}"
        rate = 0.8 if is_new and ended >= HURT else 0.1
        yield run_line(number, ended, is_bad=rng.random() < rate, user_id=user)


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write them."""
    path: Path = tmp_path_factory.mktemp("ages") / "traffic.jsonl"
    path.write_bytes(b"\n".join(lines()) + b"\n")
    return path


def shown(records: list[dict[str, Any]]) -> tuple[list[str], list[str], dict[str, Any]]:
    """Give the runs before and after, and the contrast, of the first alarm about the ages of users."""
    told = [each for each in records if each["kind"] == "incident" and each["rule"] == "drift.task_success"]
    about = [each for each in told if each["evidence"]["contrasts"][0]["contrast"]["dimension"] == "user_age"]
    examples = about[0]["evidence"]["examples"]
    return examples["before"], examples["after"], about[0]["evidence"]["contrasts"][0]


def test_an_alarm_about_new_users_names_runs_of_both_sides(traffic: Path) -> None:
    """New ones that failed since it began, and existing ones; with two workers too; with ages off there is no alarm."""
    records = records_of(traffic, SETTINGS, b"{")
    runs = {each["run_id"]: each for each in records if each["kind"] == "run"}
    found: list[dict[str, Any]] = []
    sink = CallSink(lambda more: found.extend(json.loads(record.value) for record in more))
    metrics = Metrics(None, CollectorRegistry())
    source = FileSource([traffic], 2**62, batch_bytes=64 << 10)  # no batch of days: who came first is heard first
    flow = build(source, sink, SETTINGS, metrics, clock=None, drain=True, kept=False)
    cluster_main(flow, [], 0, worker_count_per_proc=2)
    for some in (records, found):
        before, after, contrast = shown(some)
        assert contrast["contrast"] == {"dimension": "user_age", "from": "the rest", "to": "new"}
        assert {runs[each]["user"][:3] for each in after} == {"new"}
        assert {runs[each]["user"][:3] for each in before} == {"old"}
        assert runs[after[0]]["outcome"] == "failure"
        assert all(runs[each]["ended_at"] >= contrast["since"] for each in after)
    off = records_of(traffic, replace(SETTINGS, slis=SliSettings()), b"{")
    assert not [each for each in off if each["kind"] == "incident" and "user_age" in json.dumps(each)]
