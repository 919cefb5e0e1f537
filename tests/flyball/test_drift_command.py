"""`flyball drift`: the strongest streams of the log, and changes that a person accepts."""

from __future__ import annotations

from contextlib import closing
from io import StringIO
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml
from rich.console import Console

from flyball.check import policy
from flyball.cli import main
from flyball.config.policy_yaml import drift_settings
from flyball.drift import strongest, table
from models.drift.settings import Accepted
from streams.embedded.log import EmbeddedLog

if TYPE_CHECKING:
    from pathlib import Path


def record(
    workflow: str = "support",
    *,
    evidence: float = 3.0,
    alarm: bool = False,
    at: int = 1,
    to: str = "now",
) -> dict[str, Any]:
    """Make a drift record."""
    return {
        "kind": "drift",
        "at": f"2026-03-02T09:{at:02d}:00.000000Z",
        "watch": "own_rate",
        "detector": "frozen_rate",
        "sli": "task_success",
        "workflow": workflow,
        "contrast": {"dimension": "time", "from": "baseline", "to": to},
        "direction": "up",
        "effect": {},
        "evidence": evidence,
        "threshold": 5.72,
        "alarm": alarm,
        "since": "2026-03-02T08:59:00.000000Z",
        "summary": "bad events rose from 5.0% to 9.9%",
    }


def test_the_newest_of_each_stream_the_strongest_first() -> None:
    """Alarms come before what has more evidence on another clock."""
    records = [record(evidence=9.0), record(evidence=4.0, at=2), record("coding", evidence=5.9, alarm=True)]
    assert [(each["workflow"], each["evidence"]) for each in strongest(records)] == [("coding", 5.9), ("support", 4.0)]
    assert [each["workflow"] for each in strongest(records, workflow="support")] == ["support"]
    assert strongest(records, sli="cost_per_task") == []


def test_streams_of_two_watches_are_two() -> None:
    """Those of minutes and of hours have one detector, mixes of tools and of errors another: none hides another."""
    records = [record(evidence=4.5, alarm=True) | {"watch": "own_rate_hourly"}, record(evidence=3.0, at=2)]
    assert [each["alarm"] for each in strongest(records)] == [True, False]


def test_tools_within_a_type_of_task_are_streams_of_their_own() -> None:
    """The alarm of one is not hidden by what is told later of another, or of the type."""
    of_type = {"dimension": "task", "from": "baseline", "to": "ask"}
    found = strongest(
        [
            record(evidence=6.5, alarm=True) | {"contrast": of_type | {"tool": "search"}},
            record(evidence=3.0, at=2) | {"contrast": of_type | {"tool": "read"}},
            record(evidence=3.5, at=3) | {"contrast": of_type},
        ]
    )
    assert [(each["alarm"], each["contrast"].get("tool")) for each in found] == [
        (True, "search"),
        (False, None),
        (False, "read"),
    ]
    out = StringIO()
    Console(file=out, width=140).print(table(found))
    assert "task: baseline > ask, search" in out.getvalue()


@pytest.mark.parametrize("name", ["desk [/prod]", "desk [v2]", "a:bug:b"])
def test_names_are_told_as_they_are(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Agents say them: what looks like a style, the end of one or a picture is none."""
    with closing(EmbeddedLog(tmp_path / "log")) as log:
        log.ensure("flyball.drift", 2)
        with closing(log.writer()) as writer:
            writer.append("flyball.drift", [(b"k", orjson.dumps(record(name, alarm=True)))])
            writer.flush()
    assert main(["drift", "--data", str(tmp_path)]) == 0
    assert name in capsys.readouterr().out


def test_an_alarm_that_is_over_is_not_listed() -> None:
    """It was told once more when it was over."""
    assert strongest([record(evidence=6.0, alarm=True), record(evidence=-9.0, at=2)]) == []


def test_they_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a table, or as records."""
    with closing(EmbeddedLog(tmp_path / "log")) as log:
        log.ensure("flyball.drift", 2)
        with closing(log.writer()) as writer:
            for each in (record(), record("coding", alarm=True, evidence=6.1)):
                writer.append("flyball.drift", [(b"k", orjson.dumps(each))])
            writer.flush()
    assert main(["drift", "--data", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "6.1 of 5.7" in lines[1]
    assert lines[1].startswith("alarm")
    assert "bad events rose" in lines[2]
    assert main(["drift", "--data", str(tmp_path), "--json", "--workflow", "support"]) == 0
    assert [orjson.loads(line)["workflow"] for line in capsys.readouterr().out.splitlines()] == ["support"]


def test_a_change_is_accepted(tmp_path: Path) -> None:
    """It is added to policy.yaml, beside all that is there, and read by the flow."""
    (tmp_path / "policy.yaml").write_text("drift:\n  severity: SEV-2\nspend:\n  time_zone: Europe/Berlin\n")
    command = ["drift", "accept", "--config", str(tmp_path), "--workflow", "support"]
    assert main([*command, "--at", "2026-03-02T09:00:30Z", "--sli", "task_success"]) == 0
    assert main(command) == 0
    said = yaml.safe_load((tmp_path / "policy.yaml").read_text())
    assert said["spend"] == {"time_zone": "Europe/Berlin"}
    assert len(said["drift"]["accepted"]) == 2
    settings = drift_settings(policy(tmp_path), ())
    assert settings.accepted[0] == Accepted("support", 29_540_701, "task_success")
    assert policy(tmp_path).drift.severity == "SEV-2"


@pytest.mark.parametrize(
    "at",
    [
        "yesterday",
        "2026-03-02T09:00:00",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "2262-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
    ],
)
def test_a_time_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], at: str) -> None:
    """The file stays as it was."""
    (tmp_path / "policy.yaml").write_text("drift:\n  severity: SEV-2\n")
    assert main(["drift", "accept", "--config", str(tmp_path), "--workflow", "support", "--at", at]) == 2
    said = capsys.readouterr().err
    assert "a time with its zone" in said
    assert said.startswith(f"flyball: {tmp_path / 'policy.yaml'}:")  # not a file that is no more
    assert (tmp_path / "policy.yaml").read_text() == "drift:\n  severity: SEV-2\n"


def test_accepting_needs_a_workflow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says what is missing, and nothing that is not."""
    assert main(["drift", "accept", "--config", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "flyball: found no --workflow, expected the one whose drift is accepted\n"


def test_accepting_needs_somebody_to_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a configuration directory, and without a control plane, nobody would remember it."""
    monkeypatch.chdir(tmp_path)
    assert main(["drift", "accept", "--workflow", "support"]) == 1
    assert "found neither a control plane nor a configuration directory, expected one" in capsys.readouterr().err


def test_an_sli_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name with a slip would accept nothing, and nobody would see it."""
    command = ["drift", "accept", "--config", str(tmp_path), "--workflow", "support", "--sli", "task_succes"]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "task_succes" in said
    assert "cost_per_task" in said
    assert not (tmp_path / "policy.yaml").exists()


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2199-01-01T00:00:00Z", "2199-01-01T00:00:00Z is in "),
        ("2019-01-01T00:00:00Z", " ago: a running flow opens baselines anew now, and does not go back"),
    ],
)
def test_a_time_far_from_now_is_accepted_and_doubted(
    at: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip in the year would be silent for as long."""
    command = ["drift", "accept", "--config", str(tmp_path), "--data", str(tmp_path), "--workflow", "support"]
    assert main([*command, "--at", at]) == 0
    told = capsys.readouterr()
    assert said in told.err
    assert " days" in told.err
    assert at in told.out
    assert main(command) == 0
    assert capsys.readouterr().err == ""


def test_a_workflow_that_nothing_was_told_of_is_doubted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A slip in its name would accept nothing; without a word where the log tells of none at all."""
    command = ["drift", "accept", "--config", str(tmp_path), "--data", str(tmp_path), "--workflow"]
    with closing(EmbeddedLog(tmp_path / "log")) as log:
        log.ensure("flyball.drift", 2)
        assert main([*command, "suport"]) == 0
        assert capsys.readouterr().err == ""
        log.ensure("flyball.runs", 2)
        with closing(log.writer()) as writer:
            writer.append("flyball.drift", [(b"k", orjson.dumps(record()))])
            for number in range(7):
                writer.append("flyball.runs", [(b"k", orjson.dumps({"workflow": f"w{number}"}))])
            writer.flush()
    assert main([*command, "suport"]) == 0
    said = "nothing in the log was ever told of suport, only of support, w0, w1, w2, w3 and 3 more"
    assert capsys.readouterr().err == f"flyball: {said}\n"
    for known in ("support", "w6"):
        assert main([*command, known]) == 0
        assert capsys.readouterr().err == ""
