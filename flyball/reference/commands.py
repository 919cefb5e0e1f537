"""The page of commands: what each takes, as its own help says it."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from flyball.cli import parser

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """# Commands

All of them take `--help`. Exit codes: 0 done, 1 it did not work (or the gate is closed, or what was checked is wrong),
2 it was not even started, because what was asked for cannot be. Errors are one line on stderr.
"""


def commands() -> str:
    """Write the page."""
    return _HEAD + "".join(_section(name, command) for name, command in _subcommands())


def _subcommands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser()._actions:  # noqa: SLF001 -- argparse has no other way to look at what was declared
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield from action.choices.items()


def _section(name: str, command: argparse.ArgumentParser) -> str:
    about = re.sub(r"\n(?!\n)", " ", (command.description or "").strip()).replace("\n ", "\n\n")
    rows = [
        _row(action)
        for action in command._actions  # noqa: SLF001
        if not isinstance(action, argparse._HelpAction)  # noqa: SLF001
    ]
    table = "\n| argument | default | |\n|---|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
    return f"\n## flyball {name}\n\n{about}\n{table}"


def _row(action: argparse.Action) -> str:
    takes = "" if action.nargs == 0 else f" {_value(action)}"
    words = ", ".join(action.option_strings) + takes if action.option_strings else _value(action)
    default = action.default
    is_said = default not in (None, False, argparse.SUPPRESS, []) and action.nargs != 0
    text = (action.help or "").replace("%(default)s", str(default)).replace("%%", "%").replace("|", "\\|")
    return f"| `{words}` | {f'`{default}`' if is_said else ''} | {text} |"


def _value(action: argparse.Action) -> str:
    if action.choices is not None:
        return ",".join(map(str, action.choices)) if not action.metavar else str(action.metavar)
    name = action.metavar or action.dest.upper()
    text = " ".join(name) if isinstance(name, tuple) else str(name)
    return f"{text}..." if action.nargs in ("*", "+") else text
