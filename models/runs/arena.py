"""Blocks of variable length in one int64 array: allocation, and small maps int64 -> int64 that keep insertion order.

A map is a dense block of (key, value) pairs. Up to 16 pairs it is searched from the front (at most four cache lines); a
larger one has a second block, an open-addressing index of positions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import mix64
from models.kernels import kernel, small
from models.runs.state import Head

LINEAR = 16
_TOP = int(Head.TOP)


@small
def next_room(room: Any, first: Any) -> Any:
    """Give the next size of a block: first, then 2, 3, 4, 6, 8, 12, 16 ... so that at most a third is unused."""
    if room == 0:
        return first
    if room & (room - 1) == 0:
        return room + room // 2 if room > 1 else 2
    return room + room // 3


@small
def index_words(room: Any) -> Any:
    """Give the words of the index of a map of `room` pairs: a power of two, at most half full; 0: searched without."""
    if room <= LINEAR:
        return 0
    size = 64
    while size < 2 * room:
        size *= 2
    return size


@small
def take(head: Any, words: Any) -> Any:
    """Take a block; the caller has made sure of the room."""
    at = head[_TOP]
    head[_TOP] = at + words
    return at


@kernel
def moved(arena: Any, head: Any, at: Any, used: Any, words: Any) -> Any:
    """Take a block of `words` and copy the `used` words at `at` into it."""
    to = take(head, words)
    for k in range(used):
        arena[to + k] = arena[at + k]
    return to


@kernel
def find(arena: Any, at: Any, n: Any, room: Any, index_at: Any, key: Any) -> Any:
    """Give the position of `key` in a map, or -1."""
    if room <= LINEAR:
        for k in range(n):
            if arena[at + 2 * k] == key:
                return k
        return -1
    mask = index_words(room) - 1
    place = np.int64(mix64(key)) & mask
    while True:
        k = arena[index_at + place] - 1
        if k < 0:
            return -1
        if arena[at + 2 * k] == key:
            return k
        place = (place + 1) & mask


@kernel
def index_one(arena: Any, at: Any, room: Any, index_at: Any, position: Any) -> None:
    """Enter the pair at `position` into the index, if the map has one."""
    if room <= LINEAR:
        return
    mask = index_words(room) - 1
    place = np.int64(mix64(arena[at + 2 * position])) & mask
    while arena[index_at + place] != 0:
        place = (place + 1) & mask
    arena[index_at + place] = position + 1


@kernel
def index_all(arena: Any, at: Any, n: Any, room: Any, index_at: Any) -> None:
    """Build the index anew."""
    for k in range(index_words(room)):
        arena[index_at + k] = 0
    for k in range(n):
        index_one(arena, at, room, index_at, k)
