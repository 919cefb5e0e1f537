"""A data folder that is not there: commands that look something up say so, and make none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flyball.cli import main

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN = 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("gate --slo success", UNKNOWN),
        ("records flyball.runs", 1),
        ("drift", 1),
        ("compare #version=1 #version=2", 1),
        ("control --keys", 1),
        ("control --revoke 0123456789ab", 1),
        ("audit export", 1),
        ("deliver --open", 1),
        ("status", 1),
    ],
)
def test_a_mistyped_folder_is_not_made(
    words: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named in one line; a rollout is not known to be right or wrong then."""
    folder = tmp_path / "flybal-data"
    assert main([*words.split(), "--data", str(folder)]) == code
    said = capsys.readouterr()
    assert str(folder) in said.err
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_cannot_be_reached_leaves_the_gate_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 would say that the budget is spent."""
    (tmp_path / "log").write_text("no folder")
    assert main(["gate", "--slo", "success", "--data", str(tmp_path)]) == UNKNOWN
    assert "flyball" in capsys.readouterr().err
