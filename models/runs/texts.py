"""Texts: the text of every name that a run took, and what error types and labels mean. Swept when much is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.kernels import kernel
from models.runs.calls import error_type
from models.runs.names import flag_name, flag_names, name_place
from models.runs.policy import is_error_class, is_good_label, is_timeout
from models.runs.record import DIMENSIONS, MAX_COHORTS, NEVER
from models.runs.room import more_names, staggered
from models.runs.state import (
    COHORTS_AT,
    MAX_TOOLS,
    NAME_CLASS,
    NAME_GOOD,
    NAME_READ,
    NAME_TEXT,
    NAME_TIMEOUT,
    NAMES_AT,
    TALLY_WORDS,
    TOOL_WORDS,
    Head,
    Store,
)
from models.spans.names import Names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_A_TEXT = 150
"""Bytes of a short text in a dict, roughly."""

_SPARE = 1024
_ROWS, _NAMES = int(Head.ROWS), len(DIMENSIONS)


class Texts:
    """The texts of one shard: `known` digest -> text. Whose texts are journaled must take the new ones."""

    def __init__(self, *, is_journaled: bool) -> None:
        self.known: dict[int, str] = {}
        self._is_journaled = is_journaled
        self._new: dict[int, str] = {}
        self._live = 0

    @property
    def memory_bytes(self) -> int:
        """Estimate the memory."""
        return _A_TEXT * len(self.known)

    def of(self, digests: NDArray[np.int64]) -> dict[int, str]:
        """Give the texts of these names, as far as they are known."""
        told = digests.tolist()
        return dict(zip(told, map(self.known.__getitem__, told), strict=True))

    def fetch(self, store: Store, fresh: NDArray[np.int64], names: Mapping[int, str]) -> None:
        """Keep the text of the names that runs have taken since the last call; without one, its digest."""
        count = int(store.head[Head.FRESH])
        if not count:
            return
        digests = fresh[:count].tolist()
        if isinstance(names, Names):
            texts = names.texts(digests)
        else:
            texts = {digest: names[digest] for digest in digests if digest in names}
        if not all(map(texts.get, digests)):
            texts |= {digest: unread(digest) for digest in digests if not texts.get(digest)}
        self.known |= texts
        if self._is_journaled:
            self._new |= texts
        store.head[Head.FRESH] = 0

    def take_new(self) -> dict[int, str]:
        """Give the texts that came since the last call."""
        new, self._new = self._new, {}
        return new

    def restore(self, names: Mapping[int, str]) -> None:
        """Put back kept texts; `mark_kept` must follow."""
        self.known |= names

    def mark_kept(self, store: Store) -> Store:
        """Note in the name table whose text is kept."""
        store = more_names(store, len(self.known))
        digests = np.fromiter(self.known, np.int64, len(self.known))
        flag_names(store.name_keys, store.name_flags, store.head, digests, NAME_TEXT)
        self._live = len(self.known)
        return store

    def read(self, store: Store, digests: list[int], names: Mapping[int, str]) -> Store:
        """Find out by text, once per name, whether these mean a time-out (error types) or something good (labels)."""
        store = more_names(store, len(digests))
        for digest in digests:
            if digest:
                text = names.get(digest, "")
                flag = NAME_READ | NAME_TIMEOUT * is_timeout(text) | NAME_GOOD * is_good_label(text)
                flag |= NAME_CLASS * is_error_class(text)
                flag_name(store.name_keys, store.name_flags, store.head, digest, flag)
        return store

    def sweep(self, store: Store) -> Store:
        """Drop the names that no run holds any more, when they may be more than half."""
        if int(store.head[Head.NAMES]) <= staggered(store, 2.0) * self._live + _SPARE:
            return store
        known = self.known
        self.known = {digest: known[digest] for digest in _held(store).tolist() if digest in known}
        store.head[Head.NAMES] = 0
        store.name_keys[:] = store.name_stamps[:] = 0
        store.name_flags[:] = 0
        return self.mark_kept(store)


def unread(digest: int) -> str:
    """Give what stands for the text of a name that nobody has told."""
    return f"{digest % 2**64:016x}"


def _held(store: Store) -> NDArray[np.int64]:
    """Give the digests of the name table that a row or a block holds."""
    held = np.zeros(len(store.name_keys), np.bool_)
    _hold(store, held)
    return store.name_keys[held]


@kernel
def _hold(store: Any, held: Any) -> None:
    """Mark what runs hold, by its place in the name table; a name that is not there marks a free place."""
    keys, arena = store.name_keys, store.arena
    for slot in range(store.head[_ROWS]):
        if store.due[slot] == NEVER:
            continue
        s = store.states[slot]
        for w in range(NAMES_AT, NAMES_AT + _NAMES):
            held[name_place(keys, store.words[slot, w])] = True
        for w in range(COHORTS_AT, COHORTS_AT + 2 * MAX_COHORTS):
            held[name_place(keys, store.words[slot, w])] = True
        held[name_place(keys, s.said_workflow)] = True
        held[name_place(keys, s.first_agent)] = True
        held[name_place(keys, s.other_agent)] = True
        for k in range(min(s.tools_n, MAX_TOOLS)):
            at = s.tools_at + TOOL_WORDS * k
            held[name_place(keys, arena[at + 1])] = True
            held[name_place(keys, error_type(arena, at))] = True
        for k in range(s.tally_n):
            held[name_place(keys, arena[s.tally_at + TALLY_WORDS * k])] = True
