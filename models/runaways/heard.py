"""Heard: verdicts that are no news when told again: a watch that begins says again what an earlier one said."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.verdicts import Verdict

MOST = 10_000
"""Verdicts that are remembered, also long after their burst."""
_DIGITS = 16
"""Of the id of a verdict that are kept."""


class Heard:
    """The newest of them, the oldest first."""

    def __init__(self) -> None:
        self._known: dict[str, None] = {}
        self._new: list[str] = []

    def is_news(self, verdict: Verdict) -> bool:
        """Say whether it was never heard, and remember that it was."""
        known = verdict.id[:_DIGITS]
        if known in self._known:
            return False
        self.remember([known])
        self._new.append(known)
        return True

    def remember(self, heard: Iterable[str]) -> None:
        """Put back what `take_new` and `all` gave."""
        self._known |= dict.fromkeys(heard)
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    def take_new(self) -> list[str]:
        """Give what is new since the last call."""
        new, self._new = self._new, []
        return new

    def all(self) -> list[str]:
        """Give all."""
        return [*self._known]
