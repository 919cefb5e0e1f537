# ruff: noqa: PLC0415 -- a command imports when it runs
"""Shows what Flyball does within a minute: `flyball up` with simulated agents, one incident after another.

A retry loop is stopped, a cost blow-up throttled, a model upgrade that hurts named as drift, and a page shown as it is
sent. Then it goes on with live traffic until Ctrl-C, which leaves nothing running.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

HELP = "everything on one machine with simulated agents: incidents, and what is caught"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    add = parser.add_argument
    add("--once", action="store_true", help="end after the last act; exit code 0 only if everything was caught")
    add("--json", action="store_true", help="print an object an act; the story goes to stderr")
    add("--free-ports", action="store_true", help="listen on free ports instead of 4318, 8088, 9463 and 9464")
    add(
        "--data",
        metavar="DIR",
        type=Path,
        help="keep everything in this new or empty folder (default: a temporary one)",
    )
    add("--seed", metavar="N", type=int, default=7, help="equal seeds give equal agents (default %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Run until stopped, or once."""
    from flyball.demo.show import Asked, run_demo

    return run_demo(Asked(args.data, args.free_ports, args.once, args.json, args.seed))
