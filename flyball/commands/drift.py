# ruff: noqa: PLC0415, T201 -- a command prints, and imports when it runs
"""Lists the streams with most evidence of drift, or accepts a change: `flyball drift accept --workflow NAME`.

To accept means: what a workflow does now is as it should be; its baselines open anew from that time on. A running
control plane tells the flow at once. A line is added to `policy.yaml` too, where there is a configuration directory,
for a flow that has lost its state; without a control plane the flow reads it when it starts, and taking it out before
undoes it.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from flyball.arguments import add_config, add_data, whole

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
    parser.add_argument("--reason", default="", help="why it is accepted, for the audit log")
    parser.add_argument("--url", help="the control plane; default: $FLYBALL_CONTROL, else as configured")
    parser.add_argument("--most", metavar="N", type=whole(), default=20, help="streams listed (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the records")


def run(args: argparse.Namespace) -> int:
    """List or accept."""
    return _accept(args) if args.what == "accept" else _list(args)


def _list(args: argparse.Namespace) -> int:
    import orjson

    from flyball.check import configuration
    from flyball.drift import MEMBERS, strongest, table
    from flyball.opening import open_existing_log
    from flyball.report.console import plain_console
    from flyball.topic import records

    settings = configuration(args.config)
    with closing(open_existing_log(settings, args.data)) as log:
        found = strongest(records(log, settings.log.topics.drift, MEMBERS), args.workflow, args.sli)[: args.most]
    if args.json:
        for record in found:
            print(orjson.dumps(record).decode())
    elif found:
        plain_console(140).print(table(found))
    else:
        print("no stream has evidence of drift worth telling")
    return 0


def _accept(args: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from flyball.config.load import find_directory
    from flyball.drift import accept
    from flyball.errors import CommandError

    if args.workflow is None:
        msg = "found no --workflow, expected the one whose drift is accepted"
        raise CommandError(msg)
    directory = find_directory(args.config)
    at = args.at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    is_heard = _order(args, at)
    if not (directory or is_heard):
        msg = (
            "found neither a control plane nor a configuration directory, expected one: acceptance is told to the flow"
            " by the control plane, and kept in policy.yaml"
        )
        raise CommandError(msg)
    path = accept(directory, args.workflow, args.sli, at) if directory else "the control plane"
    when = "now: the flow is told" if is_heard else "once the flow is started again"
    print(f"{path}: baselines of {args.workflow} open anew at {at}, {when}")
    _tell_doubts(args, at)
    return 0


def _tell_doubts(args: argparse.Namespace, at: str) -> None:
    """Say on stderr what may be a slip: it is accepted all the same, and can be taken out of the file."""
    import sys

    from flyball import doubts
    from flyball.check import configuration
    from flyball.errors import CommandError
    from flyball.opening import open_existing_log
    from models.plain import plain
    from streams.port import LogError

    found, settings = list(doubts.of_time(at)), configuration(args.config)
    try:
        with closing(open_existing_log(settings, args.data)) as log:
            found += doubts.of_workflow(args.workflow, log, settings.log.topics)
    except (CommandError, LogError):
        pass  # without a log nothing is known of it
    for text in found:
        print(f"flyball: {plain(text)}", file=sys.stderr)


def _order(args: argparse.Namespace, at: str) -> bool:
    """Have the control plane tell the flow; False: there is none. One that was named must answer."""
    import os

    from control.client import UnansweredError
    from flyball.check import configuration
    from flyball.control import ADDRESS, call, client, has_key

    settings, is_named = configuration(args.config), bool(args.url or os.environ.get(ADDRESS))
    if not is_named and not has_key(settings, args.data):
        return False
    said = {"workflow": args.workflow, "sli": args.sli, "at": at, "reason": args.reason or None}
    control = client(settings, args.data, args.url)

    def order() -> bool:
        try:
            control.post("/v1/drift/accept", {name: value for name, value in said.items() if value is not None})
        except UnansweredError:
            if is_named:
                raise
            return False
        return True

    return bool(call(order))
