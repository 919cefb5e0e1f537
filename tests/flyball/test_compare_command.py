"""`flyball compare` of recorded files: how they are named, and those that cannot be read."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from flyball.cli import main
from flyball.compare.sides import side_of
from streams.embedded.log import EmbeddedLog
from tests.helpers.console import run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_cut_recording_is_told_in_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As in a replay: the file's name and what is wrong with it, without the engine's backtrace."""
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(b'{"resourceSpans":[]}\n' * 100)[:-9])
    assert main(["compare", str(cut), str(cut)]) == 1
    assert capfd.readouterr().err == f"flyball: {cut}: ends in the middle of its compressed data\n"


@pytest.mark.parametrize("choice", ["", "#version=2", "#cohort.plan=free", "#version=a#1"])
def test_a_path_may_hold_the_mark_of_a_choice(choice: str, tmp_path: Path) -> None:
    """A folder `ticket#12` and a file `run#3.jsonl`: what is there is the file, what is behind it is the choice."""
    path = tmp_path / "ticket#12" / "run#3.jsonl"
    path.parent.mkdir()
    path.touch()
    side = side_of(f"{path}{choice}")
    assert (side.path, f"#{side.dimension}={side.value}" if choice else "") == (path, choice)


def test_a_path_that_is_not_there_is_told_without_its_choice(capsys: pytest.CaptureFixture[str]) -> None:
    """However long the value is."""
    assert main(["compare", f"none.jsonl#version={'2' * 300}", "none.jsonl"]) == 1
    assert capsys.readouterr().err == "flyball: none.jsonl: found nothing, expected a file of recorded traces\n"


@pytest.mark.parametrize(("unknown", "share"), [("exclude", 1.0), ("bad", 0.5), ("good", 1.0)])
def test_runs_of_unknown_outcome_count_as_configured(
    unknown: str, share: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`runs.unknown` holds here as for the SLI: of version 2 half of the runs are of unknown outcome."""
    (tmp_path / "flyball.yaml").write_text(f"runs: {{unknown: {unknown}}}\n")
    with closing(EmbeddedLog(tmp_path / "data" / "log")) as log:
        log.ensure("flyball.runs", 1)
        with closing(log.writer()) as writer:
            for number in range(80):
                version = str(1 + number % 2)
                outcome = "unknown" if number % 4 == 1 else "success"
                said = run(number, version=version, outcome=outcome)
                writer.append("flyball.runs", [(None, json.dumps(said).encode())])
            writer.flush()
    main(["compare", "#version=1", "#version=2", "--json", "--config", str(tmp_path), "--data", str(tmp_path / "data")])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (found,) = [row for row in rows if row.get("sli") == "task_success"]
    assert (found["before"], found["after"]) == (1.0, share)
