"""Ledger: bad and total events of many SLO instances over time, and their sums over windows. Whole numbers only.

Events lie in panes of several levels, fine ones for short windows and coarse ones for long. A window of w seconds at
time t is made of whole panes of the finest level that holds it: the pane of t and those before it, ceil(w / pane) in
all. It is so short of w by less than one pane, and it is the same for any order in which events came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

HOUR_S, DAY_S = 3600, 86_400
TOTAL, BAD = 0, 1
"""Places in the counts."""


class Level(NamedTuple):
    """Panes of `pane_s` seconds, kept for `keep_s`."""

    pane_s: int
    keep_s: int


LEVELS = (Level(10, HOUR_S), Level(60, 6 * HOUR_S), Level(600, 3 * DAY_S), Level(HOUR_S, 90 * DAY_S))
"""1152 fine panes of 8 bytes and 2160 of an hour of 16: 44 kB an instance."""

_STEP = 12
"""Room grows by a twelfth of itself: 44 kB is then 48 kB at most, and with blame and timeslices less than 100 kB."""


class Ledger:
    """Counts of `n` instances, numbered from 0.

    `windows` are the lengths in seconds that can be read. Raises ValueError for one that no level holds.
    `now` is the event time in Unix seconds up to which events are in; only `set_back` lets it go back.
    """

    def __init__(self, windows: Sequence[int], levels: Sequence[Level] = LEVELS) -> None:
        self.windows = tuple(sorted(set(windows)))
        self.now = 0
        self.too_old = 0
        """Events that were older than all panes and did not count."""
        self.n = 0
        self._levels = tuple(levels)
        self._of_level = [[] for _ in levels]  # type: list[list[tuple[int, int]]]  # (window, panes) by level
        for index, window in enumerate(self.windows):
            level = self._level_of(window)
            self._of_level[level].append((index, -(-window // levels[level].pane_s)))
        self._place = {index: (at, panes) for at, held in enumerate(self._of_level) for index, panes in held}
        """Level and panes of a window."""
        self._around_of: dict[tuple[int, int, int], tuple[int, int]] = {}
        """(window, slot, last pane) -> its (total, bad), since anything was added."""
        # a fine pane holds less than 2**31 events, an hour may not
        self._rings: list[NDArray[Any]] = [
            np.zeros((level.keep_s // level.pane_s, 2, 1), np.int32 if level.pane_s < HOUR_S else np.int64)
            for level in levels
        ]
        self._sums = np.zeros((len(self.windows), 2, 1), np.int64)

    @property
    def pane_s(self) -> int:
        """Seconds of the finest panes."""
        return self._levels[0].pane_s

    def resize(self, n: int) -> None:
        """Make it hold `n` instances; new ones have seen nothing."""
        room = self._sums.shape[2]
        if n > room:
            more = max(n, room + room // _STEP) - room
            for index, ring in enumerate(self._rings):  # one by one: both sizes of one at a time
                self._rings[index] = _widened(ring, more)
            self._sums = _widened(self._sums, more)
        self.n = n

    def clear(self, slot: int) -> None:
        """Forget what an instance counted: another one gets its place."""
        for ring in self._rings:
            ring[:, :, slot] = 0
        self._sums[:, :, slot] = 0
        self._around_of.clear()

    def add(
        self,
        slots: NDArray[np.int64],
        seconds: NDArray[np.int64],
        totals: NDArray[np.int64],
        bads: NDArray[np.int64],
    ) -> None:
        """Add signed counts at event times in Unix seconds, none later than `now` (ValueError)."""
        if not len(slots):
            return
        if int(seconds.max()) > self.now:
            msg = f"event at {int(seconds.max())}, the ledger is at {self.now}: advance first"
            raise ValueError(msg)
        self._around_of.clear()
        counts = np.stack([totals, bads])
        for level, ring, windows in zip(self._levels, self._rings, self._of_level, strict=True):
            pane, current = seconds // level.pane_s, self.now // level.pane_s
            held = pane > current - len(ring)
            _add(ring, pane % len(ring), slots, counts, held)
            for index, panes in windows:
                _add(self._sums[index : index + 1], np.zeros_like(pane), slots, counts, pane > current - panes)
        self.too_old += int((~held).sum())

    def advance(self, now: int) -> None:
        """Move to event time `now` (Unix seconds): panes leave the windows; a time that is not later does nothing."""
        if now <= self.now:
            return
        for level, ring, windows in zip(self._levels, self._rings, self._of_level, strict=True):
            before, after = self.now // level.pane_s, now // level.pane_s
            if after - before >= len(ring):
                ring[:] = 0
                self._sums[[index for index, _ in windows]] = 0
                continue
            for pane in range(before + 1, after + 1):
                for index, panes in windows:
                    self._sums[index] -= ring[(pane - panes) % len(ring)]
                ring[pane % len(ring)] = 0
        self.now = now

    def set_back(self, now: int) -> None:
        """Go back to `now` (Unix seconds), as a clock that was ahead does: what lies later is dropped.

        As much as it was ahead is gone at the far end of the panes; windows that reach so far back are short of it.
        """
        for level, ring in zip(self._levels, self._rings, strict=True):
            before, after = self.now // level.pane_s, now // level.pane_s
            ring[np.arange(after + 1, min(before, after + len(ring)) + 1) % len(ring)] = 0
        self._around_of.clear()
        self.now = now
        self._sum_up()

    def read(self) -> NDArray[np.int64]:
        """Give the sums [window, (total, bad), instance], a view that the next call changes."""
        sums: NDArray[np.int64] = self._sums[:, :, : self.n]
        return sums

    def around(
        self, windows: NDArray[np.int64], slots: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give (total, bad) [2, n] of windows (numbers, of `windows`) of instances that end at times of their own.

        An end later than `now` counts as `now`. What the panes no longer hold counts as nothing.
        """
        each = zip(windows.tolist(), slots.tolist(), ends.tolist(), strict=True)
        return np.array([self._around(*those) for those in each], np.int64).reshape(-1, 2).T

    def _around(self, window: int, slot: int, end: int) -> tuple[int, int]:
        """Give one of them; what nothing was added to since is the same as long as the panes hold all of it."""
        level, panes = self._place[window]
        pane_s, ring = self._levels[level].pane_s, self._rings[level]
        current = self.now // pane_s
        last, held = min(end // pane_s, current), current - len(ring)
        if last - panes < held:
            return self._sum(ring, slot, max(last - panes, held), last)
        key = window, slot, last
        if key not in self._around_of:
            self._around_of[key] = self._sum(ring, slot, last - panes, last)
        return self._around_of[key]

    @staticmethod
    def _sum(ring: NDArray[Any], slot: int, before: int, last: int) -> tuple[int, int]:
        """Add up the panes after `before`, up to and with `last`."""
        panes = np.arange(before + 1, last + 1) % len(ring)
        total, bad = ring[panes, :, slot].sum(axis=0, dtype=np.int64).tolist()
        return total, bad

    def since(self, slot: int, second: int) -> tuple[int, int]:
        """Give (total, bad) of an instance since a Unix second, by whole panes, the finest that reach back to it."""
        for level, ring in zip(self._levels, self._rings, strict=True):
            first, current = -(-second // level.pane_s), self.now // level.pane_s
            if first > current - len(ring):
                break
        panes = np.arange(max(first, current - len(ring) + 1), current + 1)
        total, bad = ring[panes % len(ring), :, slot].sum(axis=0, dtype=np.int64).tolist()
        return total, bad

    @property
    def memory_bytes(self) -> int:
        """Size of the counts, with the room for instances to come."""
        return sum(ring.nbytes for ring in self._rings) + self._sums.nbytes

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything, to be packed."""
        rings = {f"ring{i}": ring[:, :, : self.n] for i, ring in enumerate(self._rings)}
        return {"ledger": np.array([self.now, self.too_old, self.n], np.int64), **rings}

    def fill(self, arrays: Mapping[str, NDArray[Any]], kept: Sequence[int]) -> None:
        """Restore these instances of what `arrays` gave, in a ledger of the same levels; windows may be others."""
        self.now, self.too_old, _ = arrays["ledger"].tolist()
        self.resize(len(kept))
        self._around_of.clear()
        for index, ring in enumerate(self._rings):
            ring[:] = 0
            ring[:, :, : len(kept)] = arrays[f"ring{index}"][:, :, kept]
        self._sum_up()

    def _sum_up(self) -> None:
        for level, ring, windows in zip(self._levels, self._rings, self._of_level, strict=True):
            current = self.now // level.pane_s
            for index, panes in windows:
                self._sums[index] = ring[np.arange(current - panes + 1, current + 1) % len(ring)].sum(
                    axis=0, dtype=np.int64
                )

    def _level_of(self, window: int) -> int:
        for index, level in enumerate(self._levels):
            if 0 < window <= level.keep_s:
                return index
        longest = self._levels[-1].keep_s
        msg = f"window of {window} s, expected 1 to {longest} s"
        raise ValueError(msg)


def _add(
    ring: NDArray[Any],
    at: NDArray[np.int64],
    slots: NDArray[np.int64],
    counts: NDArray[np.int64],
    where: NDArray[np.bool_],
) -> None:
    flat, width = ring.reshape(-1), ring.shape[2]  # along one axis numpy adds ten times as fast as along two
    rows, amounts = at[where] * (2 * width) + slots[where], counts[:, where].astype(ring.dtype)
    for kind in (TOTAL, BAD):
        np.add.at(flat, rows + kind * width, amounts[kind])


def _widened(array: NDArray[Any], more: int) -> NDArray[Any]:
    return np.concatenate([array, np.zeros((*array.shape[:2], more), array.dtype)], axis=2)
