"""InForce: the kills in force as columns, so that a batch of calls is held against all of them at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.digest import digest_of
from models.orders.order import LEVELS
from models.run_id import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from models.orders.order import Kill

_SPREAD = np.int64(-7046029254386353131)
"""An odd number that spreads bits (2^64 over the golden ratio)."""


class Whose(NamedTuple):
    """Of some calls, one a row: the names (digests, 0: none) of each level of scope, and their starts (Unix ns)."""

    names: dict[str, NDArray[np.int64]]
    """By level, without `product`; of `run` as `name_of_trace` gives them."""
    start: NDArray[np.int64]


@dataclass(frozen=True)
class InForce:
    """Kills; `keys` ascend, and `since` and `which` (its place among the kills) go with them."""

    kills: tuple[Kill, ...] = ()
    keys: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    since: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    which: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    kinds: tuple[tuple[str, bool], ...] = ()
    """Levels of which there are any, everybody's and (True) a tenant's."""

    def defied(self, calls: Whose, patience_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the calls that began more than `patience_ns` after a kill of theirs: which kills, and which rows."""
        kills, rows = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for level, is_tenants in self.kinds:
            names = calls.names[level] if level != "product" else np.full(len(calls.start), _NAMES[level], np.int64)
            tenants = calls.names["tenant"] if is_tenants else np.zeros(len(names), np.int64)
            keys = _keys(level, names, tenants)
            at = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
            met = (self.keys[at] == keys) & (names != 0) & (calls.start > self.since[at] + patience_ns)
            found = np.flatnonzero(met)
            kills.append(self.which[at[found]])
            rows.append(found)
        return np.concatenate(kills), np.concatenate(rows)


def in_force(kills: Iterable[Kill]) -> InForce:
    """Lay out kills; those of what can be no run are left out."""
    own = tuple(kills)
    names = np.array([_name(kill) for kill in own], np.int64)
    tenants = np.array([digest_of(kill.place.tenant) if kill.place.tenant else 0 for kill in own], np.int64)
    levels = np.array([LEVELS.index(kill.place.level) for kill in own], np.int64)
    keys = np.zeros(len(own), np.int64)
    for number, level in enumerate(LEVELS):
        keys[levels == number] = _keys(level, names[levels == number], tenants[levels == number])
    order = np.argsort(keys, kind="stable")
    order = order[names[order] != 0]
    since = np.array([kill.since_ns for kill in own], np.int64)
    kinds = sorted({(kill.place.level, kill.place.tenant is not None) for kill in own})
    return InForce(own, keys[order], since[order], order, tuple(kinds) if len(order) else ())


def name_of_trace(high: NDArray[np.int64], low: NDArray[np.int64]) -> NDArray[np.int64]:
    """Make one word of the two of a trace id."""
    return low ^ (high * _SPREAD)


def _name(kill: Kill) -> int:
    if kill.place.level != "run":
        return digest_of(kill.place.id)
    words = words_of(kill.place.id)
    return 0 if words is None else int(name_of_trace(*np.array(words, np.int64).reshape(2, 1))[0])


def _keys(level: str, names: NDArray[np.int64], tenants: NDArray[np.int64]) -> NDArray[np.int64]:
    return names ^ (tenants * _SPREAD) ^ np.int64(_LEVELS[level])


_LEVELS = {level: digest_of(f"level:{level}") for level in LEVELS}
_NAMES = {"product": digest_of("*")}
