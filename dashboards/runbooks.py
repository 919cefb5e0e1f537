"""Runbooks: those of alerts/runbooks, to be read where one looks; the other dashboards link to them."""

from __future__ import annotations

from pathlib import Path

from dashboards.kit import Board, words

UID = "flyball-runbooks"
_FOLDER = Path(__file__).resolve().parent.parent / "alerts" / "runbooks"


def build() -> Board:
    """Build it."""
    board = Board(UID, "Flyball / Runbooks", "What to do when a page of a class comes.")
    for name in names():
        board.row(name, words((_FOLDER / f"{name}.md").read_text(encoding="utf-8")), width=24, height=18)
    return board


def names() -> list[str]:
    """List the classes that have a runbook."""
    return sorted(path.stem for path in _FOLDER.glob("*.md"))


def link(name: str) -> str:
    """Give the address of one runbook, in the same Grafana."""
    return f"/d/{UID}?viewPanel={2 * names().index(name) + 2}"
