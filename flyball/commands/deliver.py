# ruff: noqa: PLC0415 -- a command imports when it runs
"""Delivers pages: reads incidents from the log, groups them, and tells the sinks of `routes.yaml`, until SIGTERM.

With --test, --open, --acknowledge, --parked or --retry it does that and ends; a running delivery is not disturbed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flyball.arguments import add_config, add_data

if TYPE_CHECKING:
    import argparse

HELP = "delivers pages to the sinks of routes.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    add_config(parser)
    add_data(parser)
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--test", metavar="ROUTE", help="send a test page through every sink of the route; exit 1 if one fails"
    )
    only.add_argument("--open", action="store_true", help="list the open pages")
    only.add_argument(
        "--acknowledge", metavar="KEY", help="have the sinks told that the page of this key, or incident, is in hand"
    )
    only.add_argument("--parked", action="store_true", help="list the deliveries that are not tried any more")
    only.add_argument("--retry", metavar="ID", type=int, help="put a parked delivery back in line")
    parser.add_argument("--by", metavar="NAME", help="who has it in hand (default: $USER)")


def run(args: argparse.Namespace) -> int:
    """Run until stopped, or do the one thing asked for."""
    from flyball.check import configuration

    settings = configuration(args.config, pages=True)
    from flyball import deliver

    if args.test is not None:
        return deliver.test_route(args.config, args.test)
    if args.open:
        return deliver.list_open(settings, args.data)
    if args.acknowledge is not None:
        by = args.by or os.environ.get("USER", "somebody")
        return deliver.acknowledge(settings, args.config, args.data, args.acknowledge, by)
    if args.parked:
        return deliver.list_parked(settings, args.data)
    if args.retry is not None:
        return deliver.retry(settings, args.data, args.retry)
    return deliver.run_deliver(settings, args.config, args.data)
