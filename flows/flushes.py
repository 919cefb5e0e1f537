"""Flushes: how it goes to have the log take what the flow wrote. While it takes nothing the flow stands still."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from streams.port import LogError

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.port import Writer

SLOW_S: Final = 5.0
"""A log that is well takes what was written within a fraction of a second."""


class Flushes:
    """Flushes, and knows how the flush goes that is under way: another thread answers for the flow's health."""

    def __init__(self, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._steady_s = steady_s
        self._since_s: float | None = None
        self._refused = ""

    def flush(self, writer: Writer) -> None:
        """Wait until the log has taken everything. Raises LogError where it has not: then the flow ends."""
        self._since_s = self._steady_s()
        try:
            writer.flush()
        except LogError as error:
            self._refused = str(error)
            raise
        finally:
            self._since_s = None

    def problem(self) -> str | None:
        """Say what is wrong; None: nothing. What was refused once stays: the engine takes its time to end."""
        since_s = self._since_s
        if self._refused:
            return f"the flow ends, to be started again: the log does not take what it writes: {self._refused}"
        if since_s is None or (waited_s := self._steady_s() - since_s) < SLOW_S:
            return None
        return f"the flow stands still: the log has taken nothing for {waited_s:.0f} s"
