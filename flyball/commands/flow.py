# ruff: noqa: PLC0415 -- a command imports when it runs
"""Runs one process of the dataflow alone: reads spans from the log, writes records to it, until SIGTERM.

A cluster is one process per address; each is started with the same addresses, in the same order, and its own number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.arguments import add_config, add_data

if TYPE_CHECKING:
    import argparse

HELP = "the dataflow alone, one process of it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    add_config(parser)
    add_data(parser)
    parser.add_argument("--process", metavar="N", type=int, default=0, help="number of this process, from 0")
    parser.add_argument("--addresses", metavar="HOST:PORT;...", default="", help="of all processes, if several")


def run(args: argparse.Namespace) -> int:
    """Run until stopped."""
    from flyball.check import configuration

    settings = configuration(args.config)
    addresses = [address for address in args.addresses.split(";") if address]
    if not 0 <= args.process < max(1, len(addresses)):
        from flyball.errors import CommandError

        msg = f"found --process {args.process} with {len(addresses)} --addresses, expected a number below theirs"
        raise CommandError(msg)
    from flows.launcher import run_flow
    from flyball.wiring import flow_process, flow_settings

    run_flow(flow_settings(settings, args.data / "journal"), flow_process(settings, args.data, args.process, addresses))
    return 0
