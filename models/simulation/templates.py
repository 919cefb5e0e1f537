"""Templates: every shape, user and resource encoded once, with the spots that are patched a record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from models.simulation import json_text, protobuf
from models.simulation.rows import TAIL, Row
from models.simulation.scenario import Encoding
from models.simulation.shapes import CALL, CONVERSATION, NUMBER, Slot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.simulation.book import Book


class Patch(IntEnum):
    """How a value is written at its spot."""

    BIG = 0  # 8 bytes, big-endian: ids
    LITTLE = 1  # 8 bytes, little-endian: fixed64
    DOUBLE = 2  # nano-USD as a double of USD
    HEX = 3  # 16 hex digits
    DIGITS_19 = 4  # a time
    DIGITS_8 = 5
    DECIMALS = 6  # nano-USD as d.ddddddddd
    HEX_MIXED = 7  # 16 hex digits of a digest of the value: a name of its own for what has an id


_TEXTS: dict[Slot, tuple[bytes, tuple[tuple[int, Patch, Row], ...]]] = {
    Slot.CONVERSATION: (CONVERSATION.encode(), ((0, Patch.HEX_MIXED, Row.TRACE_LO),)),
    Slot.CALL: (CALL.encode(), ((0, Patch.HEX_MIXED, Row.SPAN_ID),)),
    Slot.NUMBER: (NUMBER.encode(), ((0, Patch.DIGITS_8, Row.NUMBER),)),
}
_PROTOBUF: dict[Slot, tuple[tuple[int, Patch, Row], ...]] = {
    Slot.TRACE: ((0, Patch.BIG, Row.TRACE_HI), (8, Patch.BIG, Row.TRACE_LO)),
    Slot.SPAN: ((0, Patch.BIG, Row.SPAN_ID),),
    Slot.PARENT: ((0, Patch.BIG, Row.PARENT_ID),),
    Slot.START: ((0, Patch.LITTLE, Row.START),),
    Slot.END: ((0, Patch.LITTLE, Row.END),),
    Slot.COST: ((0, Patch.DOUBLE, Row.COST),),
}
_JSON: dict[Slot, tuple[tuple[int, Patch, Row], ...]] = {
    Slot.TRACE: ((0, Patch.HEX, Row.TRACE_HI), (16, Patch.HEX, Row.TRACE_LO)),
    Slot.SPAN: ((0, Patch.HEX, Row.SPAN_ID),),
    Slot.PARENT: ((0, Patch.HEX, Row.PARENT_ID),),
    Slot.START: ((0, Patch.DIGITS_19, Row.START),),
    Slot.END: ((0, Patch.DIGITS_19, Row.END),),
    Slot.COST: ((0, Patch.DECIMALS, Row.COST),),
}


@dataclass(frozen=True)
class Pool:
    """Byte strings laid end to end: string i is `data[first[i] : first[i + 1]]`."""

    data: NDArray[np.uint8]
    first: NDArray[np.int64]

    @staticmethod
    def of(texts: Sequence[bytes]) -> Pool:
        """Lay the strings end to end."""
        first = np.concatenate([[0], np.cumsum([len(text) for text in texts], dtype=np.int64)]).astype(np.int64)
        return Pool(np.frombuffer(b"".join(texts), np.uint8), first)


@dataclass(frozen=True)
class Templates:
    """All that stamping needs in one encoding."""

    encoding: Encoding
    shapes: Pool
    patches: NDArray[np.int64]
    """[patch, (offset in the shape, Patch, Row)]; those of shape i are `first_patch[i] : first_patch[i + 1]`."""
    first_patch: NDArray[np.int64]
    contexts: Pool
    tails: Pool
    resources: list[bytes]
    scopes: list[bytes]
    scope_of_shape: NDArray[np.int64]


def compile_templates(book: Book, encoding: Encoding) -> Templates:
    """Encode the book's shapes, users and resources."""
    codec = json_text if encoding is Encoding.JSON else protobuf
    slots = _JSON if encoding is Encoding.JSON else _PROTOBUF
    marks = _TEXTS | {slot: (codec.PLACEHOLDERS[slot], patches) for slot, patches in slots.items()}
    scopes = sorted({shape.scope for shape in book.shapes})
    shapes = [codec.record(shape) for shape in book.shapes]
    spots = [_spots(raw, marks) for raw in shapes]
    return Templates(
        encoding=encoding,
        shapes=Pool.of(shapes),
        patches=np.array([spot for of_shape in spots for spot in of_shape], np.int64).reshape(-1, 3),
        first_patch=np.concatenate([[0], np.cumsum([len(of_shape) for of_shape in spots])]).astype(np.int64),
        contexts=Pool.of([codec.context(pairs) for pairs in book.contexts]),
        tails=Pool.of([codec.tail_prefix(key) for _, key in TAIL]),
        resources=[codec.resource(pairs) for pairs in book.resources],
        scopes=[codec.scope(name, "1") for name in scopes],
        scope_of_shape=np.array([scopes.index(shape.scope) for shape in book.shapes], np.int64),
    )


def _spots(
    raw: bytes, marks: dict[Slot, tuple[bytes, tuple[tuple[int, Patch, Row], ...]]]
) -> list[tuple[int, int, int]]:
    """Find every placeholder in an encoded shape."""
    found = []
    for placeholder, patches in marks.values():
        at = raw.find(placeholder)
        while at >= 0:
            found += [(at + offset, int(patch), int(row)) for offset, patch, row in patches]
            at = raw.find(placeholder, at + 1)
    return sorted(found)
