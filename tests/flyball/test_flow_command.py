"""`flyball flow` tells people in one line what is wrong with what it kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flows import launcher
from flows.journal import JournalError
from flows.launcher import UNFIT, held
from flyball.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", UNFIT)
def test_snapshots_that_do_not_fit_are_told(
    kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder is named, what is wrong with it, and how to go on without it."""

    def run(*given: Any) -> None:
        wrapped = RuntimeError("engine")
        raise wrapped from kind("part 3 is missing")

    monkeypatch.setattr(launcher, "run_flow", run)
    monkeypatch.chdir(tmp_path)
    assert main(["flow", "--data", "d"]) == 1
    assert capsys.readouterr().err == (
        "flyball: snapshots in d/recovery do not fit together (part 3 is missing): move d/recovery away; "
        "the log is then read again from its oldest message (log.start)\n"
    )


def test_a_full_disk_is_not_blamed_on_snapshots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A journal that cannot be written is told as that."""

    def run(*given: Any) -> None:
        msg = "wrote 1 of 2 bytes: is the disk full?"
        raise JournalError(msg)

    monkeypatch.setattr(launcher, "run_flow", run)
    monkeypatch.chdir(tmp_path)
    assert main(["flow"]) == 1
    assert capsys.readouterr().err == "flyball: wrote 1 of 2 bytes: is the disk full?\n"


def test_a_second_flow_on_one_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends at once, before it touches anything."""
    monkeypatch.chdir(tmp_path)
    with held(tmp_path / "d" / "recovery", 0):
        assert main(["flow", "--data", "d"]) == 1
    assert capsys.readouterr().err.startswith("flyball: recovery folder d/recovery is in use by another flow (pid ")
