# ruff: noqa: PLC0415 -- a command imports when it runs
"""Runs everything on one machine: OTLP over HTTP and gRPC in, SLIs and run records out, until Ctrl-C or SIGTERM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.arguments import add_config, add_data

if TYPE_CHECKING:
    import argparse

HELP = "everything on one machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    add_config(parser)
    add_data(parser)


def run(args: argparse.Namespace) -> int:
    """Run until stopped."""
    from flyball.check import configuration

    settings = configuration(args.config, pages=True)
    from flyball.up import run_up

    return run_up(settings, args.config, args.data)
