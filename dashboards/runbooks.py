"""Runbooks: those of alerts/runbooks, to be read where one looks; the other dashboards link to them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dashboards.kit import Board, words

UID = "flyball-runbooks"
NAMES: Final = (
    "runaway",
    "slo.budget",
    "slo.burn",
    "slo.slow_burn",
    "spend.budget",
    "stop.failed",
    "telemetry.lag",
    "telemetry.silent",
    "drift",
)
"""Classes of incidents. New ones come at the end: links are by the number of the panel."""
_FOLDER: Final = Path(__file__).resolve().parent.parent / "alerts" / "runbooks"


def build() -> Board:
    """Build it."""
    board = Board(UID, "Flyball / Runbooks", "What to do when a page of a class comes.")
    for name in NAMES:
        board.row(name, words((_FOLDER / f"{name}.md").read_text(encoding="utf-8")), width=24, height=18)
    return board


def link(name: str) -> str:
    """Give the address of one runbook, in the same Grafana."""
    return f"/d/{UID}?viewPanel={2 * NAMES.index(name) + 2}"
