"""Places: which sums a spend row adds to, by numbers: by names it takes ten times as long."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from models.spend.budget import PERIODS, Calendar
from models.spend.rows import Level, Spend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.spend.sums import Sum, Sums

MOST = 200_000
"""Places remembered; beyond it all are found anew."""
_LEVELS = {int(level): level.name.lower() for level in Level}
_ODD, _OTHER_ODD = np.int64(-7046029254386353131), np.int64(-4417276706812531889)
_Scope = tuple[str, str, str | None]


class Places:
    """Finds sums by level, id, tenant and day; those that are not there are opened."""

    def __init__(self, sums: Sums, calendar: Calendar) -> None:
        self._sums = sums
        self._calendar = calendar
        self._known: dict[int, int] = {}
        """Scope and day as one number -> row of `_slots`."""
        self._slots = np.zeros((1024, len(PERIODS)), np.int64)

    def find(self, rows: NDArray[np.int64], names: Mapping[int, str]) -> tuple[NDArray[np.int64], list[Sum]]:
        """Give the slots [row, period] of spend rows [row, Spend], and the sums that were looked up by name."""
        if len(self._known) + len(rows) > MOST:
            self.clear()
        keys = self._numbers(rows)
        known = self._known
        found = [known.get(key, -1) for key in keys]
        opened: list[Sum] = []
        if -1 in found:
            for at in [at for at, place in enumerate(found) if place < 0]:
                if keys[at] not in known:
                    opened += self._open(keys[at], rows[at], names)
                found[at] = known[keys[at]]
        return self._slots[found], opened

    def clear(self) -> None:
        """Forget where sums are, as some are no more."""
        self._known.clear()

    def _numbers(self, rows: NDArray[np.int64]) -> list[int]:
        """Give one number for each scope and day; names are digests already."""
        quarters, which = np.unique(rows[:, Spend.QUARTER], return_inverse=True)
        days = [date.fromisoformat(self._calendar.starts(quarter)[0]).toordinal() for quarter in quarters.tolist()]
        small = np.array(days, np.int64)[which] * len(Level) + rows[:, Spend.LEVEL]
        numbers: list[int] = (rows[:, Spend.ID] ^ rows[:, Spend.TENANT] * _ODD ^ small * _OTHER_ODD).tolist()
        return numbers

    def _open(self, key: int, row: NDArray[np.int64], names: Mapping[int, str]) -> list[Sum]:
        level, id_, tenant, quarter = row[[Spend.LEVEL, Spend.ID, Spend.TENANT, Spend.QUARTER]].tolist()
        scope = _scope(level, id_, tenant, names)
        starts = zip(PERIODS, self._calendar.starts(quarter), strict=True)
        sums = [self._sums.of((*scope, period, start)) for period, start in starts]
        place = self._known[key] = len(self._known)
        if place == len(self._slots):
            self._slots = np.concatenate((self._slots, np.zeros_like(self._slots)))
        self._slots[place] = [kept.at for kept in sums]
        return sums


def _scope(level: int, id_: int, tenant: int, names: Mapping[int, str]) -> _Scope:
    if level == Level.PRODUCT:
        return "product", "*", None
    return _LEVELS[level], names.get(id_, "unknown"), names.get(tenant) if level == Level.USER else None
