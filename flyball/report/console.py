"""The console that reports are printed on: it takes names as they are, whatever is in them."""

from __future__ import annotations

from rich.console import Console


def plain_console(width: int | None = None) -> Console:
    """Give a console of so many columns (None: those of the terminal).

    Names come from agents: `search[v2]` is no style, `[/prod]` no end of one, `a:bug:b` no picture.
    """
    return Console(highlight=False, markup=False, emoji=False, width=width)
