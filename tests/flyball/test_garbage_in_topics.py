"""What lies in a topic and is no record of Flyball, as other programs write it, ends no command that reads it."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flyball.cli import main
from streams.embedded.log import EmbeddedLog

if TYPE_CHECKING:
    from pathlib import Path

RAW = (b"", b"{", b"[]", b"null", b"\x1b[2J", b"\xff\xfe", b"[" * 100_000)


def put(folder: Path, topic: str, *records: dict[str, Any]) -> None:
    """Put garbage into a topic, and these records after it."""
    with closing(EmbeddedLog(folder / "d" / "log")) as log, closing(log.writer()) as writer:
        log.ensure(topic, 1)
        values = [*RAW, *(json.dumps(each, indent=1).encode() for each in records)]
        writer.append(topic, [(None, value) for value in values])


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without a configuration directory."""
    monkeypatch.chdir(tmp_path)


def test_records_are_an_object_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever lies between them, and however they are laid out; how many were left out is told beside."""
    put(tmp_path, "flyball.incidents", {"kind": "incident", "title": "a\nb"}, {"kind": "incident"})
    assert main(["records", "flyball.incidents", "--data", "d"]) == 0
    out, err = capfd.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [
        {"kind": "incident", "title": "a\nb"},
        {"kind": "incident"},
    ]
    assert err == "flyball: 7 messages are no records and are left out of flyball.incidents\n"


@pytest.mark.parametrize("name", ["at", "slo", "gate", "budget_used"])
def test_the_gate_looks_past_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A budget that is not spent is not told as spent by the exit code of an error; nor by a record without a part."""
    now = datetime.now(UTC)
    slo = {"kind": "slo", "slo": "success", "at": now.isoformat(), "budget_used": 0.2, "gate": "open"}
    later = (now + timedelta(seconds=1)).isoformat()
    spoiled = slo | {"at": later, "gate": "frozen"} | {name: {"a": 1}}
    put(tmp_path, "flyball.slos", slo, spoiled, slo | {"at": "soon", "gate": "frozen"})
    assert main(["gate", "--slo", "success", "--data", "d"]) == 0, capsys.readouterr()


def test_drift_and_comparisons_look_past_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], told: Any) -> None:
    """They say what they have left out; what is missing a part is no record either."""
    moved = told.drift(summary="it moved")
    put(tmp_path, "flyball.drift", {"kind": "drift"}, moved | {"contrast": []}, moved)
    assert main(["drift", "--data", "d"]) == 0
    out, err = capsys.readouterr()
    assert "it moved" in out
    assert "9 messages are no records and are left out of flyball.drift" in err
    put(tmp_path, "flyball.runs", {"kind": "run", "run_id": "x"}, *(told.run(number) for number in range(24)))
    assert main(["compare", "#version=v1", "#version=v2", "--data", "d"]) in (0, 3)
    assert "8 messages are no records" in capsys.readouterr().err
