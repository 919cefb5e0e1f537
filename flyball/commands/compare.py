# ruff: noqa: PLC0415 -- a command imports when it runs
"""Compares two versions, cohorts or recorded files: which SLIs differ, and how many runs are still needed to tell.

A and B are FILE, FILE#DIMENSION=VALUE (version, prompt, model, tier, cohort.NAME ...), or #DIMENSION=VALUE: the runs
that a deployment has in its log. Exit code 0: B is worse in nothing that can be told; 3: it is. With --canary B is
judged against A hour by hour, and may be as often as one likes: 0: promote, 3: roll back, 4: hold.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

from flyball.arguments import add_config, add_data

if TYPE_CHECKING:
    import argparse

    from flyball.compare.sides import Side
    from models.drift.comparing import Run

HELP = "the verdict between two versions, cohorts or recorded files"
WORSE, HOLD = 3, 4
"""Exit codes where B is worse, and where a canary needs more runs, for CI/CD."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    parser.add_argument("a", metavar="A", help="the runs that are held against, as FILE or #version=1")
    parser.add_argument("b", metavar="B", help="the runs that are judged")
    add_config(parser)
    add_data(parser)
    parser.add_argument("--canary", action="store_true", help="B runs beside A: promote, hold or roll back?")
    parser.add_argument("--json", action="store_true", help="print one JSON object an SLI")


def run(args: argparse.Namespace) -> int:
    """Print the verdict."""
    import orjson

    from flyball.compare.sides import side_of
    from flyball.errors import CommandError
    from flyball.recording import look_at
    from flyball.report import compared
    from flyball.report.console import plain_console
    from models.drift.classifier import explain
    from models.drift.comparing import compare

    sides = [side_of(text) for text in (args.a, args.b)]
    for side in sides:
        if side.path is not None:
            look_at(side.path)
    a, b = (_runs(side, args) for side in sides)
    for side, runs in zip(sides, (a, b), strict=True):
        if not runs:
            msg = f"{side.text}: found no runs, expected some to compare"
            raise CommandError(msg)
    if args.canary:
        return _judge(a, b, args)
    rows, names = compare(a, b), (args.a, args.b)
    if args.json:
        for row in rows:
            sys.stdout.write(orjson.dumps(compared.record(names, row)).decode() + "\n")
    else:
        sizes, within = (len(a), len(b)), compared.within_types(a, b)
        compared.print_comparison(plain_console(120), names, sizes, rows, explain(a, b), within)
    return WORSE if any(row.differs and compared.is_worse(row) for row in rows) else 0


def _judge(a: list[Run], b: list[Run], args: argparse.Namespace) -> int:
    """Print what to do with B."""
    import orjson

    from flyball.errors import CommandError
    from flyball.report import canary
    from models.drift.canary import advice, judge
    from models.drift.comparing import say_types
    from models.drift.fixed_start import Advice

    now_ns = time.time_ns()
    if ahead := sum(run.ended_ns > now_ns for run in (*a, *b)):
        text = f"{ahead:,} of {len(a) + len(b):,} runs end later than now: they are not judged yet"
        print(f"flyball: {text}", file=sys.stderr)  # noqa: T201 -- what is judged goes to stdout
    judged = judge(a, b, now_ns)
    if not judged:
        common = "no whole hour in common" + (" with runs of the same type of task" if say_types(a, b) else "")
        msg = f"{args.a} and {args.b} have {common}, expected a canary beside what it may replace"
        raise CommandError(msg)
    told = advice(judged)
    if args.json:
        for each in judged:
            sys.stdout.write(orjson.dumps(canary.record((args.a, args.b), each)).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{canary.line(each)}\n" for each in judged) + f"\n{told}\n")
    return {Advice.PROMOTE: 0, Advice.ROLL_BACK: WORSE, Advice.HOLD: HOLD}[told]


def _runs(side: Side, args: argparse.Namespace) -> list[Run]:
    from flyball.check import configuration, objectives, policy
    from flyball.compare.sides import MEMBERS, runs_of_file, runs_of_records
    from flyball.opening import open_existing_log
    from flyball.topic import records

    settings = configuration(args.config)
    if side.path is None:
        with closing(open_existing_log(settings, args.data)) as log:
            return runs_of_records(records(log, settings.log.topics.runs, MEMBERS), side, settings.runs.unknown)

    from flows.files import FileError
    from flows.replay import records_of, spans_of
    from flyball.errors import CommandError
    from flyball.wiring import flow_settings

    shaped = flow_settings(settings, objectives(args.config), None, policy(args.config))
    try:
        spans = spans_of(side.path, shaped)  # first: the engine adds a backtrace to what is wrong with a file
    except FileError as error:
        raise CommandError(str(error)) from error
    found = records_of(side.path, shaped, b'{"kind":"run",')
    return runs_of_file(found, spans, side, settings.runs.unknown)
