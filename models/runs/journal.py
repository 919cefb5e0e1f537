"""A shard as bytes: a delta of what changed, or a dump of everything, in one format. Plain types, versioned.

Layout: header, then head counters, states, due times, block words (in order of rows: seen, tools, tally, made; only the
entries in use), forgotten trace ids, names (digests, lengths, UTF-8), expectations (tables of name and time),
evaluations that wait for their run.
All integers little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.kernels import allocating, kernel
from models.runs.arena import index_all, index_words, take
from models.runs.index import drop_slot, find_slot, new_slot
from models.runs.record import NEVER
from models.runs.room import more_slots, more_words
from models.runs.state import MAX_TOOLS, SEEN_WORDS, STATE, TALLY_WORDS, TOOL_WORDS, Head, Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEADER = struct.Struct("<4sHHIIQIIQiiiii")
_MAGIC, _VERSION = b"fbRT", 5
_OWN = (Head.ROWS, Head.FREE, Head.ALIVE, Head.KEPT, Head.TOP, Head.NEED, Head.NAMES, Head.STAMP)
"""Numbers of the head that follow from how the arrays lie, not from what is known."""

Expected = tuple[dict[int, int], ...]
"""The tables of `Expectations.tables`."""


@dataclass(frozen=True)
class Part:
    """What one delta or dump says."""

    head: NDArray[np.int64]
    states: NDArray[np.void]
    due: NDArray[np.int64]
    blocks: NDArray[np.int64]
    gone: NDArray[np.int64]
    names: dict[int, str]
    expectations: Expected | None
    waiting: NDArray[np.int64] | None


@kernel
def _used(s: Any) -> Any:
    """Give the words of the entries in use of the blocks of a run."""
    tools = TOOL_WORDS * min(s.tools_n, MAX_TOOLS)
    return SEEN_WORDS * (s.seen_n + s.made_n) + tools + TALLY_WORDS * s.tally_n


@allocating
def _gather(states: Any, arena: Any, slots: Any) -> Any:
    total = 0
    for slot in slots:
        total += _used(states[slot])
    out = np.empty(total, np.int64)
    n = 0
    for slot in slots:
        s = states[slot]
        for k in range(SEEN_WORDS * s.seen_n):
            out[n + k] = arena[s.seen_at + k]
        n += SEEN_WORDS * s.seen_n
        tools = TOOL_WORDS * min(s.tools_n, MAX_TOOLS)
        for k in range(tools):
            out[n + k] = arena[s.tools_at + k]
        n += tools
        for k in range(TALLY_WORDS * s.tally_n):
            out[n + k] = arena[s.tally_at + k]
        n += TALLY_WORDS * s.tally_n
        for k in range(SEEN_WORDS * s.made_n):
            out[n + k] = arena[s.made_at + k]
        n += SEEN_WORDS * s.made_n
    return out


def pack(
    store: Store,
    slots: NDArray[np.intp],
    gone: list[NDArray[np.int64]],
    names: dict[int, str],
    expectations: Expected | None,
    waiting: NDArray[np.int64] | None,
) -> bytes:
    """Write these slots, forgotten traces, names, expectations and what waits (None: as they were)."""
    blocks = _gather(store.states, store.arena, slots)
    lost = np.concatenate(gone) if gone else np.empty((0, 2), np.int64)
    texts = [text.encode("utf-8", "surrogatepass") for text in names.values()]
    text = b"".join(texts)
    tables = (-1,) * 4 if expectations is None else tuple(len(table) for table in expectations)
    tables += (-1 if waiting is None else waiting.size,)
    sizes = len(store.head), len(slots), len(blocks), len(lost), len(texts), len(text), *tables
    header = _HEADER.pack(_MAGIC, _VERSION, STATE.itemsize, *sizes)
    pairs = [np.array(list(table.items()), np.int64).tobytes() for table in expectations or ()]
    # words are taken, not states: numpy copies structured rows field by field, which is 20 times slower
    parts: list[Any] = [header, store.head, np.take(store.words, slots, axis=0), store.due[slots], blocks, lost]
    parts += [np.fromiter(names, np.int64, len(names)), np.fromiter(map(len, texts), np.int64, len(texts))]
    return b"".join([*parts, text, *pairs, *(() if waiting is None else (waiting,))])


class _Cursor:
    def __init__(self, raw: bytes, at: int) -> None:
        self.raw, self.at = raw, at

    def bytes(self, size: int) -> bytes:
        self.at += size
        return self.raw[self.at - size : self.at]

    def ints(self, count: int) -> NDArray[np.int64]:
        return np.frombuffer(self.bytes(8 * count), np.int64)

    def table(self, count: int) -> dict[int, int]:
        pairs = self.ints(2 * count).reshape(count, 2)
        return dict(zip(pairs[:, 0].tolist(), pairs[:, 1].tolist(), strict=True))

    def names(self, count: int, size: int) -> dict[int, str]:
        digests, lengths = self.ints(count).tolist(), self.ints(count).tolist()
        text, at, names = self.bytes(size), 0, {}
        for digest, length in zip(digests, lengths, strict=True):
            names[digest] = text[at : at + length].decode("utf-8", "surrogatepass")
            at += length
        return names


def unpack(raw: bytes) -> Part:
    """Read what `pack` wrote. Raises ValueError for anything else."""
    if len(raw) < _HEADER.size:
        msg = f"run state: {len(raw)} bytes, expected at least a header of {_HEADER.size}"
        raise ValueError(msg)
    magic, version, width, head, rows, words, gone, names, text, *tables, waiting = _HEADER.unpack_from(raw)
    if (magic, version, width) != (_MAGIC, _VERSION, STATE.itemsize):
        msg = f"run state: found {magic!r} version {version}, rows of {width} bytes, expected version {_VERSION}"
        raise ValueError(msg)
    cursor = _Cursor(raw, _HEADER.size)
    part = Part(
        cursor.ints(head),
        np.frombuffer(cursor.bytes(rows * width), STATE),
        cursor.ints(rows),
        cursor.ints(words),
        cursor.ints(2 * gone).reshape(gone, 2),
        cursor.names(names, text),
        None if tables[0] < 0 else tuple(cursor.table(size) for size in tables),
        None if waiting < 0 else cursor.ints(waiting),
    )
    if cursor.at != len(raw):
        msg = f"run state: {len(raw)} bytes, expected {cursor.at}"
        raise ValueError(msg)
    return part


@kernel
def _rooms(states: Any) -> Any:
    """Give the words of the blocks of these rows."""
    total = 0
    for k in range(states.shape[0]):
        s = states[k]
        total += SEEN_WORDS * (s.seen_room + s.made_room) + index_words(s.seen_room) + index_words(s.made_room)
        total += TOOL_WORDS * s.tools_room + TALLY_WORDS * s.tally_room
    return total


@kernel
def _put(store: Any, blocks: Any, n: Any, used: Any, words: Any) -> Any:
    at = take(store.head, words)
    for k in range(used):
        store.arena[at + k] = blocks[n + k]
    return at


@kernel
def _absorb(store: Any, states: Any, words: Any, due: Any, blocks: Any, gone: Any) -> None:
    for k in range(gone.shape[0]):
        slot = find_slot(store, gone[k, 0], gone[k, 1])
        if slot >= 0:
            drop_slot(store, slot)
    n = 0
    for k in range(states.shape[0]):
        slot = find_slot(store, words[k, 0], words[k, 1])
        if slot < 0:
            slot = new_slot(store, words[k, 0], words[k, 1])
        for w in range(words.shape[1]):
            store.words[slot, w] = words[k, w]
        store.due[slot] = due[k]
        s = store.states[slot]
        s.mark = 0
        s.seen_at = _put(store, blocks, n, SEEN_WORDS * s.seen_n, SEEN_WORDS * s.seen_room)
        n += SEEN_WORDS * s.seen_n
        s.seen_index = take(store.head, index_words(s.seen_room))
        index_all(store.arena, s.seen_at, s.seen_n, s.seen_room, s.seen_index)
        tools = TOOL_WORDS * min(s.tools_n, MAX_TOOLS)
        s.tools_at = _put(store, blocks, n, tools, TOOL_WORDS * s.tools_room)
        n += tools
        s.tally_at = _put(store, blocks, n, TALLY_WORDS * s.tally_n, TALLY_WORDS * s.tally_room)
        n += TALLY_WORDS * s.tally_n
        s.made_at = _put(store, blocks, n, SEEN_WORDS * s.made_n, SEEN_WORDS * s.made_room)
        n += SEEN_WORDS * s.made_n
        s.made_index = take(store.head, index_words(s.made_room))
        index_all(store.arena, s.made_at, s.made_n, s.made_room, s.made_index)


def absorb(store: Store, part: Part) -> Store:
    """Add what a part says to a store."""
    if len(part.head) != len(store.head):
        msg = f"run state: a head of {len(part.head)} numbers, expected {len(store.head)}"
        raise ValueError(msg)
    store = more_slots(store, len(part.states) + 1)
    store = more_words(store, int(_rooms(part.states)))
    words = part.states.view(np.int64).reshape(len(part.states), -1) if len(part.states) else np.empty((0, 1), np.int64)
    _absorb(store, part.states, words, part.due, part.blocks, part.gone)
    own = store.head[list(_OWN)].copy()
    store.head[:] = part.head
    store.head[list(_OWN)] = own
    alive = store.due[: store.head[Head.ROWS]] != NEVER
    store.head[Head.KEPT] = int(store.states[: store.head[Head.ROWS]]["kept"][alive].sum())
    return store
