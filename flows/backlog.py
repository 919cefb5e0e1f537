"""Backlog: how old the input is that is read now. What lags says nothing of how things are."""

from __future__ import annotations


class Backlog:
    """What was read last of each source partition of this process, unless nothing more was there."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}

    def read(self, part: str, appended_ns: int) -> None:
        """Note that a message was read that the log took at `appended_ns` (Unix ns)."""
        self._at[part] = appended_ns

    def caught_up(self, part: str) -> None:
        """Note that the partition holds no more."""
        self._at.pop(part, None)

    def age_ns(self, now_ns: int) -> int:
        """Give how long ago the log took what is read now; 0 where all is read."""
        return max([0, *(now_ns - at for at in self._at.values())])
