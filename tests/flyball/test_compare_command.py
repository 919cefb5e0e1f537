"""`flyball compare` of recorded files that cannot be read."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from flyball.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_cut_recording_is_told_in_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As in a replay: the file's name and what is wrong with it, without the engine's backtrace."""
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(b'{"resourceSpans":[]}\n' * 100)[:-9])
    assert main(["compare", str(cut), str(cut)]) == 1
    assert capfd.readouterr().err == f"flyball: {cut}: ends in the middle of its compressed data\n"
