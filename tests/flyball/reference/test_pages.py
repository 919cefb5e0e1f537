"""The pages that are made from the code are as the code is now."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.commands import COMMANDS
from flyball.reference.pages import PAGES

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(name: str) -> None:
    """They are made by `python -m flyball.reference`."""
    assert (DOCS / name).read_text() == PAGES[name]()


def test_every_command_is_there() -> None:
    """Each command has its section."""
    page = PAGES["commands.md"]()
    assert [name for name in COMMANDS if f"\n## flyball {name}\n" not in page] == []
