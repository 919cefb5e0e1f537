"""Timeslices: turns the events of a slice of time into one event, good or bad, for the SLOs that are budgeted so.

A slice counts once it has ended and `SETTLE_S` have passed: its first event alone would make it bad or good. An outcome
that comes later may turn it: that is a correction of the slice, as long as it is kept (25 hours; later ones are lost).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from models.slos.spec import Slices

SETTLE_S = 60
KEEP_S = 25 * 3600
_UNTOLD, _GOOD, _IS_BAD = 0, 1, 2

Count = tuple[int, int, int]
"""Event time (Unix seconds), total, bad: signed."""


class Slicer:
    """The slices of one instance."""

    def __init__(self, slices: Slices) -> None:
        self._slices = slices
        size = -(-KEEP_S // slices.seconds)
        # 13 bytes a slice: the 1500 of a minute take 20 kB
        self._numbers = np.full(size, -1, np.int32)  # which slice a row holds
        self._counts = np.zeros((size, 2), np.int32)
        self._told = np.zeros(size, np.int8)
        self._changed: set[int] = set()

    def add(self, counts: Iterable[Count]) -> None:
        """Add events."""
        for second, total, bad in counts:
            number = second // self._slices.seconds
            row = number % len(self._numbers)
            if self._numbers[row] < number:
                self._numbers[row] = number
                self._counts[row], self._told[row] = 0, _UNTOLD
            if self._numbers[row] == number:
                self._counts[row] += (total, bad)
                self._changed.add(number)

    def settle(self, now: int) -> Iterator[Count]:
        """Give what the slices that have settled count, and what has turned since."""
        for number in sorted(self._changed):
            if (number + 1) * self._slices.seconds + SETTLE_S > now:
                continue
            self._changed.discard(number)
            row = number % len(self._numbers)
            if self._numbers[row] != number:
                continue
            total, bad = self._counts[row].tolist()
            told, is_now = int(self._told[row]), self._verdict(total, bad)
            self._told[row] = is_now
            change = (is_now != _UNTOLD) - (told != _UNTOLD), (is_now == _IS_BAD) - (told == _IS_BAD)
            if any(change):
                yield number * self._slices.seconds, *change

    def _verdict(self, total: int, bad: int) -> int:
        if total <= 0:
            return _UNTOLD
        target = self._slices.target
        return _GOOD if (total - bad) * target.denominator >= target.numerator * total else _IS_BAD

    def state(self) -> dict[str, Any]:
        """Give everything as plain types."""
        held = np.flatnonzero(self._numbers >= 0)
        rows = np.column_stack([self._numbers[held], self._counts[held], self._told[held]])
        return {"rows": rows.tolist(), "changed": sorted(self._changed)}

    @staticmethod
    def of(slices: Slices, state: Mapping[str, Any]) -> Slicer:
        """Restore what `state` gave."""
        slicer = Slicer(slices)
        for number, *counts, told in state["rows"]:
            row = number % len(slicer._numbers)
            slicer._numbers[row], slicer._counts[row], slicer._told[row] = number, counts, told
        slicer._changed = set(state["changed"])
        return slicer
