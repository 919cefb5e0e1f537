"""`flyball compare` of recorded files: how they are named, and those that cannot be read."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from flyball.cli import main
from flyball.compare.sides import side_of

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
