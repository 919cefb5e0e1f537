"""Numbers on the command line: what is none, or makes no sense, is refused before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flyball.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "words",
    [
        *(f"gate --slo x --max-age={text}" for text in ("nan", "inf", "-1", "0", "soon")),
        *(f"control --new-key operator --person ann --days={text}" for text in ("0", "-3", "999999999", "1.5")),
        *(f"drift --most={text}" for text in ("0", "-1")),
        *(f"simulate --fast --duration 1s --rate={text}" for text in ("nan", "inf", "0", "-1")),
        *(f"simulate --fast --duration 1s --flush={text}" for text in ("nan", "inf", "0", "-1")),
        *(f"simulate --fast --spans={text}" for text in ("0", "-1")),
        *(f"simulate --fast --duration 1s --{name}=0" for name in ("users", "batch")),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2; one line says what was found and what is expected, and nothing was written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert "expected" in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_what_makes_sense_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The smallest and the largest."""
    for days in ("1", "36500"):
        assert (
            main(["control", "--data", str(tmp_path), "--new-key", "operator", "--person", "ann", "--days", days]) == 0
        )
    out = tmp_path / "spans.jsonl"
    assert main(["simulate", "--fast", "--spans", "1", "--rate", "0.5", "--to", str(out)]) == 0
    assert out.stat().st_size > 0
    capsys.readouterr()
