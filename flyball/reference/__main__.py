"""Writes the pages: `python -m flyball.reference`."""

from __future__ import annotations

from pathlib import Path

from flyball.reference.pages import PAGES

if __name__ == "__main__":
    docs = Path(__file__).resolve().parents[2] / "docs"
    for name, write in PAGES.items():
        (docs / name).write_text(write())
