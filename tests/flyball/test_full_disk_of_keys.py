"""A disk that is full when a key is made, or a change accepted: the file is named, and what was there stays."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from flyball.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def fill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be written to the disk."""

    def full(descriptor: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)


def test_a_key_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says which file; the keys that were there hold."""
    command = ["control", "--data", str(tmp_path), "--new-key", "operator", "--person", "ann"]
    assert main(command) == 0
    before = (tmp_path / "control" / "keys.json").read_bytes()
    capsys.readouterr()
    fill(monkeypatch)
    assert main(command) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert str(tmp_path / "control" / "keys.json") in said.err
    assert "No space left" in said.err
    assert (tmp_path / "control" / "keys.json").read_bytes() == before
