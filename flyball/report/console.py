"""The console that reports are printed on: it takes names as they are, whatever is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.segment import Segment
from typing_extensions import override

from models.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType


class _Plain(Console):
    """Lets no character of a name through that a terminal obeys, as one that erases the page. Lines stay lines."""

    @override
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment("\n".join(map(plain, segment.text.split("\n"))), segment.style)


def plain_console(width: int | None = None) -> Console:
    """Give a console of so many columns (None: those of the terminal).

    Names come from agents: `search[v2]` is no style, `[/prod]` no end of one, `a:bug:b` no picture.
    """
    return _Plain(highlight=False, markup=False, emoji=False, width=width)
