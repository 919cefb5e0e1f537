"""Narration: what is told on the terminal, each line with the seconds since the start."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

_INDENT = 11
"""Where text begins: behind `  123.4 s  `."""
CAUGHT, MISSED = "✔", "✘"


class Narrator:
    """Tells. Lines are folded where they go to a terminal, and left whole elsewhere."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._began = clock()

    @property
    def seconds(self) -> float:
        """Give the seconds since the start."""
        return self._clock() - self._began

    def begin_anew(self) -> None:
        """Count from now on."""
        self._began = self._clock()

    def say(self, text: str, style: str = "") -> None:
        """Tell one thing, with its time."""
        self._line(f"{self.seconds:7.1f} s", "", text, style)

    def more(self, text: str, style: str = "") -> None:
        """Tell more of the same."""
        self._line("", "", text, style)

    def title(self, text: str) -> None:
        """Begin an act."""
        self._console.print()
        self._console.print(Text(text, style="bold"))

    def ending(self, sentences: Sequence[str], *, caught: bool) -> None:
        """Tell how an act ended."""
        mark, style = (CAUGHT, "green") if caught else (MISSED, "bold red")
        first, *rest = sentences
        self._line(f"{self.seconds:7.1f} s", f"{mark} ", first, style)
        for each in rest:
            self._line("", "  ", each, "")

    def _line(self, time_: str, mark: str, text: str, style: str) -> None:
        """Write a line; what is folded stays in its column, behind the mark."""
        if not self._console.is_terminal:
            self._console.print(Text(f"{time_:{_INDENT}}{mark}{text}"), soft_wrap=True)
            return
        grid = Table.grid()
        grid.add_column(width=_INDENT, style="dim", no_wrap=True)
        if mark:
            grid.add_column(width=len(mark), style=style, no_wrap=True)
        grid.add_column(style=style, overflow="fold")
        grid.add_row(time_, *([mark] if mark else []), Text(text))
        self._console.print(grid)


def usd(amount: float) -> str:
    """Write money: $0.031, $12.40."""
    return f"${amount:.3f}" if amount < 0.1 else f"${amount:,.2f}"  # noqa: PLR2004 -- below that cents are too coarse


def span(seconds: float) -> str:
    """Write a short time: 85 ms, 1.2 s."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
