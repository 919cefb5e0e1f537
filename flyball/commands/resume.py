# ruff: noqa: PLC0415 -- a command imports when it runs
"""Resumes a scope: all that rules or people asked of it is taken away. The whole product needs two people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.commands.kill import add_order as add_arguments
from flyball.commands.kill import control_of, order, tell_unwritten

if TYPE_CHECKING:
    import argparse

__all__ = ["HELP", "add_arguments", "run"]  # it is given what a kill is
HELP = "lets go on what was killed or restricted"


def run(args: argparse.Namespace) -> int:
    """Order it, and say what came of it."""
    from flyball.control import tell

    answer = order(control_of(args), args, "/v1/resume")
    if not answer["resumed"]:
        tell(f"{args.scope} is NOT resumed yet: {answer['message']}")
        return 1
    count = len(answer["places"])
    tell(f"{args.scope} is resumed" if count else f"nothing was asked of {args.scope}")
    tell_unwritten(answer)
    return 0
