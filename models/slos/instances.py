"""Instances: the SLOs of a shard as they are met: one for each SLO, or one for each value that it is split by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from models.digest import digest_of
from models.slos.blame import Blame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from models.slos.spec import Slo

MAX_INSTANCES = 2000
"""Instances a shard of SLOs that are split; events of further ones do not count, and are counted as such, unless one of
which nothing is left makes room (`models.slos.idle`). An SLO that is not split always has its one: as many as the files
say."""


@dataclass
class Instance:
    """One objective over one set of events. `value` is the text that it is split by, None where it is not."""

    slo: Slo
    value: str | None
    blame: Blame

    @cached_property
    def name(self) -> str:
        """Give the name in records: `SLO` or `SLO:VALUE`."""
        return self.slo.name if self.value is None else f"{self.slo.name}:{self.value}"

    @cached_property
    def scope(self) -> tuple[str, str]:
        """Give level and id of what it is about: what it is split by, its one workflow or tenant, else its service."""
        where = dict(self.slo.indicator.where)
        if self.slo.split and self.value is not None:
            return self.slo.split, self.value
        for level in ("workflow", "tenant"):
            if len(where.get(level, ())) == 1:
                return level, where[level][0]
        return "product", self.slo.service

    @cached_property
    def workflow(self) -> str | None:
        """Give its workflow where all of its events are of one."""
        return self._one("workflow")

    @cached_property
    def tenant(self) -> str | None:
        """Give its tenant where all of its events are of one."""
        return self._one("tenant")

    @cached_property
    def reach(self) -> tuple[str, str] | None:
        """Give level and id of the agents that can be bounded for it; None: signals know no such scope.

        Those of its workflow (of its tenant alone, where it has one too), else of its tenant, else all.
        """
        if not self.slo.can_bound:
            return None
        if self.workflow is not None:
            return "workflow", self.workflow
        return ("product", "*") if self.tenant is None else ("tenant", self.tenant)

    def _one(self, dimension: str) -> str | None:
        if self.slo.split == dimension:
            return self.value
        named = dict(self.slo.indicator.where).get(dimension, ())
        return named[0] if len(named) == 1 else None


class Instances:
    """Slots of instances, from 0."""

    def __init__(self, slos: Iterable[Slo]) -> None:
        self._slos = {digest_of(slo.name): slo for slo in slos}
        self._slots: dict[tuple[int, int], int] = {}
        self._keys: list[tuple[int, int]] = []
        """By slot: (SLO, value), digests."""
        self._free = -1
        """A slot that was let go of and has not been given away yet; -1: none."""
        self._sorted, self._places = np.empty(0, np.int64), np.empty(0, np.int64)  # keys as one word, and their slots
        self.known: list[Instance] = []
        self._split = 0
        self.refused = 0
        """Events of instances beyond the bound, or of SLOs that are no more."""

    def __len__(self) -> int:
        """Count them."""
        return len(self.known)

    def find(self, slos: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the slot of each instance (digests), -1 for those that are not known."""
        if not len(self._sorted):
            return np.full(len(slos), -1)
        words = _words(slos, values)
        at = np.minimum(np.searchsorted(self._sorted, words), len(self._sorted) - 1)
        return np.where(self._sorted[at] == words, self._places[at], -1)

    def slot(self, slo: int, value: int, text: str | None) -> int:
        """Give the slot of an instance (digests), a new one where it is met first; -1: refused."""
        found = self._slots.get((slo, value), -1)
        if found >= 0:
            return found
        spec = self._slos.get(slo)
        is_split = spec is not None and spec.split is not None
        if spec is None or (is_split and self._split >= MAX_INSTANCES):
            self.refused += 1
            return -1
        self._split += is_split
        at, self._free = self._free if self._free >= 0 else len(self.known), -1
        self.known[at : at + 1] = [Instance(spec, text if value else None, Blame())]
        self._keys[at : at + 1] = [(slo, value)]
        self._slots[slo, value] = at
        return at

    def lacks_room(self, slo: int, value: int) -> bool:
        """Say whether an instance (digests) that is not known would be refused for want of room."""
        spec = self._slos.get(slo)
        is_new = spec is not None and spec.split is not None and (slo, value) not in self._slots
        return is_new and self._split >= MAX_INSTANCES

    def let_go(self, slot: int) -> None:
        """Forget an instance of an SLO that is split; the next that is new, at once, gets its slot."""
        del self._slots[self._keys[slot]]
        self._split -= 1
        self._free = slot

    def index(self) -> None:
        """Make what is new known to `find`."""
        keys = np.array(list(self._slots), np.int64).reshape(-1, 2)
        words = _words(keys[:, 0], keys[:, 1])
        order = np.argsort(words)
        self._sorted, self._places = words[order], np.fromiter(self._slots.values(), np.int64)[order]

    def keys(self) -> list[tuple[int, int]]:
        """Give (SLO, value) of every slot, digests."""
        return list(self._keys)


def _words(slos: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Mix two digests into one: both are well spread, so that a sum of multiples is."""
    return slos * np.int64(3) + values * np.int64(5)
