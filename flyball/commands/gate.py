# ruff: noqa: PLC0415, T201 -- a command prints, and imports when it runs
"""Says whether an SLO lets a rollout go on, for CI/CD.

Exit code 0: go on. 1: its error budget is spent, or frozen by its policy. 2: not known.
"""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

from flyball.arguments import add_config, add_data, positive

if TYPE_CHECKING:
    import argparse

HELP = "exit code 1 when the error budget of an SLO is spent, for CI/CD"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    add_config(parser)
    add_data(parser)
    parser.add_argument("--slo", metavar="NAME", required=True, help="an SLO, or one instance of it: NAME:WORKFLOW")
    parser.add_argument(
        "--max-age", metavar="SECONDS", type=positive, default=300.0, help="older records say nothing (default 300)"
    )


def run(args: argparse.Namespace) -> int:
    """Print a line for each instance, and give the exit code."""
    from datetime import UTC, datetime

    from flyball.check import configuration
    from flyball.errors import CommandError
    from flyball.gate import UNKNOWN, gate
    from flyball.opening import open_existing_log
    from models.plain import plain
    from streams.port import LogError

    settings = configuration(args.config)
    try:
        with closing(open_existing_log(settings, args.data)) as log:
            answer = gate(log, settings.log.topics.slos, args.slo, now=datetime.now(UTC), max_age_s=args.max_age)
    except (CommandError, LogError, OSError) as error:  # whatever it is, the budget is not known to be spent
        print(f"flyball: {plain(str(error))}", file=sys.stderr)
        return UNKNOWN
    print("\n".join(map(plain, answer.words)))
    return answer.code
