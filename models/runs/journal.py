"""A shard as bytes: a delta of what changed, or a dump of everything, in one format. Plain types, versioned.

Layout: header, then head counters, rows of runs (`models.runs.told`), names (digests, lengths, UTF-8), expectations
(tables of name and time), evaluations that wait for their run.
All integers little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.runs import told as told_rows
from models.runs.record import NEVER
from models.runs.state import STATE, Head, Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEADER = struct.Struct("<4sHHIIQIQiiiii")
_MAGIC, _VERSION = b"fbRT", 8
_OWN = (Head.ROWS, Head.FREE, Head.ALIVE, Head.KEPT, Head.TOP, Head.NEED, Head.NAMES, Head.STAMP)
"""Numbers of the head that follow from how the arrays lie, not from what is known."""

Expected = tuple[dict[int, int], ...]
"""The tables of `Expectations.tables`."""


@dataclass(frozen=True)
class Part:
    """What one delta or dump says."""

    head: NDArray[np.int64]
    count: int
    """Runs that were not told before."""
    rows: NDArray[np.int64]
    names: dict[int, str]
    expectations: Expected | None
    waiting: NDArray[np.int64] | None


def pack(
    store: Store,
    count: int,
    rows: NDArray[np.int64],
    names: dict[int, str],
    expectations: Expected | None,
    waiting: NDArray[np.int64] | None,
) -> bytes:
    """Write rows, `count` of them of new runs, names, expectations and what waits (None: as they were)."""
    texts = [text.encode("utf-8", "surrogatepass") for text in names.values()]
    text = b"".join(texts)
    tables = (-1,) * 4 if expectations is None else tuple(len(table) for table in expectations)
    tables += (-1 if waiting is None else waiting.size,)
    sizes = len(store.head), count, len(rows), len(texts), len(text), *tables
    header = _HEADER.pack(_MAGIC, _VERSION, STATE.itemsize, *sizes)
    pairs = [np.array(list(table.items()), np.int64).tobytes() for table in expectations or ()]
    parts: list[Any] = [header, store.head, rows]
    parts += [np.fromiter(names, np.int64, len(names)), np.fromiter(map(len, texts), np.int64, len(texts))]
    return b"".join([*parts, text, *pairs, *(() if waiting is None else (waiting,))])


def pack_all(store: Store, names: dict[int, str], expectations: Expected, waiting: NDArray[np.int64]) -> bytes:
    """Write all runs, as if nothing had been told of them."""
    slots = np.flatnonzero(store.due[: store.head[Head.ROWS]] != NEVER)
    return pack(store, len(slots), told_rows.whole(store, slots), names, expectations, waiting)


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
    magic, version, width, head, count, words, names, text, *tables, waiting = _HEADER.unpack_from(raw)
    if (magic, version, width) != (_MAGIC, _VERSION, STATE.itemsize):
        msg = f"run state: found {magic!r} version {version}, rows of {width} bytes, expected version {_VERSION}"
        raise ValueError(msg)
    cursor = _Cursor(raw, _HEADER.size)
    part = Part(
        cursor.ints(head),
        count,
        cursor.ints(words),
        cursor.names(names, text),
        None if tables[0] < 0 else tuple(cursor.table(size) for size in tables),
        None if waiting < 0 else cursor.ints(waiting),
    )
    if cursor.at != len(raw):
        msg = f"run state: {len(raw)} bytes, expected {cursor.at}"
        raise ValueError(msg)
    return part


def absorb(store: Store, part: Part) -> Store:
    """Add what a part says to a store."""
    if len(part.head) != len(store.head):
        msg = f"run state: a head of {len(part.head)} numbers, expected {len(store.head)}"
        raise ValueError(msg)
    store = told_rows.read(store, part.count, part.rows)
    own = store.head[list(_OWN)].copy()
    store.head[:] = part.head
    store.head[list(_OWN)] = own
    alive = store.due[: store.head[Head.ROWS]] != NEVER
    store.head[Head.KEPT] = int(store.states[: store.head[Head.ROWS]]["kept"][alive].sum())
    return store
