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
<<<<<<< HEAD
        for cells in parts:
            names = orjson.dumps({str(digest): text for digest, text in cells.names.items()})
            rows = np.ascontiguousarray(cells.cols).tobytes()
            self._notes.note(_HEAD.pack(len(names), len(cells)) + names + rows)
=======
        frames = io.BytesIO()
        for cells in parts:
            names = orjson.dumps(cells.names, option=orjson.OPT_NON_STR_KEYS)
            frames.write(_FRAME.pack(len(names), len(cells)) + names + np.ascontiguousarray(cells.cols).tobytes())
        if self._interval not in self._numbers:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._numbers.append(self._interval)
        descriptor = os.open(self._path(self._interval), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, frames.getvalue())
        finally:
            os.close(descriptor)

    def turn(self) -> None:
        """Begin the next interval, at a snapshot."""
        self._interval += 1
        for number in [number for number in self._numbers if number < self._interval - 2]:
            self._path(number).unlink(missing_ok=True)
            self._numbers.remove(number)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.promises"


def _read(raw: bytes) -> Iterator[Cells]:
    position = 0
    while position + _FRAME.size <= len(raw):
        size, count = _FRAME.unpack_from(raw, position)
        begin = position + _FRAME.size + size
        position = begin + 8 * _ROWS * count
        if position > len(raw):  # torn: then nothing of it was told
            return
        cols = np.frombuffer(raw, np.int64, _ROWS * count, begin).reshape(_ROWS, count).copy()
        cols[_COUNT] = 0
        names = orjson.loads(raw[begin - size : begin])
        yield Cells(cols, {int(digest): text for digest, text in names.items()})
>>>>>>> main
