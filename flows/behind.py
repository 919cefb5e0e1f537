"""Step `behind`: what a process of a cluster has not caught up with, told to every shard of `judge`.

Each process reads some of the partitions. One that has read all of its own would judge by what it hears of the others,
which may be hours behind: half of what there is, of then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from flows.items import Behind, ShardEvents
from models.slos.silence import Lag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flows.backlog import Backlog
    from flows.items import RawBatch

_SECOND_NS: Final = 1_000_000_000
_TELL_EVERY_NS: Final = _SECOND_NS


class LagWatch:
    """Says how far the input is behind, by this process and by what others tell; the shard `teller` tells of it."""

    def __init__(self, backlog: Backlog, limit_ns: int, teller: str) -> None:
        self._backlog = backlog
        self._limit_ns = limit_ns
        self._teller = teller
        self._others: dict[str, int] = {}
        """By process: when (Unix ns) the log took what that one reads now; not of those within the limit."""
        self.name = uuid4().hex

    def hear(self, behind: Behind) -> None:
        """Take in what a process says; of itself it knows better."""
        self._others.pop(behind.process, None)
        if behind.oldest_ns is not None and behind.process != self.name:
            self._others[behind.process] = behind.oldest_ns

    def at(self, now_ns: int, key: str) -> Lag:
        """Give the lag as the shard `key` is to take it."""
        age = max([self._backlog.age_ns(now_ns), *(now_ns - at for at in self._others.values())])
        return Lag(age // _SECOND_NS, self._limit_ns // _SECOND_NS, is_told=key == self._teller)

    def own(self, now_ns: int) -> Behind:
        """Give what the other processes are to know of this one."""
        age = self._backlog.age_ns(now_ns)
        return Behind(self.name, now_ns - age if age // _SECOND_NS > self._limit_ns // _SECOND_NS else None)


class BehindStep:
    """Callable for `flat_map_batch`, right behind the source: tells `keys` while it is behind, and when no more."""

    def __init__(self, watch: LagWatch, keys: Sequence[str], clock: Callable[[], int]) -> None:
        self._watch, self._keys, self._clock = watch, keys, clock
        self._is_behind = False
        self._told_ns = 0

    def __call__(self, batches: list[RawBatch]) -> list[tuple[str, ShardEvents]]:
        """Tell, once a second."""
        now_ns = self._clock()
        behind = self._watch.own(now_ns)
        is_behind = behind.oldest_ns is not None
        is_early = self._told_ns <= now_ns < self._told_ns + _TELL_EVERY_NS
        if is_behind == self._is_behind and (is_early or not is_behind):
            return []
        self._is_behind, self._told_ns = is_behind, now_ns
        return [(key, ShardEvents(key, None, (), behind)) for key in self._keys]
