"""Watermark: up to which event time everything has (very probably) been seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SECOND = 1_000_000_000
AHEAD_NS = 300 * SECOND
"""No event is taken to be later than this after its receipt: what is, came by a clock that was ahead."""


@dataclass
class Watermark:
    """The smallest newest-event-time over the source partitions, less the allowed lateness; it never goes back.

    But where it is ahead of a clock that was set back: nothing would be open until that is as late again.

    A partition that was not heard of for `idle_ns` of processing time stops holding the others back. When all are idle
    the watermark follows the clock, so that the last runs of a quiet service still close. Without a clock (`now_ns`
    None, replay) only events move it. All times are Unix nanoseconds.
    """

    lateness_ns: int = 60 * SECOND
    idle_ns: int = 30 * SECOND
    current: int = 0
    _marks: dict[str, tuple[int, int]] = field(default_factory=dict)  # partition -> (newest event, heard at)

    def expect(self, partitions: Iterable[str], now_ns: int | None) -> None:
        """Hold the watermark until each of `partitions` was heard of (or was silent for `idle_ns`)."""
        for partition in partitions:
            self._marks.setdefault(partition, (0, now_ns or 0))

    def observe(self, partition: str, newest_ns: int, now_ns: int | None) -> None:
        """Take note that `partition` has delivered events up to `newest_ns`."""
        known = self._marks.get(partition, (0, 0))[0]
        self._marks[partition] = (max(known, newest_ns), now_ns or 0)

    def at(self, now_ns: int | None) -> int:
        """Advance to `now_ns` and give the watermark."""
        if now_ns is not None:
            self._set_back(now_ns)
        if self._marks:
            self.current = max(self.current, self._target(now_ns) - self.lateness_ns)
        return self.current

    def _set_back(self, now_ns: int) -> None:
        """Take nothing to be known of a time that is yet to come."""
        if any(heard > now_ns for _, heard in self._marks.values()):
            self._marks = {part: (newest, min(heard, now_ns)) for part, (newest, heard) in self._marks.items()}
        if self.current > now_ns + AHEAD_NS:
            self.current = now_ns - self.lateness_ns
            self._marks = {part: (min(newest, now_ns), heard) for part, (newest, heard) in self._marks.items()}

    def _target(self, now_ns: int | None) -> int:
        marks = self._marks.values()
        if now_ns is None:
            return min(newest for newest, _ in marks)
        active = [newest for newest, heard in marks if now_ns - heard < self.idle_ns]
        if active:
            return min(active)
        return max((newest + now_ns - heard for newest, heard in marks if newest), default=0)

    def marks(self) -> dict[str, int]:
        """Give the newest event time per partition, for a snapshot."""
        return {partition: newest for partition, (newest, _) in self._marks.items()}
