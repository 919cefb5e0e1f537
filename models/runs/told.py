"""Rows of runs as a journal has them: of a run that was told before, only the words that changed since.

An open run is touched with every span that comes, by a dozen deltas in its life, and few of its words change between
two: told whole each time, the journal was twice as long as the input. So what a batch changed is told at its end, by
the rows as they were when it touched them: both lie in the cache then, at the end of an epoch neither would
(docs/decisions/0020). Of tool spans, which are only added, those that are new are told; so of `seen`, unless the run
has failures, whose entries change.

Blocks whose entries change are told whole: with every batch that would be megabytes a second of one run that has run
away. So a run that has many of them is told once a delta, whole, at its end.

A row is int64 words: trace (2), which of the following words of STATE are told (2 of 64 bits, the first two stand for
the trace), `from` (entries of `seen` and, from bit 32 on, of `tools` that stay), due, the words themselves, then the
entries of the blocks in use: seen, tools, tally, made. Where `from` is GONE the run was forgotten, and the row ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from models.kernels import kernel, releasing
from models.runs.arena import index_all, index_words, take
from models.runs.index import drop_slot, find_slot, new_slot
from models.runs.record import NEVER
from models.runs.room import more_slots, more_words, rooms
from models.runs.state import MAX_TOOLS, SEEN_WORDS, STATE_WORDS, TALLY_WORDS, TOOL_WORDS, Head, rows_like, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.runs.publish import Scratch
    from models.runs.state import Store

GONE: Final = -1
OWED: Final = 2
"""Of `untold`: the run is told whole at the end of the delta."""
_MANY: Final = 64
"""Entries that are told whole, from which on a run is told at the end."""
_HEAD: Final = 6
_TOP, _NEED, _TOUCHED = int(Head.TOP), int(Head.NEED), int(Head.TOUCHED)
_LOW: Final = (1 << 32) - 1
_SPARE: Final = 1 << 13
"""Words of a buffer that is kept though it is not needed."""


@kernel
def _longest(s: Any) -> Any:
    """Give the words that the row of a run takes where it is told whole."""
    tools = TOOL_WORDS * min(s.tools_n, MAX_TOOLS)
    return _HEAD + STATE_WORDS + SEEN_WORDS * (s.seen_n + s.made_n) + tools + TALLY_WORDS * s.tally_n


@releasing
def _longest_of(states: Any, slots: Any) -> Any:
    """Give the words that the rows of these slots take where they are told whole."""
    total = 0
    for slot in slots:
        total += _longest(states[slot])
    return total


@kernel
def _copied(arena: Any, at: Any, words: Any, out: Any, n: Any) -> Any:
    for k in range(words):
        out[n + k] = arena[at + k]
    return n + words


@kernel
def _row(store: Any, slot: Any, before: Any, place: Any, known: Any, out: Any, n: Any) -> Any:
    """Write a row at word `n`; gives the word after it. `known`: entries of `seen` and of tools told, -1: it is new."""
    s = store.states[slot]
    is_known = known[0] >= 0
    tools = min(s.tools_n, MAX_TOOLS)
    seen_from = known[0] if is_known and not s.failures else 0
    tools_from = min(known[1], MAX_TOOLS) if is_known else 0
    head, n = n, n + _HEAD
    out[head], out[head + 1] = store.words[slot, 0], store.words[slot, 1]
    out[head + 2] = out[head + 3] = 0
    out[head + 4], out[head + 5] = seen_from | tools_from << 32, store.due[slot]
    for w in range(2, STATE_WORDS):
        if not is_known or store.words[slot, w] != before[place, w]:
            out[head + 2 + (w >> 6)] |= np.int64(1) << (w & 63)
            out[n] = store.words[slot, w]
            n += 1
    n = _copied(store.arena, s.seen_at + SEEN_WORDS * seen_from, SEEN_WORDS * (s.seen_n - seen_from), out, n)
    n = _copied(store.arena, s.tools_at + TOOL_WORDS * tools_from, TOOL_WORDS * (tools - tools_from), out, n)
    n = _copied(store.arena, s.tally_at, TALLY_WORDS * s.tally_n, out, n)
    return _copied(store.arena, s.made_at, SEEN_WORDS * s.made_n, out, n)


@kernel
def _owe(store: Any, scratch: Any, owed: Any) -> Any:
    """Fill `owed` with the slots that are told at the end of the delta from now on; gives how many."""
    n = 0
    for place in range(store.head[_TOUCHED]):
        slot = scratch.touched[place]
        s = store.states[slot]
        whole = s.tally_n + s.made_n + (s.seen_n if s.failures else 0)
        if whole > _MANY and store.untold[slot] != OWED:
            store.untold[slot] = OWED
            owed[n] = slot
            n += 1
    return n


@kernel
def _tell(store: Any, scratch: Any, out: Any, n: Any) -> Any:
    """Write what a batch changed at word `n`; gives the word after it, and how many runs are new.

    Where there is no room it gives what is needed, less than 0, and nothing is written.
    """
    touched = store.head[_TOUCHED]
    need = n
    for place in range(touched):
        slot = scratch.touched[place]
        need += 0 if store.untold[slot] == OWED else _longest(store.states[slot])
    if need > out.shape[0]:
        return -need, 0
    new = 0
    for place in range(touched):
        slot = scratch.touched[place]
        if store.untold[slot] == OWED:
            continue
        b = scratch.before[place]
        is_new = store.untold[slot] != 0
        known = np.int64(-1 if is_new else b.seen_n), np.int64(-1 if is_new else b.tools_n)
        new += is_new
        store.untold[slot] = 0
        n = _row(store, slot, scratch.before_words, place, known, out, n)
    return n, new


@releasing
def _whole(store: Any, slots: Any, out: Any) -> Any:
    """Write whole rows; gives how many words."""
    n = 0
    for slot in slots:
        n = _row(store, slot, store.words, 0, (np.int64(-1), np.int64(-1)), out, n)
    return n


def whole(store: Store, slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the rows of these slots, as if nothing had been told of them."""
    rows = np.empty(_longest_of(store.states, slots), np.int64)
    return rows[: _whole(store, slots, rows)]


class News:
    """What became of runs since the last delta, in order: what batches changed, what was forgotten."""

    def __init__(self) -> None:
        self._rows = np.empty(0, np.int64)
        self._used = self._new = 0
        self._owed: list[NDArray[np.int64]] = []

    def tell(self, store: Store, scratch: Scratch) -> None:
        """Take in what the batch changed that has just been decided."""
        owed = np.empty(int(store.head[_TOUCHED]), np.int64)
        if count := _owe(store, scratch, owed):
            self._owed.append(owed[:count])
        used, new = _tell(store, scratch, self._rows, self._used)
        if used < 0:
            self._make_room(-used)
            used, new = _tell(store, scratch, self._rows, self._used)
        self._used, self._new = used, self._new + new

    def forget(self, traces: NDArray[np.int64]) -> None:
        """Take in that these traces [k, 2] were forgotten."""
        size = _HEAD * len(traces)
        self._make_room(self._used + size)
        rows = self._rows[self._used : self._used + size].reshape(len(traces), _HEAD)
        rows[:, :2], rows[:, 2:] = traces, GONE
        self._used += size

    def take(self, store: Store) -> tuple[int, NDArray[np.int64]]:
        """Give how many runs are new, at most, and the rows, valid until the next call of anything."""
        self._settle(store)
        new, rows = self._new, self._rows[: self._used]
        if len(self._rows) > 4 * self._used + _SPARE:
            self._rows = np.empty(0, np.int64)
        self._used = self._new = 0
        return new, rows

    def _settle(self, store: Store) -> None:
        """Tell the runs that are owed, as far as they are still there: a slot may have been given to another run."""
        if not self._owed:
            return
        slots = np.unique(np.concatenate(self._owed))
        slots = slots[(store.untold[slots] == OWED) & (store.due[slots] != NEVER)]
        rows = whole(store, slots)
        self._make_room(self._used + len(rows))
        self._rows[self._used : self._used + len(rows)] = rows
        self._used, self._new = self._used + len(rows), self._new + len(slots)
        store.untold[slots] = 0
        self._owed = []

    def _make_room(self, words: int) -> None:
        if words > len(self._rows):
            rows = np.empty(2 * words, np.int64)
            rows[: self._used] = self._rows[: self._used]
            self._rows = rows


@kernel
def _laid(store: Any, old_at: Any, stays: Any, rows: Any, n: Any, added: Any, room: Any) -> Any:
    """Take a block of `room` words: what stays of the old one, then what was added."""
    at = take(store.head, room)
    for k in range(stays):
        store.arena[at + k] = store.arena[old_at + k]
    for k in range(added):
        store.arena[at + stays + k] = rows[n + k]
    return at


@kernel
def _read_some(store: Any, rows: Any, n: Any, states: Any, words: Any) -> Any:
    """Take in rows from word `n` on; gives the word before which it stopped, for want of room in the arena."""
    s = states[0]
    while n < rows.shape[0]:
        head = n
        slot = find_slot(store, rows[head], rows[head + 1])
        if rows[head + 4] == GONE:
            if slot >= 0:
                drop_slot(store, slot)
            n += _HEAD
            continue
        if slot < 0:
            slot = new_slot(store, rows[head], rows[head + 1])
        n += _HEAD
        for w in range(STATE_WORDS):
            words[0, w] = store.words[slot, w]
            if rows[head + 2 + (w >> 6)] >> (w & 63) & 1:
                words[0, w] = rows[n]
                n += 1
        if store.head[_TOP] + rooms(s) > store.arena.shape[0]:
            store.head[_NEED] = rooms(s)
            return head
        old = store.states[slot]
        seen_from, tools_from = rows[head + 4] & _LOW, rows[head + 4] >> 32
        stays, added = SEEN_WORDS * seen_from, SEEN_WORDS * (s.seen_n - seen_from)
        s.seen_at = _laid(store, old.seen_at, stays, rows, n, added, SEEN_WORDS * s.seen_room)
        n += added
        s.seen_index = take(store.head, index_words(s.seen_room))
        index_all(store.arena, s.seen_at, s.seen_n, s.seen_room, s.seen_index)
        stays = TOOL_WORDS * tools_from
        added = TOOL_WORDS * min(s.tools_n, MAX_TOOLS) - stays
        s.tools_at = _laid(store, old.tools_at, stays, rows, n, added, TOOL_WORDS * s.tools_room)
        n += added
        s.tally_at = _laid(store, 0, 0, rows, n, TALLY_WORDS * s.tally_n, TALLY_WORDS * s.tally_room)
        n += TALLY_WORDS * s.tally_n
        s.made_at = _laid(store, 0, 0, rows, n, SEEN_WORDS * s.made_n, SEEN_WORDS * s.made_room)
        n += SEEN_WORDS * s.made_n
        s.made_index = take(store.head, index_words(s.made_room))
        index_all(store.arena, s.made_at, s.made_n, s.made_room, s.made_index)
        s.mark = 0
        for w in range(STATE_WORDS):
            store.words[slot, w] = words[0, w]
        store.due[slot] = rows[head + 5]
        store.untold[slot] = 0
    return n


def read(store: Store, count: int, rows: NDArray[np.int64]) -> Store:
    """Take in rows, `count` of them of runs that are not known."""
    store = more_slots(store, count + 1)
    states, at = rows_like(1), 0
    while (at := _read_some(store, rows, at, states, words_of(states))) < len(rows):
        store = more_words(store, max(int(store.head[_NEED]), len(rows) - at))
    return store
