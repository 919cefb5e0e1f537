"""Tables of burn rate rules: data files in `windows/`, each with its source. A new table is a file there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files

import yaml

_UNITS = {"m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Row:
    """One rule: it fires when `budget`, a share of the period's budget, has been spent within the long window.

    `factor` is the burn rate that this takes over the table's own period: budget x period / long.
    """

    name: str
    page: bool
    long_s: int
    short_s: int
    budget: Fraction
    factor: Fraction


@dataclass(frozen=True)
class Table:
    """The rules for an error budget over one period, seconds."""

    name: str
    period_s: int
    rows: tuple[Row, ...]


@cache
def tables() -> dict[str, Table]:
    """Give all tables by name."""
    found = sorted(files("models.slos").joinpath("windows").iterdir(), key=lambda path: path.name)
    read = [_table(path.read_text("utf-8")) for path in found if path.name.endswith(".yaml")]
    return {table.name: table for table in read}


def show_window(seconds: int) -> str:
    """Write the length of a window as people do: 5m, 2h53m, 3d. Whole minutes."""
    parts = []
    for unit, factor in reversed(_UNITS.items()):
        count, seconds = divmod(seconds, factor)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0m"


def _table(text: str) -> Table:
    said = yaml.safe_load(text)
    rows = tuple(
        Row(
            name=row["name"],
            page=row["severity"] == "page",
            long_s=_seconds(row["long"]),
            short_s=_seconds(row["short"]),
            budget=Fraction(row["budget"]),
            factor=Fraction(row["factor"]),
        )
        for row in said["rules"]
    )
    return Table(said["name"], _seconds(said["period"]), rows)


def _seconds(text: str) -> int:
    count, unit = re.fullmatch(r"(\d+)([mhd])", text).groups()  # type: ignore[union-attr]  # data files of our own
    return int(count) * _UNITS[unit]
