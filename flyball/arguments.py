"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 10**9


def add_config(parser: argparse.ArgumentParser) -> None:
    """Take the configuration directory."""
    parser.add_argument("--config", metavar="DIR", type=Path, help="default: ./flyball-config, if there is one")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Take the folder that everything is kept in."""
    parser.add_argument("--data", metavar="DIR", type=Path, default=Path("flyball-data"), help="default: ./%(default)s")


def positive(text: str) -> float:
    """Read a finite number above 0. Raises ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        msg = f"found {text!r}, expected a number above 0"
        raise argparse.ArgumentTypeError(msg)
    return number


def whole(most: int = MOST) -> Callable[[str], int]:
    """Give what reads a whole number from 1 to the most. It raises ArgumentTypeError."""

    def read(text: str) -> int:
        number = int(text) if text.strip().isdecimal() and len(text) <= len(str(MOST)) else 0
        if not 1 <= number <= most:
            msg = f"found {text!r}, expected a whole number from 1 to {most}"
            raise argparse.ArgumentTypeError(msg)
        return number

    return read
