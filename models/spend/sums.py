"""Sums: what every scope has spent in a period, in columns: there are as many as users, and a batch adds to many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.spend.words import Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from models.spend.words import Key

TOUCHED, CHANGED, UNTOLD = 1, 2, 4
"""Marks of a sum: since the last look, since the last delta, since its last record."""
_ALL = TOUCHED | CHANGED | UNTOLD
_ROOM = 1024


class Sum:
    """The sum of one scope and period: steps told and the plan of its user; numbers by column.

    Each is only equal to itself.
    """

    __slots__ = ("_of", "at", "key", "tier", "told")

    def __init__(self, of: Sums, at: int, key: Key) -> None:
        self._of = of
        self.at = at
        self.key = key
        self.told: dict[str, int] | None = None
        """By version of a budget, as `words.Taken` keeps it; few have any: there are as many sums as users."""
        self.tier: str | None = None

    def taken(self, version: str) -> Taken:
        """Say which steps of a budget were told."""
        return Taken.of((self.told or {}).get(version, 0))

    def take(self, version: str, taken: Taken) -> None:
        """Note which steps of a budget are told."""
        self.told = {**(self.told or {}), version: taken.kept}
        self._of.change(self)

    @property
    def cost(self) -> int:
        """Nano-USD."""
        return int(self._of.amounts[0, self.at])

    @property
    def tokens(self) -> int:
        """Tokens."""
        return int(self._of.amounts[1, self.at])

    @property
    def runs(self) -> int:
        """Runs."""
        return int(self._of.amounts[2, self.at])

    @property
    def revision(self) -> int:
        """Of its record."""
        return int(self._of.revisions[self.at])


class Sums:
    """All sums of a shard. `kind_of` gives a number below 256 for a key, by which sums are chosen."""

    def __init__(self, kind_of: Callable[[Key], int]) -> None:
        self.by_key: dict[Key, Sum] = {}
        self.amounts = np.zeros((3, _ROOM), np.int64)
        """[cost | tokens | runs, slot]."""
        self.revisions = np.zeros(_ROOM, np.int64)
        """[slot]."""
        self._opened_since: list[Sum] = []
        self._reworded: dict[int, Sum] = {}
        """Those whose plan or told steps changed since the last delta, by slot."""
        self._kind_of = kind_of
        self._marks = np.zeros(_ROOM, np.uint8)
        self._kinds = np.zeros(_ROOM, np.uint8)
        self._tiers = np.zeros(_ROOM, np.int64)
        """Digest of the plan said last."""
        self._by_slot: list[Sum | None] = []
        self._unused: list[int] = []

    def __len__(self) -> int:
        """Count them."""
        return len(self.by_key)

    def of(self, key: Key) -> Sum:
        """Give the sum of a key; a new one is nothing spent."""
        return self.by_key.get(key) or self._opened(key)

    def add(self, slots: NDArray[np.int64], amounts: NDArray[np.int64]) -> None:
        """Add amounts [row, cost | tokens | runs] to the sums [row]."""
        for column, amount in zip(self.amounts, amounts.T, strict=True):
            np.add.at(column, slots, amount)
        self._marks[slots] |= _ALL

    def say_tiers(self, slots: NDArray[np.int64], tiers: NDArray[np.int64], text: Callable[[int], str | None]) -> None:
        """Take in the plans that rows say (0: none); most say what is known."""
        for row in np.flatnonzero((tiers != 0) & (self._tiers[slots] != tiers)).tolist():
            kept, tier = self._by_slot[slots[row]], int(tiers[row])
            if kept is not None and (said := text(tier)) is not None:
                kept.tier, self._tiers[kept.at] = said, tier
                self._reworded[kept.at] = kept

    def touch(self, kept: Sum) -> None:
        """Mark a sum as if something had been added."""
        self._marks[kept.at] |= _ALL

    def change(self, kept: Sum) -> None:
        """Mark a sum whose told steps or plan changed."""
        self._marks[kept.at] |= CHANGED
        self._reworded[kept.at] = kept

    def touch_all(self) -> None:
        """Mark all."""
        for kept in self.by_key.values():
            self._marks[kept.at] |= _ALL

    def take(self, mark: int, kinds: int = 0, but: int = 0) -> list[Sum]:
        """Give the sums with a mark, of any of `kinds` (0: whatever they are) and none of `but`; unmark them."""
        return self._at(self.take_slots(mark, kinds, but))

    def take_slots(self, mark: int, kinds: int = 0, but: int = 0) -> NDArray[np.int64]:
        """As `take`, but give the slots of them."""
        found = self._chosen(mark, kinds, but)
        self._marks[found] &= ~np.uint8(mark)
        return found

    def marked(self, mark: int, kinds: int = 0) -> list[Sum]:
        """Give the sums with a mark, of any of `kinds` (0: whatever they are)."""
        return self._at(self._chosen(mark, kinds, 0))

    def unmark(self, mark: int) -> None:
        """Take a mark off all."""
        self._marks &= ~np.uint8(mark)

    def take_opened(self) -> list[Sum]:
        """Give those that were opened since the last call."""
        opened, self._opened_since = self._opened_since, []
        return opened

    def take_reworded(self) -> list[Sum]:
        """Give those whose plan or told steps changed since the last call."""
        reworded, self._reworded = self._reworded, {}
        return [*reworded.values()]

    def drop(self, keys: Iterable[Key]) -> None:
        """Forget sums."""
        for key in keys:
            kept = self.by_key.pop(key, None)
            if kept is not None:
                self.amounts[:, kept.at] = self.revisions[kept.at] = 0
                self._marks[kept.at] = self._tiers[kept.at] = 0
                self._by_slot[kept.at] = None
                self._reworded.pop(kept.at, None)
                self._unused.append(kept.at)
        self._opened_since = [kept for kept in self._opened_since if self._by_slot[kept.at] is kept]

    def _chosen(self, mark: int, kinds: int, but: int) -> NDArray[np.int64]:
        chosen = self._marks & mark != 0
        if kinds:
            chosen &= self._kinds & kinds != 0
        if but:
            chosen &= self._kinds & but == 0
        return np.flatnonzero(chosen)

    def _at(self, slots: NDArray[np.int64]) -> list[Sum]:
        return [kept for at in slots.tolist() if (kept := self._by_slot[at]) is not None]

    def _opened(self, key: Key) -> Sum:
        at = self._unused.pop() if self._unused else len(self._by_slot)
        if at == len(self._by_slot):
            self._by_slot.append(None)
            self._make_room(at)
        kept = self.by_key[key] = self._by_slot[at] = Sum(self, at, key)
        self._opened_since.append(kept)
        self._kinds[at] = self._kind_of(key)
        return kept

    def _make_room(self, at: int) -> None:
        if at < len(self._marks):
            return
        self.amounts = np.concatenate((self.amounts, np.zeros_like(self.amounts)), axis=1)
        self.revisions, self._tiers = (
            np.concatenate((each, np.zeros_like(each))) for each in (self.revisions, self._tiers)
        )
        self._marks, self._kinds = (np.concatenate((each, np.zeros_like(each))) for each in (self._marks, self._kinds))
