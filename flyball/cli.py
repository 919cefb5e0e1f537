"""The command line: `flyball COMMAND ...`. A command imports what it needs when it runs, so that help comes at once."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn

from flyball.commands import COMMANDS
from models.plain import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED, REFUSED = 1, 2
"""Exit codes: it did not work; it was not even started, because what was asked for cannot be."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code; errors meant for people are one line on stderr."""
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # our batches are small; a pool of threads only adds delay
    args = _parse(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:  # noqa: BLE001 -- raised again when it is not for people
        return _tell(error)
    return code


def parser() -> argparse.ArgumentParser:
    """Describe all commands."""
    top = argparse.ArgumentParser("flyball", description="Keeps AI agents inside their error budgets.")
    top.add_argument("--version", action="version", version=f"flyball {version('flyball')}")
    commands = top.add_subparsers(title="commands", required=True)
    for name in COMMANDS:
        command = import_module(f"flyball.commands.{name}")
        sub = commands.add_parser(name, help=command.HELP, description=command.__doc__, allow_abbrev=False)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run, refuse=partial(_refuse, sub))
    return top


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; what is wrong with it is told with the usage of the command that was meant."""
    args, rest = parser().parse_known_args(argv)
    if rest:
        args.refuse(rest[0])
    return args


def _refuse(command: argparse.ArgumentParser, word: str) -> NoReturn:
    known = [option for action in command._actions for option in action.option_strings]  # noqa: SLF001 -- no other way
    near = get_close_matches(word.partition("=")[0], known, 1)
    command.error(f"found {word}, which it does not know{f'; did you mean {near[0]}?' if near else ''}")


def _tell(error: Exception) -> int:
    """Print an error that is meant for people and give the exit code; raise any other."""
    from flyball.config.problems import ConfigError  # noqa: PLC0415 -- only needed when something is wrong
    from flyball.errors import find_cause, message_for_people  # noqa: PLC0415

    if find_cause(error, BrokenPipeError):  # whoever read our output has had enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    message = message_for_people(error)
    if message is None:
        raise error
    for line in message.splitlines():
        print(f"flyball: {plain(line)}", file=sys.stderr)  # noqa: T201 -- what a command line is for
    return REFUSED if find_cause(error, ConfigError) else FAILED


if __name__ == "__main__":
    sys.exit(main())
