"""Every command has help, and is in the README."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLYBALL = Path(sys.executable).parent / "flyball"


@cache
def help_of(*command: str) -> str:
    """Print the help of `flyball COMMAND`; fails if there is none."""
    line = [str(FLYBALL), *command, "--help"]
    return subprocess.run(line, check=True, capture_output=True, text=True, timeout=30, cwd=ROOT).stdout


def commands() -> list[str]:
    """Name the commands, as the help lists them."""
    listed = re.search(r"\{([a-z,]+)\}", help_of())
    assert listed is not None
    return listed[1].split(",")


def test_every_command_has_help() -> None:
    """`flyball COMMAND --help` says how it is used, for every command."""
    assert {"up", "replay", "simulate", "check"} <= set(commands())
    assert [command for command in commands() if f"flyball {command}" not in help_of(command)] == []


def test_every_command_is_in_the_readme() -> None:
    """The README names every command."""
    readme = (ROOT / "README.md").read_text()
    assert [command for command in commands() if f"flyball {command}" not in readme] == []


def test_an_unknown_command_is_refused() -> None:
    """A command that does not exist is told on stderr with exit code 2."""
    refused = subprocess.run([FLYBALL, "fly"], check=False, capture_output=True, text=True, timeout=30, cwd=ROOT)
    assert refused.returncode == 2
    assert "fly" in refused.stderr
