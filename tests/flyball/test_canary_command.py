"""`flyball compare --canary` over the log of a deployment: what it says, and the exit code for a pipeline."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from flyball.cli import main
from models.times import rfc3339
from streams.embedded.log import EmbeddedLog

if TYPE_CHECKING:
    from pathlib import Path

START = 1_764_684_000_000_000_000
MINUTE = 60_000_000_000


def record(number: int, version: str, minute: int, *, good: bool) -> dict[str, Any]:
    """Make a run record."""
    return {
        "kind": "run",
        "run_id": f"{number:032x}",
        "revision": 1,
        "workflow": "support",
        "version": version,
        "ended_at": rfc3339(START + minute * MINUTE),
        "duration_s": 1.0,
        "outcome": "success" if good else "failure",
        "escalated": False,
        "llm_calls": 1,
        "tool_calls": 0,
        "tool_errors": 0,
        "input_tokens": 10,
        "output_tokens": 1,
        "cost_usd": 0.1,
        "priced": "reported",
    }


def deployed(data: Path, bad: dict[str, int], minutes: int = 600) -> None:
    """Write a run of each version a minute; every n-th of a version fails."""
    with closing(EmbeddedLog(data / "log")) as log:
        log.ensure("flyball.runs", 2)
        with closing(log.writer()) as writer:
            for minute in range(minutes):
                for place, (version, every) in enumerate(bad.items()):
                    one = record(minute * 10 + place, version, minute, good=minute % every != 0)
                    writer.append("flyball.runs", [(one["run_id"].encode(), orjson.dumps(one))])
            writer.flush()


@pytest.mark.parametrize(("every", "code", "advice"), [(2, 3, "roll back"), (10, 4, "hold")])
def test_a_version_beside_another(
    every: int, code: int, advice: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half failing against a tenth is rolled back; a tenth against a tenth in nine hours is not enough to be sure."""
    deployed(tmp_path, {"1": 10, "2": every})
    arguments = ["compare", "#version=1", "#version=2", "--canary", "--data", str(tmp_path)]
    assert main(arguments) == code
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == advice
    assert said[0].startswith(f"task_success: bad 54/540 of A, {540 // every}/540 of B in 9 h; odds ratio ")
    assert ("more runs of both would decide" in said[0]) == (advice == "hold")
    assert main([*arguments, "--json"]) == code
    told = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["sli"] for each in told] == ["task_success", "escalation_rate"]
    assert (told[0]["kind"], told[0]["bad"], told[0]["advice"]) == ("canary", [54, 540 // every], advice)


def test_sides_that_never_ran_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said that there is no canary, not that it is as good."""
    deployed(tmp_path, {"1": 10}, minutes=50)
    with closing(EmbeddedLog(tmp_path / "log")) as log, closing(log.writer()) as writer:
        one = record(7, "2", 600, good=True)
        writer.append("flyball.runs", [(b"k", orjson.dumps(one))])
        writer.flush()
    assert main(["compare", "#version=1", "#version=2", "--canary", "--data", str(tmp_path)]) == 1
    assert "#version=1 and #version=2 have no whole hour in common" in capsys.readouterr().err


def test_a_run_whose_clock_is_ahead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It does not end the hour under way, and it is said that it is left out."""
    deployed(tmp_path, {"1": 10, "2": 2})
    with closing(EmbeddedLog(tmp_path / "log")) as log, closing(log.writer()) as writer:
        one = record(7, "2", 100 * 525_600, good=True)
        writer.append("flyball.runs", [(b"k", orjson.dumps(one))])
        writer.flush()
    assert main(["compare", "#version=1", "#version=2", "--canary", "--data", str(tmp_path)]) == 3
    said = capsys.readouterr()
    assert said.err == "flyball: 1 of 1,201 runs end later than now: they are not judged yet\n"
    assert said.out.startswith("task_success: bad 54/540 of A, 270/540 of B in 9 h; odds ratio ")
