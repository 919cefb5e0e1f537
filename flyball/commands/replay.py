# ruff: noqa: PLC0415 -- a command imports when it runs
"""Runs the dataflow of the live service over recorded files, in event time: a report, or every record as JSON.

Files are OTLP/JSON lines or length-prefixed protobuf, as the Collector's file exporter writes them; .gz and .zst too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.arguments import add_config

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from flows.items import Outbound
    from flows.replay import Summary

HELP = "the same dataflow over recorded files: a report, or --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="recorded traces; several are merged by time"
    )
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print every record, one JSON object a line")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Replay the files; the records or the report go to stdout, the progress bar to stderr."""
    return _print_records(args) if args.json else _print_report(args)


def _print_records(args: argparse.Namespace) -> int:
    import orjson

    out = sys.stdout.buffer

    def emit(records: list[Outbound]) -> None:
        out.writelines(record.value + b"\n" for record in records)

    summary = _replay(args, emit)
    out.write(orjson.dumps(summary.record()) + b"\n")
    out.flush()
    return 0


def _print_report(args: argparse.Namespace) -> int:
    import orjson

    from flyball.report.collected import Collected, is_needed
    from flyball.report.page import print_page

    collected = Collected()

    def emit(records: list[Outbound]) -> None:
        for record in records:
            if is_needed(record.value):
                collected.add(orjson.loads(record.value))

    collected.add(_replay(args, emit).record())
    print_page(collected, [path.name for path in args.files])
    return 0


def _replay(args: argparse.Namespace, emit: Callable[[list[Outbound]], None]) -> Summary:
    from flyball.check import configuration
    from flyball.errors import CommandError, find_cause
    from flyball.progress import reading

    settings = configuration(args.config)
    from flows.files import FileError
    from flows.replay import replay
    from flyball.wiring import flow_settings

    try:
        with reading(args.files, shown=not args.quiet) as advance:
            return replay(args.files, flow_settings(settings), emit, advance)
    except Exception as error:
        told = find_cause(error, FileError)
        if told is None:
            raise
        raise CommandError(str(told)) from error
