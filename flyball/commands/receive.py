# ruff: noqa: PLC0415 -- a command imports when it runs
"""Runs the OTLP receiver alone: what it acknowledges lies in the log, until SIGTERM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.arguments import add_config, add_data

if TYPE_CHECKING:
    import argparse

HELP = "the OTLP receiver alone"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be given."""
    add_config(parser)
    add_data(parser)


def run(args: argparse.Namespace) -> int:
    """Run until stopped."""
    from flyball.check import configuration

    settings = configuration(args.config)
    from flyball.receive import run_receiver

    return run_receiver(settings, args.data)
