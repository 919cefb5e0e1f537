"""The flow holds new users against existing ones within types of task, however its input is read."""

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
from models.slis.settings import SliSettings
from tests.helpers.plain_runs import SECOND, run_line

if TYPE_CHECKING:
    from pathlib import Path

_DAYS = 2
_HOUR = 3600 * SECOND
SETTINGS = FlowSettings(slis=SliSettings(new_user_days=_DAYS), drift=DriftSettings(least_span=60))
START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * SECOND
AGED = START + (_DAYS + 1) * 24 * _HOUR


def recorded(path: Path, *, worse: bool, said_as: str = "flyball_cohort_task") -> Path:
    """Write, of the fourth day, twelve hours; in the last four nine in ten runs of new users book, else one in ten.

    Of those that book two in five fail, of others one in fifty; `worse`: of new users then four in five and one in two.
    """
    chance = random.Random(4)  # noqa: S311
    with path.open("wb") as file:
        for number in range(50):
            ended = START + number * 60 * SECOND
            file.write(run_line(number, ended, is_bad=False, user_id=f"old-{number}", **{said_as: "ask"}) + b"\n")
        for number in range(50, 50 + 12 * 3600 // 10):
            ended = AGED + (number - 50) * 10 * SECOND
            is_new, is_late = number % 2 == 0, ended >= AGED + 8 * _HOUR
            books = chance.random() < (0.9 if is_new and is_late else 0.1)
            rate = {True: (0.4, 0.8), False: (0.02, 0.5)}[books][is_new and is_late and worse]
            said = {"user_id": f"{'new' if is_new else 'old'}-{chance.randrange(50)}"}
            said[said_as] = "book" if books else "ask"
            file.write(run_line(number, ended, is_bad=chance.random() < rate, **said) + b"\n")
    return path


def drift(path: Path, batch_bytes: int = 64 << 10, workers: int = 1) -> list[dict[str, Any]]:
    """Give the records of drift about ages, and incidents of success, of a replay; no batch is of days."""
    found: list[dict[str, Any]] = []
    sink = CallSink(lambda records: found.extend(json.loads(record.value) for record in records))
    source = FileSource([path], 2**62, batch_bytes=batch_bytes)
    flow = build(source, sink, SETTINGS, Metrics(None, CollectorRegistry()), clock=None, drain=True, kept=False)
    cluster_main(flow, [], 0, worker_count_per_proc=workers)
    of_ages = [each for each in found if each["kind"] == "drift" and each["contrast"]["dimension"] == "user_age"]
    return of_ages + [each for each in found if each["kind"] == "incident" and each["rule"] == "drift.task_success"]


@pytest.fixture(scope="module")
def hurts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give traffic in which new users are worse off in each type."""
    return recorded(tmp_path_factory.mktemp("ages") / "worse.jsonl", worse=True)


def test_new_users_who_ask_for_harder_things_are_no_drift(tmp_path: Path) -> None:
    """Where types are said by another name they are."""
    records = drift(recorded(tmp_path / "same.jsonl", worse=False))
    assert not [each for each in records if each["kind"] == "drift" and each["alarm"]]
    records = drift(recorded(tmp_path / "untyped.jsonl", worse=False, said_as="flyball_cohort_sort"))
    assert {each["watch"] for each in records if each["kind"] == "drift" and each["alarm"]} == {"live_rate"}


def test_new_users_who_are_worse_off_in_each_type_are_an_incident_that_says_so(hurts: Path) -> None:
    """Its summary tells that types of task were told apart, and its rows what each type was."""
    records = drift(hurts)
    told = [each for each in records if each["kind"] == "drift" and each["alarm"]]
    assert {(each["watch"], each["contrast"]["to"]) for each in told} >= {("live_rate_by_task", "new")}
    contrasts = [each for incident in records if incident["kind"] == "incident" for each in _contrasts(incident)]
    assert any("within types of task" in each["summary"] for each in contrasts)
    assert {each["task"] for each in told[0]["effect"]["by_task"]} == {"ask", "book"}


def _contrasts(incident: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in incident["evidence"]["contrasts"] if each["contrast"]["dimension"] == "user_age"]


@pytest.mark.parametrize(("batch_bytes", "workers"), [(300_000, 1), (64 << 10, 2)])
def test_parts_and_workers_say_the_same(hurts: Path, batch_bytes: int, workers: int) -> None:
    """The same alarms since the same minutes; and what both tell of a minute is alike to the last digit."""
    one, other = (_by_minute(drift(hurts, *how)) for how in ((64 << 10, 1), (batch_bytes, workers)))
    assert _alarms(one) == _alarms(other)
    common = one.keys() & other.keys()
    assert {key: one[key] for key in common} == {key: other[key] for key in common}
    assert any(watch == "live_rate_by_task" for watch, _, _ in common)


def _by_minute(records: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Give records by watch, age and minute."""
    found = [each for each in records if each["kind"] == "drift"]
    return {(each["watch"], each["contrast"]["to"], each["at"]): each for each in found}


def _alarms(found: dict[tuple[str, str, str], dict[str, Any]]) -> set[tuple[str, ...]]:
    return {(*key[:2], each["alarm_at"], each["since"]) for key, each in found.items() if each["alarm"]}
