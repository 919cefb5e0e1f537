"""The gate: what CI/CD is told of an error budget, from the records in the log."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from flyball.cli import main
from flyball.gate import OPEN, SHUT, UNKNOWN, gate
from streams.embedded.log import EmbeddedLog

if TYPE_CHECKING:
    from pathlib import Path

TOPIC = "flyball.slos"
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


def told(folder: Path, *records: dict[str, Any]) -> EmbeddedLog:
    """Give a log with these records, each five seconds old if it does not say."""
    log = EmbeddedLog(folder)
    log.ensure(TOPIC, 2)
    usual = {"kind": "slo", "at": (NOW - timedelta(seconds=5)).isoformat(), "budget_used": 0.2, "gate": "open"}
    with closing(log.writer()) as writer:
        writer.append(TOPIC, [(each["slo"].encode(), orjson.dumps(usual | each)) for each in records])
    return log


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({}, OPEN),
        ({"budget_used": None}, OPEN),
        ({"budget_used": 0.999}, OPEN),
        ({"budget_used": 1.0}, SHUT),
        ({"gate": "frozen"}, SHUT),
        ({"at": (NOW - timedelta(minutes=6)).isoformat()}, UNKNOWN),
        ({"slo": "another"}, UNKNOWN),
    ],
)
def test_one_record(tmp_path: Path, record: dict[str, Any], code: int) -> None:
    """Spent or frozen shuts it; what is old, or of another SLO, says nothing."""
    with closing(told(tmp_path, {"slo": "success"} | record)) as log:
        assert gate(log, TOPIC, "success", now=NOW, max_age_s=300).code == code


def test_the_last_record_and_the_worst_instance_count(tmp_path: Path) -> None:
    """An SLO with instances is as its worst; one instance can be asked for; later records replace earlier ones."""
    earlier = (NOW - timedelta(seconds=65)).isoformat()
    records = [
        {"slo": "success:shop", "budget_used": 1.5, "at": earlier},
        {"slo": "success:shop"},
        {"slo": "success:bank", "budget_used": 1.2},
    ]
    with closing(told(tmp_path, *records)) as log:
        codes = {
            name: gate(log, TOPIC, name, now=NOW, max_age_s=300).code
            for name in ("success", "success:shop", "success:bank", "success:zoo")
        }
    assert codes == {"success": SHUT, "success:shop": OPEN, "success:bank": SHUT, "success:zoo": UNKNOWN}


def test_a_budget_that_is_nearly_spent_is_not_said_to_be(tmp_path: Path) -> None:
    """The gate is open at 99.96 %: words that say 100 % would contradict it."""
    with closing(
        told(tmp_path, {"slo": "success", "budget_used": 0.9996}, {"slo": "calls", "budget_used": 1.0})
    ) as log:
        words = [gate(log, TOPIC, name, now=NOW, max_age_s=300).words[0] for name in ("success", "calls")]
    assert words == ["success: open, 99.96% of the budget used", "calls: spent, 100.0% of the budget used"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is the answer, and a line says why."""
    now = datetime.now(UTC).isoformat()
    told(tmp_path / "log", {"slo": "success", "at": now, "budget_used": 2.0}).close()
    assert main(["gate", "--slo", "success", "--data", str(tmp_path)]) == SHUT
    assert capsys.readouterr().out == "success: spent, 200.0% of the budget used\n"
