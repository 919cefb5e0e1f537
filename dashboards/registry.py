"""All dashboards, in the order in which people look at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dashboards import budget, drift, enforcement, fleet, pipeline, runaways, runbooks, workflow

if TYPE_CHECKING:
    from dashboards.kit import Board

FOLDER = Path(__file__).resolve().parent / "grafana"
ALL = (fleet, workflow, budget, runaways, drift, enforcement, pipeline, runbooks)


def boards() -> list[Board]:
    """Build all of them."""
    return [each.build() for each in ALL]


def files() -> dict[Path, str]:
    """Give what is committed: file and text."""
    return {FOLDER / f"{board.uid}.json": board.to_json() for board in boards()}
