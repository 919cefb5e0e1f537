"""Cutting texts to what a service takes, so that one sees that they were cut."""

from __future__ import annotations

MARK = "… [cut]"
"""What stands at the end of a text that was cut."""


def cut(text: str, limit: int) -> str:
    """Give at most `limit` characters (limit > len(MARK)), marked at the end where some are missing."""
    return text if len(text) <= limit else text[: limit - len(MARK)] + MARK
