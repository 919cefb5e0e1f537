"""The index of a shard: trace id -> slot, open addressing; 31-bit fingerprints spare looking at other runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.kernels import allocating, kernel, small
from models.runs.record import NEVER
from models.runs.shards import trace_hash
from models.runs.state import Head

_FREE, _ROWS, _ALIVE = int(Head.FREE), int(Head.ROWS), int(Head.ALIVE)
_FINGER = np.uint64(0x7FFFFFFF)


@small
def fingerprint(hi: Any, lo: Any) -> Any:
    """Give 31 bits of the trace's hash that the shard number does not use."""
    return np.int64((trace_hash(hi, lo) >> np.uint64(8)) & _FINGER)


@kernel
def find_slot(store: Any, hi: Any, lo: Any) -> Any:
    """Give the slot of a trace, or -1."""
    finger = fingerprint(hi, lo)
    mask = store.traces.shape[0] - 1
    place = finger & mask
    while True:
        entry = store.traces[place]
        if entry == 0:
            return -1
        if entry >> 32 == finger:
            slot = (entry & 0xFFFFFFFF) - 1
            if store.words[slot, 0] == hi and store.words[slot, 1] == lo:
                return slot
        place = (place + 1) & mask


@kernel
def enter(index: Any, finger: Any, slot: Any) -> None:
    """Enter a slot; there is room and the trace is not in the index."""
    mask = index.shape[0] - 1
    place = finger & mask
    while index[place] != 0:
        place = (place + 1) & mask
    index[place] = (finger << 32) | (slot + 1)


@kernel
def new_slot(store: Any, hi: Any, lo: Any) -> Any:
    """Take a slot for a new trace, all zero; -1: no slot is free or the index is full, make room first."""
    head = store.head
    if (head[_ALIVE] + 1) * 3 > store.traces.shape[0] * 2:
        return -1
    slot = head[_FREE] - 1
    if slot >= 0:
        head[_FREE] = store.states[slot].seen_at
    elif head[_ROWS] < store.states.shape[0]:
        slot = head[_ROWS]
        head[_ROWS] += 1
    else:
        return -1
    head[_ALIVE] += 1
    store.untold[slot] = 1
    for k in range(store.words.shape[1]):
        store.words[slot, k] = 0
    store.words[slot, 0] = hi
    store.words[slot, 1] = lo
    s = store.states[slot]
    s.first_start = s.root_start = s.agent_start = NEVER
    s.agent_cost = -1
    enter(store.traces, fingerprint(hi, lo), slot)
    return slot


@kernel
def drop_slot(store: Any, slot: Any) -> None:
    """Forget the trace of a slot: shifts what follows in the index back, so that no tombstones gather."""
    index, mask = store.traces, store.traces.shape[0] - 1
    place = fingerprint(store.words[slot, 0], store.words[slot, 1]) & mask
    while index[place] & 0xFFFFFFFF != slot + 1:
        place = (place + 1) & mask
    hole = place
    while True:
        place = (place + 1) & mask
        entry = index[place]
        if entry == 0:
            break
        if (place - (entry >> 32)) & mask >= (place - hole) & mask:
            index[hole] = entry
            hole = place
    index[hole] = 0
    s = store.states[slot]
    s.seen_at = store.head[_FREE]
    store.head[_FREE] = slot + 1
    store.head[_ALIVE] -= 1
    store.due[slot] = NEVER


@allocating
def rebuilt(old: Any, size: Any) -> Any:
    """Give the index with `size` places, a power of two."""
    index = np.zeros(size, np.int64)
    for k in range(old.shape[0]):
        if old[k] != 0:
            enter(index, old[k] >> 32, (old[k] & 0xFFFFFFFF) - 1)
    return index
