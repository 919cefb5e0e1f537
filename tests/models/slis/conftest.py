"""What the tests of panes share: cells by hand, and panes as plain dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from models.digest import digest_of
from models.slis.cells import Cells
from models.slis.records import sli_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from models.slis.readings import Readings

Cell = tuple[str, str, str, str, int, int, int]
"""Workflow, dimension ("" alone), value, SLI, minute, bin, count; names as text."""


def _cells(rows: Iterable[Cell]) -> Cells:
    names: dict[int, str] = {}

    def digest(text: str) -> int:
        names[digest_of(text)] = text
        return digest_of(text)

    table = [(digest(w), digest(d) if d else 0, digest(v) if d else 0, digest(s), *rest) for w, d, v, s, *rest in rows]
    return Cells(np.array(table, np.int64).reshape(-1, 7).T.copy(), names)


def _panes(readings: Readings) -> dict[tuple[Any, ...], dict[str, Any]]:
    records = sli_records(readings)
    panes = {(r["sli"], *r["group"].items(), r["pane_start"]): r for r in records}
    assert len(panes) == len(records)
    return panes


@pytest.fixture(scope="session")
def cells() -> Callable[[Iterable[Cell]], Cells]:
    """Give a function that makes cells from rows of text and numbers."""
    return _cells


@pytest.fixture(scope="session")
def panes() -> Callable[[Readings], dict[tuple[Any, ...], dict[str, Any]]]:
    """Give a function that makes records by (SLI, group, start)."""
    return _panes
