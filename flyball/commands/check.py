# ruff: noqa: PLC0415, T201 -- a command prints, and imports when it runs
"""Validates a configuration directory: every mistake with file, line, what was found and what is expected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "validate a configuration directory"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    parser.add_argument("directory", metavar="DIR", nargs="?", type=Path, help="default: ./flyball-config")
    parser.add_argument("--config", metavar="DIR", type=Path, help="the same, as the other commands have it")


def run(args: argparse.Namespace) -> int:
    """Print the problems and the notes about SLOs, or how many files are good; exit code 1 when there are problems."""
    from flyball.check import check, route_notes, slos
    from flyball.config.load import find_directory
    from flyball.config.problems import ConfigError

    try:
        directory = find_directory(args.directory or args.config)
    except ConfigError as error:
        print(error)
        return 1
    files, problems = check(directory)
    for problem in problems:
        print(problem)
    loaded = slos(directory)
    for note in (*(loaded.notes if loaded else ()), *route_notes(directory, loaded)):
        print(f"note: {note}")
    if problems:
        return 1
    counted = f", {len(loaded.slos)} SLOs" if loaded else ""
    print(f"ok: {files} files{counted}" if directory else "ok: 0 files, the defaults hold: no ./flyball-config here")
    return 0
