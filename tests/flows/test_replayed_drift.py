"""What a replay says of drift does not depend on how much of a file it reads at once."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from bytewax.testing import run_main
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

SETTINGS = FlowSettings(drift=DriftSettings(least_span=240))
START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * SECOND
HOUR = 3600 * SECOND


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give twelve hours, 3 MB: from six to eight o'clock half of the runs fail, before and after one in twenty."""
    rng = random.Random(1)  # noqa: S311
    path: Path = tmp_path_factory.mktemp("drift") / "recorded.jsonl"
    with path.open("wb") as file:
        for number in range(1, 12 * 600):
            ended = START + number * 6 * SECOND
            rate = 0.5 if 6 * HOUR <= ended - START < 8 * HOUR else 0.05
            file.write(run_line(number, ended, is_bad=rng.random() < rate) + b"\n")
    return path


def incidents(path: Path, batch_bytes: int) -> list[tuple[str, str]]:
    """Give (time, status) of those of drift."""
    found: list[dict[str, Any]] = []
    sink = CallSink(lambda records: found.extend(json.loads(record.value) for record in records))
    source = FileSource([path], 2**62, batch_bytes=batch_bytes)
    run_main(build(source, sink, SETTINGS, Metrics(None, CollectorRegistry()), clock=None, drain=True, kept=False))
    assert all(
        each["since"] < each["alarm_at"] <= each["at"] for each in found if each["kind"] == "drift" and each["alarm"]
    )
    return [(each["at"], each["status"]) for each in found if each["kind"] == "incident" and each["class"] == "drift"]


def test_drift_that_is_over_before_a_batch_ends_is_told(recorded: Path) -> None:
    """Read at once, the incident opens and is resolved when it is where the file is read in small parts."""
    at_once, in_parts = incidents(recorded, 4 << 20), incidents(recorded, 20_000)
    assert [status for _, status in at_once] == [status for _, status in in_parts] == ["open", "resolved"]
    for (one, _), (other, _) in zip(at_once, in_parts, strict=True):
        assert abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds()) <= 10 * 60
    assert "2026-03-02T06:10" < at_once[0][0] < "2026-03-02T07:00"
