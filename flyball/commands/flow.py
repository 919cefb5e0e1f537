# ruff: noqa: PLC0415 -- a command imports when it runs
"""Runs one process of the dataflow alone: reads spans from the log, writes records to it, until SIGTERM.

A cluster is one process per address; each is started with the same addresses, in the same order, and its own number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.arguments import add_config, add_data

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

HELP = "the dataflow alone, one process of it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    add_config(parser)
    add_data(parser)
    parser.add_argument("--process", metavar="N", type=int, default=0, help="number of this process, from 0")
    parser.add_argument("--addresses", metavar="HOST:PORT;...", default="", help="of all processes, if several")


def run(args: argparse.Namespace) -> int:
    """Run until stopped."""
    from flyball.check import configuration, objectives, policy

    settings = configuration(args.config)
    addresses = [address for address in args.addresses.split(";") if address]
    if not 0 <= args.process < max(1, len(addresses)):
        from flyball.errors import CommandError

        msg = f"found --process {args.process} with {len(addresses)} --addresses, expected a number below theirs"
        raise CommandError(msg)
    from flows.launcher import run_flow
    from flyball.wiring import flow_process, flow_settings

    process = flow_process(settings, args.data, args.process, addresses)
    try:
        run_flow(flow_settings(settings, objectives(args.config), args.data / "journal", policy(args.config)), process)
    except Exception as error:
        _tell_of_snapshots(error, process.recovery, process.start)
        raise
    return 0


def _tell_of_snapshots(error: Exception, recovery: Path, start: str) -> None:
    """Raise CommandError when an error means that what is kept of an earlier life cannot be gone on with."""
    from flows.launcher import UNFIT
    from flyball.errors import CommandError, find_cause

    found: BaseException | None = find_cause(error, UNFIT)
    if found is None or "disk full" in str(found):  # that one is of writing
        return
    msg = (
        f"snapshots in {recovery} do not fit together ({found}): move {recovery} away; "
        f"the log is then read again from its {start} message (log.start)"
    )
    raise CommandError(msg) from error
