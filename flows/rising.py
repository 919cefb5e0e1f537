"""What shards counted, as Prometheus takes it: from 0 on when the process began, and never less than it was.

Shards keep their counts in snapshots. After a crash these go on a little below what was last read, and after a change
of workers far from it; a correction takes back a count. Prometheus takes what falls for a counter that began anew at
0, and adds all of it to the increase: a million late spans that never were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Rising:
    """Counts since the process began, by name."""

    def __init__(self) -> None:
        self._began: dict[str, int] = {}
        self._highest: dict[str, int] = {}

    def begin(self, counters: Mapping[str, int]) -> None:
        """Leave out what a shard had counted in earlier lives."""
        for name, count in counters.items():
            self._began[name] = self._began.get(name, 0) + count

    def of(self, totals: Mapping[str, int]) -> dict[str, int]:
        """Give what has been counted since the process began; `totals` are what the shards count now, added up."""
        for name, total in totals.items():
            self._highest[name] = max(total - self._began.get(name, 0), self._highest.get(name, 0))
        return dict(self._highest)


def summed(shards: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up counts by name."""
    totals: dict[str, int] = {}
    for each in shards:
        for name, count in each.items():
            totals[name] = totals.get(name, 0) + count
    return totals
