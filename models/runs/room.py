"""Making room in a shard: more slots, a larger index, a compacted arena, a larger name table."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.kernels import kernel
from models.runs.arena import index_words
from models.runs.index import rebuilt
from models.runs.names import entered
from models.runs.record import NEVER
from models.runs.state import SEEN_WORDS, TALLY_WORDS, TOOL_WORDS, Head, Store, rows_like, words_of

_ROWS, _TOP = int(Head.ROWS), int(Head.TOP)

_STAGGER = 0.25
"""Shards fill alike: growing alike, they would all copy what they hold within the same few batches."""

SLOT_GROWTH, MANY_SLOTS = 1.125, 4096
"""Of the slots, once there are many: rows are wide, so little may lie idle. Fewer grow by half."""

ARENA_GROWTH, MANY_WORDS, ARENA_SPARE = 1.25, 1 << 20, 1 << 15
"""Of the words in use, whenever the arena is compacted: copying costs four words for each word taken; one for one, as
long as there are not many (8 MiB). And so many more words, which take no memory until they are used: a young shard
would compact with every batch."""


def staggered(store: Store, growth: float) -> float:
    """Give this shard's own growth about `growth`, from the trace in its first slot, which no other shard has."""
    own = int(store.words[0, 1]) % 64 / 63 - 0.5
    return 1.0 + (growth - 1.0) * (1.0 + 2 * _STAGGER * own)


@kernel
def rooms(s: Any) -> Any:
    """Count the words of all blocks of a run."""
    maps = SEEN_WORDS * (s.seen_room + s.made_room) + index_words(s.seen_room) + index_words(s.made_room)
    return maps + TOOL_WORDS * s.tools_room + TALLY_WORDS * s.tally_room


@kernel
def live_words(states: Any, due: Any, rows: Any) -> Any:
    """Count the words of all blocks in use."""
    total = 0
    for slot in range(rows):
        if due[slot] != NEVER:
            total += rooms(states[slot])
    return total


@kernel
def _move(old: Any, new: Any, at: Any, words: Any, top: Any) -> Any:
    for k in range(words):
        new[top + k] = old[at + k]
    return top + words


@kernel
def compact(states: Any, due: Any, rows: Any, old: Any, new: Any) -> Any:
    """Copy all blocks in use to the front of `new`, in order of slots; give the first free word."""
    top = 0
    for slot in range(rows):
        if due[slot] == NEVER:
            continue
        s = states[slot]
        at, s.seen_at = s.seen_at, top
        top = _move(old, new, at, SEEN_WORDS * s.seen_room, top)
        at, s.seen_index = s.seen_index, top
        top = _move(old, new, at, index_words(s.seen_room), top)
        at, s.tools_at = s.tools_at, top
        top = _move(old, new, at, TOOL_WORDS * s.tools_room, top)
        if s.tally_room == 0:
            continue
        at, s.tally_at = s.tally_at, top
        top = _move(old, new, at, TALLY_WORDS * s.tally_room, top)
        at, s.made_at = s.made_at, top
        top = _move(old, new, at, SEEN_WORDS * s.made_room, top)
        at, s.made_index = s.made_index, top
        top = _move(old, new, at, index_words(s.made_room), top)
    return top


def more_slots(store: Store, slots: int = 1) -> Store:
    """Give room for so many more runs."""
    alive, capacity = int(store.head[Head.ALIVE]) + slots, len(store.states)
    size = len(store.traces)
    while alive * 3 > size * 2:
        size *= 2
    if size != len(store.traces):
        store = store._replace(traces=rebuilt(store.traces, size))
    if alive <= capacity and (store.head[Head.FREE] or store.head[_ROWS] < capacity):
        return store
    growth = staggered(store, SLOT_GROWTH if capacity > MANY_SLOTS else 1.5)
    capacity = max(alive, int(capacity * growth)) + 16
    states = rows_like(capacity, store.states)
    due, untold = np.full(capacity, NEVER, np.int64), np.zeros(capacity, np.uint8)
    due[: len(store.due)], untold[: len(store.untold)] = store.due, store.untold
    return store._replace(states=states, words=words_of(states), due=due, untold=untold)


def more_words(store: Store, need: int) -> Store:
    """Give room for `need` more words, by compacting."""
    if int(store.head[_TOP]) + need <= len(store.arena):
        return store
    rows = store.head[_ROWS]
    live = int(live_words(store.states, store.due, rows))
    growth = staggered(store, ARENA_GROWTH if live > MANY_WORDS else 2.0)
    size = min(int(live * growth), int(max(live, MANY_WORDS) * staggered(store, ARENA_GROWTH)))
    arena = np.empty(size + need + ARENA_SPARE, np.int64)
    store.head[_TOP] = compact(store.states, store.due, rows, store.arena, arena)
    return store._replace(arena=arena)


def more_names(store: Store, names: int) -> Store:
    """Give room for so many more names."""
    size = len(store.name_keys)
    while (int(store.head[Head.NAMES]) + names) * 2 > size:
        size *= 2
    if size == len(store.name_keys):
        return store
    keys, flags = entered(store.name_keys, store.name_flags, size)
    return store._replace(name_keys=keys, name_flags=flags, name_stamps=np.zeros(size, np.int64))
