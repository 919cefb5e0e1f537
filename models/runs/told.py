"""Rows of runs as a journal has them: of a run that was told before, only the words that changed since.

An open run is touched with every span that comes, by a dozen deltas in its life, and few of its words change between
two: told whole each time, the journal was twice as long as the input. So the rows told last are kept, of a bounded
number of runs, and compared. Of tool spans, which are only added, those that are new are told; so of `seen`, unless the
run has failures, whose entries change.

A row is int64 words: trace (2), which of the following words of STATE are told (2 of 64 bits, the first two stand for
the trace), `from` (entries of `seen` and, from bit 32 on, of `tools` that stay), due, the words themselves, then the
entries of the blocks in use: seen, tools, tally, made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from models.kernels import kernel
from models.runs.arena import index_all, index_words, take
from models.runs.index import NEW, find_slot, new_slot
from models.runs.room import more_slots, more_words, rooms
from models.runs.state import MAX_TOOLS, SEEN_WORDS, STATE, TALLY_WORDS, TOOL_WORDS, Head, rows_like, words_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.runs.state import Store

KEPT_ROWS: Final = 8192
"""Rows kept of a shard, by the low bits of their slots: 4 MiB. A run beyond is told whole, each time."""
_HEAD: Final = 6
_WORDS: Final = STATE.itemsize // 8
_TOP, _NEED = int(Head.TOP), int(Head.NEED)
_LOW: Final = (1 << 32) - 1


class Told(NamedTuple):
    """What was told last of some runs."""

    owner: NDArray[np.int64]  # [place]: 1 + slot, 0: nobody
    states: NDArray[np.void]  # STATE [place]
    words: NDArray[np.int64]  # the same memory [place, word]


def new_told() -> Told:
    """Give the memory of a shard that has told nothing; none is used before."""
    states = rows_like(KEPT_ROWS)
    return Told(np.zeros(KEPT_ROWS, np.int64), states, words_of(states))


@kernel
def _used(s: Any) -> Any:
    """Give the words of the entries in use of the blocks of a run."""
    tools = TOOL_WORDS * min(s.tools_n, MAX_TOOLS)
    return SEEN_WORDS * (s.seen_n + s.made_n) + tools + TALLY_WORDS * s.tally_n


@kernel
def longest(states: Any, slots: Any) -> Any:
    """Give the words that these rows take where they are told whole."""
    total = 0
    for slot in slots:
        total += _HEAD + _WORDS + _used(states[slot])
    return total


@kernel
def _copied(arena: Any, at: Any, words: Any, out: Any, n: Any) -> Any:
    for k in range(words):
        out[n + k] = arena[at + k]
    return n + words


@kernel
def write(store: Any, told: Any, slots: Any, is_delta: Any, out: Any) -> Any:
    """Write rows to `out`, which is long enough; gives how many words. Of a delta, what is told is kept."""
    n = 0
    for slot in slots:
        s = store.states[slot]
        tools = min(s.tools_n, MAX_TOOLS)
        place = slot & (KEPT_ROWS - 1)
        is_known = is_delta and not store.dirty[slot] & NEW and told.owner[place] == slot + 1
        old = told.states[place]
        seen_from = old.seen_n if is_known and not s.failures else 0
        tools_from = min(old.tools_n, MAX_TOOLS) if is_known else 0
        head, n = n, n + _HEAD
        out[head], out[head + 1] = store.words[slot, 0], store.words[slot, 1]
        out[head + 2] = out[head + 3] = 0
        out[head + 4], out[head + 5] = seen_from | tools_from << 32, store.due[slot]
        for w in range(2, _WORDS):
            if not is_known or store.words[slot, w] != told.words[place, w]:
                out[head + 2 + (w >> 6)] |= np.int64(1) << (w & 63)
                out[n] = store.words[slot, w]
                n += 1
        n = _copied(store.arena, s.seen_at + SEEN_WORDS * seen_from, SEEN_WORDS * (s.seen_n - seen_from), out, n)
        n = _copied(store.arena, s.tools_at + TOOL_WORDS * tools_from, TOOL_WORDS * (tools - tools_from), out, n)
        n = _copied(store.arena, s.tally_at, TALLY_WORDS * s.tally_n, out, n)
        n = _copied(store.arena, s.made_at, SEEN_WORDS * s.made_n, out, n)
        if is_delta:
            told.owner[place] = slot + 1
            for w in range(_WORDS):
                told.words[place, w] = store.words[slot, w]
    return n


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
        if slot < 0:
            slot = new_slot(store, rows[head], rows[head + 1])
        n += _HEAD
        for w in range(_WORDS):
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
        for w in range(_WORDS):
            store.words[slot, w] = words[0, w]
        store.due[slot] = rows[head + 5]
        store.dirty[slot] = 0
    return n


def read(store: Store, count: int, rows: NDArray[np.int64]) -> Store:
    """Take in `count` rows that `write` gave, of runs that are known or not."""
    store = more_slots(store, count + 1)
    states, at = rows_like(1), 0
    while (at := _read_some(store, rows, at, states, words_of(states))) < len(rows):
        store = more_words(store, max(int(store.head[_NEED]), len(rows) - at))
    return store
