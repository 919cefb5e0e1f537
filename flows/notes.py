"""Notes: what a shard is about to tell, on disk before it is told.

What a life tells after its last committed snapshot is in the log, but not in the state that the next life begins with.
So the next life reads here what may have been told. One file an interval between two snapshots, and none when nothing
was noted in it. A file is deleted two snapshots after its interval: by then no resume can go back to before it. What
earlier lives noted is as old as the first interval of this one: none of their snapshots need have been committed.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from flows.journal import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FRAME = struct.Struct("<I")  # bytes of the note


class Notes:
    """The notes of one kind (the suffix of its files) of one shard in `folder`; one writer at a time."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._numbers = sorted(int(path.stem) for path in folder.glob(f"*.{kind}"))
        self._first = self._interval = max(self._numbers, default=-1) + 1

    def owed(self) -> Iterator[bytes]:
        """Give all that may have been told, oldest first."""
        for number in self._numbers:
            yield from _read(self._path(number).read_bytes())

    def note(self, *notes: bytes) -> None:
        """Note what is told next; it survives the death of the process. Raises JournalError on a disk that is full."""
        if self._interval not in self._numbers:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._numbers.append(self._interval)
        path, raw = self._path(self._interval), b"".join(_FRAME.pack(len(note)) + note for note in notes)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            written = os.write(descriptor, raw)
        finally:
            os.close(descriptor)
        if written != len(raw):  # told all the same, nobody would know of it; and what came behind it would be misread
            msg = f"{path}: wrote {written} of {len(raw)} bytes: is the disk full?"
            raise JournalError(msg)

    def turn(self) -> None:
        """Begin the next interval, at a snapshot."""
        self._interval += 1
        for number in [number for number in self._numbers if max(number, self._first) < self._interval - 2]:
            self._path(number).unlink(missing_ok=True)
            self._numbers.remove(number)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.{self._kind}"


def _read(raw: bytes) -> Iterator[bytes]:
    position = 0
    while position + _FRAME.size <= len(raw):
        (size,) = _FRAME.unpack_from(raw, position)
        position += _FRAME.size + size
        if position > len(raw):  # torn: then it was not told
            return
        yield raw[position - size : position]
