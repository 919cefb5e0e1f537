# ruff: noqa: PLC0415 -- a command imports when it runs
"""Runs the dataflow of the live service over recorded files, in event time: a report, or every record as JSON.

Files are OTLP/JSON lines or length-prefixed protobuf, as the Collector's file exporter writes them; .gz and .zst too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.arguments import add_config
from flyball.filtering import ended_by_reader

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from flows.files import CutError
    from flows.items import Outbound
    from flows.replay import Summary
    from flyball.report.collected import Collected

HELP = "the same dataflow over recorded files: a report, or --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="recorded traces; several are merged by time"
    )
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print every record, one JSON object a line")
    parser.add_argument(
        "--compare",
        metavar="DIR",
        type=Path,
        help="and what the rules of this directory would have stopped, side by side",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Replay the files; the records or the report go to stdout, the progress bar to stderr."""
    if args.compare:
        return _print_comparison(args)
    return _print_records(args) if args.json else _print_report(args)


def _print_records(args: argparse.Namespace) -> int:
    import orjson

    out = sys.stdout.buffer

    def emit(records: list[Outbound]) -> None:
        out.writelines(record.value + b"\n" for record in records)

    cut: list[CutError] = []
    with ended_by_reader():  # raised inside the engine it would be a panic
        summary = _replay(args, emit, args.config, cut).record()
        out.write(orjson.dumps(summary) + b"\n")
        out.flush()
    _refuse_what_is_cut(cut)
    _refuse_what_is_no_otlp(summary, args.files)
    return 0


def _collect(
    args: argparse.Namespace, directory: Path | None, cut: list[CutError] | None = None
) -> tuple[Collected, Mapping[str, object]]:
    """Replay with the configuration of a directory; give what the report needs, and the summary."""
    import orjson

    from flyball.check import configuration
    from flyball.report.collected import Collected, is_needed

    collected = Collected(configuration(directory).runs.unknown)

    def emit(records: list[Outbound]) -> None:
        for record in records:
            if is_needed(record.value):
                collected.add(orjson.loads(record.value))

    summary = _replay(args, emit, directory, cut).record()
    collected.add(summary)
    return collected, summary


def _print_comparison(args: argparse.Namespace) -> int:
    """Replay twice, and print what each set of rules stopped; with --json one object a set."""
    import orjson

    from flyball.report.console import plain_console
    from flyball.report.stopped import by_rule, comparison, in_force

    sets = []
    for name, directory in (str(args.config or "as configured"), args.config), (str(args.compare), args.compare):
        collected, summary = _collect(args, directory)
        _refuse_what_is_no_otlp(summary, args.files)
        sets.append((name, collected))
    if not args.json:
        console = plain_console()
        console.width = max(console.width, 120)
        console.print(comparison(sets))
        return 0
    for name, collected in sets:
        rules = [{"rule": rule, "mode": mode, **found._asdict()} for rule, mode, found in by_rule(collected)]
        said = {"kind": "comparison", "rules_of": name, **in_force(collected)._asdict(), "rules": rules}
        sys.stdout.write(orjson.dumps(said).decode() + "\n")
    return 0


def _print_report(args: argparse.Namespace) -> int:
    from flyball.report.page import print_page

    cut: list[CutError] = []
    collected, summary = _collect(args, args.config, cut)
    print_page(collected, [path.name for path in args.files])
    _refuse_what_is_cut(cut)
    _refuse_what_is_no_otlp(summary, args.files)
    return 0


def _refuse_what_is_cut(cut: Sequence[CutError]) -> None:
    """Raise CommandError for files that could not be read to their end; all the rest has been told."""
    from flyball.errors import CommandError

    if cut:
        lines = [f"{error}; what lies before that, and the other files, count" for error in cut]
        raise CommandError("\n".join(lines))


def _refuse_what_is_no_otlp(summary: Mapping[str, object], files: Sequence[Path]) -> None:
    """Raise CommandError where files hold nothing at all, or only what could not be read."""
    from flows.files import read_messages
    from flyball.errors import CommandError

    if summary.get("spans") or summary.get("runs"):
        return
    # what was a pipe cannot be looked into again; log records alone are no mistake
    empty = all(path.is_file() and next(read_messages(path), None) is None for path in files)
    if empty or summary.get("dead_letters"):
        names, it = ", ".join(path.name for path in files), "it" if len(files) == 1 else "them"
        msg = f"{names}: nothing in {it} is OTLP"
        raise CommandError(msg)


def _replay(
    args: argparse.Namespace,
    emit: Callable[[list[Outbound]], None],
    directory: Path | None,
    cut: list[CutError] | None,
) -> Summary:
    from flyball.check import configuration, objectives
    from flyball.check import policy as policy_of
    from flyball.errors import CommandError, find_cause
    from flyball.progress import reading
    from flyball.recording import look_at
    from flyball.stderr import stderr_held_back

    settings = configuration(directory)
    slos = objectives(directory)
    policy = policy_of(directory)
    for path in args.files:
        look_at(path)
    from flows.files import FileError
    from flows.replay import replay
    from flows.warm_up import warm_up
    from flyball.wiring import flow_settings

    def is_for_people(error: BaseException) -> bool:
        return find_cause(error, (FileError, KeyboardInterrupt)) is not None

    warm_up(lambda text: print(f"flyball: {text}", file=sys.stderr, flush=True))  # noqa: T201 -- a command prints
    try:
        with reading(args.files, shown=not args.quiet) as advance, stderr_held_back(is_for_people):
            return replay(args.files, flow_settings(settings, slos, policy=policy), emit, advance, cut=cut)
    except Exception as error:
        told = find_cause(error, FileError)
        if told is None:
            raise
        raise CommandError(str(told)) from error
