"""Arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_config(parser: argparse.ArgumentParser) -> None:
    """Take the configuration directory."""
    parser.add_argument("--config", metavar="DIR", type=Path, help="default: ./flyball-config, if there is one")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Take the folder that everything is kept in."""
    parser.add_argument("--data", metavar="DIR", type=Path, default=Path("flyball-data"), help="default: ./%(default)s")
