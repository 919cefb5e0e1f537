"""UserMinutes: the LLM calls of each user in the newest minute, in columns, and what is usual of such minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

LEARNT = 2000
"""Minutes in which users were active until their 99th percentile is taken, and frozen."""
MOST = 100_000
"""Users kept; beyond it the half that was active longest ago goes."""
_NONE = np.int64(-1)
_ODD = np.int64(-7046029254386353131)


class UserMinutes:
    """`usual` is the 99th percentile, nearest rank, of the calls of a user's minute; 0: not known yet."""

    def __init__(self) -> None:
        self.usual = 0
        self._slots: dict[int, int] = {}
        self._minute = np.zeros(0, np.int64)
        self._calls = np.zeros(0, np.int64)
        self._learnt: list[Ints] = []
        """Calls of minutes that are over."""

    def add(self, ids: Ints, tenants: Ints, minutes: Ints, calls: Ints) -> Ints:
        """Add calls, a user and minute at most once; gives those of the minute so far, 0 of one that is over."""
        slots = self._find(ids ^ (tenants * _ODD))
        made = np.zeros(len(ids), np.int64)
        for minute in np.unique(minutes).tolist():
            rows = np.flatnonzero(minutes == minute)
            at = slots[rows]
            self._turn(at[self._minute[at] < minute], minute)
            is_now = self._minute[at] == minute
            self._calls[at[is_now]] += calls[rows[is_now]]
            made[rows[is_now]] = self._calls[at[is_now]]
        return made

    def _find(self, keys: Ints) -> Ints:
        """Find the places of users; new ones get one."""
        if len(self._slots) + len(keys) > MOST:
            self._forget()
        known = self._slots
        said = keys.tolist()
        places = [known.get(key, -1) for key in said]
        if -1 in places:
            places = [known.setdefault(key, len(known)) for key in said]
            more = np.full(len(known) - len(self._minute), _NONE)
            self._minute, self._calls = np.concatenate((self._minute, more)), np.concatenate((self._calls, more))
        return np.array(places, np.int64)

    def _turn(self, slots: Ints, minute: int) -> None:
        """Begin a minute, and learn from those that it ends."""
        if not self.usual:
            self._learn(self._calls[slots[self._minute[slots] != _NONE]])
        self._minute[slots], self._calls[slots] = minute, 0

    def _learn(self, calls: Ints) -> None:
        self._learnt.append(calls)
        if sum(map(len, self._learnt)) >= LEARNT:
            ordered = np.sort(np.concatenate(self._learnt))
            self.usual = int(ordered[-(-len(ordered) * 99 // 100) - 1])
            self._learnt.clear()

    def _forget(self) -> None:
        keys = np.fromiter(self._slots, np.int64, len(self._slots))
        kept = np.sort(np.argsort(self._minute, kind="stable")[len(keys) // 2 :])
        self._slots = {key: place for place, key in enumerate(keys[kept].tolist())}
        self._minute, self._calls = self._minute[kept], self._calls[kept]
