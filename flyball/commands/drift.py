# ruff: noqa: PLC0415, T201 -- a command prints, and imports when it runs
"""Lists the streams with most evidence of drift, or accepts a change: `flyball drift accept --workflow NAME`.

To accept means: what a workflow does now is as it should be. A line is added to `policy.yaml`; the flow reads it when
it starts, and the baselines open anew from that time on. Taking the line out before the flow starts undoes it.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from flyball.arguments import add_config, add_data

if TYPE_CHECKING:
    import argparse

HELP = "the streams with most evidence of drift; `drift accept` takes a change for the new normal"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    parser.add_argument("what", nargs="?", choices=("list", "accept"), default="list", help="default: list")
    add_config(parser)
    add_data(parser)
    parser.add_argument("--workflow", metavar="NAME", help="only this workflow; needed to accept")
    parser.add_argument("--sli", metavar="NAME", help="only this SLI")
    parser.add_argument("--at", metavar="TIME", help="accept from this time on, RFC 3339 (default: now)")
    parser.add_argument("--most", metavar="N", type=int, default=20, help="streams listed (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the records")


def run(args: argparse.Namespace) -> int:
    """List or accept."""
    return _accept(args) if args.what == "accept" else _list(args)


def _list(args: argparse.Namespace) -> int:
    import orjson
    from rich.console import Console

    from flyball.check import configuration
    from flyball.drift import strongest, table
    from flyball.opening import open_configured_log
    from flyball.topic import records

    settings = configuration(args.config)
    with closing(open_configured_log(settings, args.data)) as log:
        found = strongest(records(log, settings.log.topics.drift), args.workflow, args.sli)[: args.most]
    if args.json:
        for record in found:
            print(orjson.dumps(record).decode())
    elif found:
        Console(highlight=False, width=140).print(table(found))
    else:
        print("no stream has evidence of drift worth telling")
    return 0


def _accept(args: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from flyball.config.load import find_directory
    from flyball.drift import accept
    from flyball.errors import CommandError

    directory = find_directory(args.config)
    if directory is None or args.workflow is None:
        msg = "found no configuration directory or no --workflow, expected both: acceptance is kept in policy.yaml"
        raise CommandError(msg)
    at = args.at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = accept(directory, args.workflow, args.sli, at)
    print(f"{path}: baselines of {args.workflow} open anew at {at}, once the flow is started again")
    return 0
