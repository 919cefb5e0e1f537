"""The name table of a shard: which name digests are kept as text, and what a text was found to mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import mix64
from models.kernels import allocating, kernel, small
from models.runs.state import NAME_READ, NAME_TEXT, Head

_FRESH, _NAMES = int(Head.FRESH), int(Head.NAMES)
_TEXT, _READ = np.uint8(NAME_TEXT), np.uint8(NAME_READ)


@kernel
def name_place(keys: Any, digest: Any) -> Any:
    """Give the place of a digest in the table, or the free place where it belongs."""
    mask = keys.shape[0] - 1
    place = np.int64(mix64(digest)) & mask
    while keys[place] != 0 and keys[place] != digest:
        place = (place + 1) & mask
    return place


@kernel
def flag_name(keys: Any, flags: Any, head: Any, digest: Any, flag: Any) -> None:
    """Add a flag to a name; the caller has made sure of the room."""
    place = name_place(keys, digest)
    if keys[place] == 0:
        keys[place] = digest
        head[_NAMES] += 1
    flags[place] |= np.uint8(flag)


@kernel
def flag_names(keys: Any, flags: Any, head: Any, digests: Any, flag: Any) -> None:
    """Add a flag to names, as `flag_name` does to one."""
    for digest in digests:
        flag_name(keys, flags, head, digest, flag)


@small
def has_flag(keys: Any, flags: Any, digest: Any, flag: Any) -> Any:
    """Say whether a name has a flag; absent names have none."""
    if digest == 0:
        return False
    return flags[name_place(keys, digest)] & flag != 0


@kernel
def is_read(keys: Any, flags: Any, digest: Any) -> Any:
    """Say whether the meaning of a name is known; of an absent one it is."""
    return digest == 0 or flags[name_place(keys, digest)] & _READ != 0


@kernel
def keep_text(store: Any, fresh: Any, digest: Any) -> None:
    """Note that a run took this name: its text must be kept. New ones are listed in `fresh`."""
    if digest == 0:
        return
    place = name_place(store.name_keys, digest)
    if store.name_flags[place] & _TEXT:
        return
    if store.name_keys[place] == 0:
        store.name_keys[place] = digest
        store.head[_NAMES] += 1
    store.name_flags[place] |= _TEXT
    fresh[store.head[_FRESH]] = digest
    store.head[_FRESH] += 1


@allocating
def entered(keys: Any, flags: Any, size: Any) -> Any:
    """Give the table with `size` places, a power of two."""
    new_keys = np.zeros(size, np.int64)
    new_flags = np.zeros(size, np.uint8)
    for k in range(keys.shape[0]):
        if keys[k] != 0:
            place = name_place(new_keys, keys[k])
            new_keys[place] = keys[k]
            new_flags[place] = flags[k]
    return new_keys, new_flags
