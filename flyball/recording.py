"""Recorded files that a command was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.errors import CommandError

if TYPE_CHECKING:
    from pathlib import Path


def look_at(path: Path) -> None:
    """Refuse a file that is not there before anything heavy is loaded; raises CommandError. It may be a pipe."""
    if not path.exists() or path.is_dir():
        found = "a directory" if path.is_dir() else "nothing"
        msg = f"{path}: found {found}, expected a file of recorded traces"
        raise CommandError(msg)
