# ruff: noqa: PLC0415 -- a command imports when it runs
"""Prints Prometheus rules for the SLOs of a configuration: every burn rule, and alerts about Flyball itself.

Give them to Prometheus as one of its `rule_files`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.arguments import add_config

if TYPE_CHECKING:
    import argparse

HELP = "Prometheus recording and alerting rules for your SLOs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    add_config(parser)
    parser.add_argument("--to", metavar="FILE", type=Path, help="write there, not to standard output")


def run(args: argparse.Namespace) -> int:
    """Write the rules."""
    from flyball.check import configuration, objectives
    from flyball.prometheus_rules import rules_text

    configuration(args.config)  # refuses a directory in which anything is wrong
    text = rules_text(objectives(args.config))
    if args.to:
        args.to.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0
