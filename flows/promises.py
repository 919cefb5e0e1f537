"""Promises: the cells whose panes a shard of `measure` is about to tell.

If the changes behind what a dead life told cancel out in the next one (a run counted, held back, counted again, now
all in one batch), nothing seems to have changed, and what was told last would stand for ever. So it is told again,
under the higher revision of the new life.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import orjson

from flows.notes import Notes
from models.slis.cells import Cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_HEAD = struct.Struct("<II")  # length of the names (JSON), number of cells
_ROWS = 7  # of `Cells.cols`
_COUNT = 6


class Promises:
    """The promises of one shard in `folder`; one writer at a time."""

    def __init__(self, folder: Path) -> None:
        self._notes = Notes(folder, "promises")
        self.turn = self._notes.turn

    def owed(self) -> Iterator[Cells]:
        """Give all that may have been told, as cells that count 0."""
        for raw in self._notes.owed():
            size, count = _HEAD.unpack_from(raw)
            names = orjson.loads(raw[_HEAD.size : _HEAD.size + size])
            cols = np.frombuffer(raw, np.int64, _ROWS * count, _HEAD.size + size).reshape(_ROWS, count).copy()
            cols[_COUNT] = 0
            yield Cells(cols, {int(digest): text for digest, text in names.items()})

    def note(self, parts: Sequence[Cells]) -> None:
        """Note cells whose panes are told next."""
        self._notes.note(*map(_packed, parts))


def _packed(cells: Cells) -> bytes:
    names = orjson.dumps(cells.names, option=orjson.OPT_NON_STR_KEYS)
    return _HEAD.pack(len(names), len(cells)) + names + np.ascontiguousarray(cells.cols).tobytes()
