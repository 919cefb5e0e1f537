"""Texts: the text of every name that a run took, and what error types and labels mean. Swept when much is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.kernels import allocating
from models.runs.calls import error_type
from models.runs.names import flag_name
from models.runs.policy import is_error_class, is_good_label, is_timeout
from models.runs.record import DIMENSIONS, NEVER
from models.runs.room import more_names
from models.runs.state import (
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
    taken,
)
from models.spans.names import Names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_A_TEXT = 150
"""Bytes of a short text in a dict, roughly."""

_SPARE = 1024


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
        for digest in self.known:
            flag_name(store.name_keys, store.name_flags, store.head, digest, NAME_TEXT)
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
        if int(store.head[Head.NAMES]) <= 2 * self._live + _SPARE:
            return store
        held = set(_held(store))
        self.known = {digest: text for digest, text in self.known.items() if digest in held}
        store.head[Head.NAMES] = 0
        store.name_keys[:] = store.name_stamps[:] = 0
        store.name_flags[:] = 0
        return self.mark_kept(store)


def unread(digest: int) -> str:
    """Give what stands for the text of a name that nobody has told."""
    return f"{digest % 2**64:016x}"


def _held(store: Store) -> list[int]:
    """Give the digests of all names in the rows and the blocks, some more than once."""
    rows = int(store.head[Head.ROWS])
    alive = np.flatnonzero(store.due[:rows] != NEVER)
    states = taken(store, alive)
    found = [np.unique(store.words[alive, NAMES_AT + d]) for d in range(len(DIMENSIONS))]
    found += [np.unique(states[name]) for name in ("said_workflow", "first_agent", "other_agent")]
    found += [np.unique(states["cohort_name"]), np.unique(states["cohort_value"])]
    found.append(np.unique(_tools(store.states, store.arena, alive)))
    return [digest for names in found for digest in names.tolist()]


@allocating
def _tools(states: Any, arena: Any, slots: Any) -> Any:
    """Give the tool of every tool span and tally entry of these runs, and the error types."""
    total = 0
    for slot in slots:
        total += 2 * min(states[slot].tools_n, MAX_TOOLS) + states[slot].tally_n
    tools = np.empty(total, np.int64)
    n = 0
    for slot in slots:
        s = states[slot]
        for k in range(min(s.tools_n, MAX_TOOLS)):
            tools[n] = arena[s.tools_at + TOOL_WORDS * k + 1]
            tools[n + 1] = error_type(arena, s.tools_at + TOOL_WORDS * k)
            n += 2
        for k in range(s.tally_n):
            tools[n] = arena[s.tally_at + TALLY_WORDS * k]
            n += 1
    return tools
