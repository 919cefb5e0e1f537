"""Alignment: partitions of a source that catch up together, in the order of time that the log took their messages.

What lags is read as fast as it comes, and one partition comes faster than another. Read so, the end of a run would be
heard minutes before its spans in another partition, and each of those would correct it. So a partition waits where
others have older messages that are still to be read; one that is read up gives what it has at once.
"""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.port import Message, Reader

_MAX_MESSAGES: Final = 10_000
_PATIENCE_S: Final = 0.1
"""For messages that are known to be there and do not come: their broker may be away."""
_LONGEST_HOLD_S: Final = 30.0
"""A partition that waits longer for the others gives what it has: a producer's clock may be wrong."""


class Lane:
    """One partition of an alignment: what was read of it and not given yet."""

    def __init__(self, alignment: Alignment, reader: Reader, max_bytes: int, now: Callable[[], float]) -> None:
        self._alignment = alignment
        self._reader = reader
        self._max_bytes = max_bytes
        self._now = now
        self._pending: list[Message] = []
        self._size = 0
        self._given_ns = 0.0
        self._empty_since = inf
        self._held_since = inf
        self.ready = 0
        """How many messages it may give in this round."""

    @property
    def is_empty(self) -> bool:
        """Whether all that was read is given."""
        return not self._pending

    def take(self) -> list[Message]:
        """Give what may be given now, which may be nothing."""
        self._alignment.begin_round()
        given, self._pending, self.ready = self._pending[: self.ready], self._pending[self.ready :], 0
        if given:
            self._size -= sum(message.size for message in given)
            self._given_ns = given[-1].appended_ns
        return given

    def close(self) -> None:
        """Close the reader, and hold up no other."""
        self._alignment.remove(self)
        self._reader.close()

    def fill(self) -> None:
        """Read on, up to `max_bytes`."""
        if 2 * self._size < self._max_bytes:
            came = self._reader.poll(_MAX_MESSAGES, self._max_bytes - self._size)
            self._pending.extend(came)
            self._size += sum(message.size for message in came)

    def reaches_ns(self) -> float:
        """Give the time (Unix ns) up to which all there is of this partition is at hand."""
        if not self._reader.expects():
            self._empty_since = inf
            return inf
        if self._pending:
            self._empty_since = inf
            return self._pending[-1].appended_ns
        self._empty_since = min(self._empty_since, self._now())
        return self._given_ns if self._now() - self._empty_since < _PATIENCE_S else inf

    def allow(self, until_ns: float) -> None:
        """Make ready what the log took up to then."""
        self.ready = next(
            (n for n, message in enumerate(self._pending) if message.appended_ns > until_ns), len(self._pending)
        )
        if self.ready or not self._pending:
            self._held_since = inf
            return
        self._held_since = min(self._held_since, self._now())
        if self._now() - self._held_since >= _LONGEST_HOLD_S:
            self.ready, self._held_since = len(self._pending), inf


class Alignment:
    """Lanes that are served in rounds: each gives once what is not newer than what all of them have read up to."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._lanes: list[Lane] = []

    def add(self, reader: Reader, max_bytes: int) -> Lane:
        """Open a lane for a partition; `max_bytes` are read ahead and given at once."""
        lane = Lane(self, reader, max_bytes, self._now)
        self._lanes.append(lane)
        return lane

    def remove(self, lane: Lane) -> None:
        """Wait for this one no more."""
        self._lanes.remove(lane)

    def begin_round(self) -> None:
        """Read on, and say what each may give; only when all have given what they may."""
        if any(lane.ready for lane in self._lanes):
            return
        for lane in self._lanes:
            lane.fill()
        until = min(lane.reaches_ns() for lane in self._lanes)
        for lane in self._lanes:
            lane.allow(until)
