"""Plain: words of agents and services as a terminal, or a page, may show them."""

from __future__ import annotations


def plain(text: str) -> str:
    """Give it in one line of printable characters.

    Names of workflows, users and tools come from spans: a control character in one could erase what stands beside it,
    and a line end begin a line that nobody said.
    """
    return "".join(each if each.isprintable() else " " for each in text)
