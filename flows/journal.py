"""Journal: the state of one shard on disk, so that a snapshot of the engine is only a position in it.

A shard's folder holds generations. A generation is one append-only file: a base (everything) and then deltas. The
position (generation, length) names an exact state: the base and all deltas before `length`. Files are never
rewritten: after a restore the shard goes on in a new generation, so an older position stays valid when the engine
falls back to it.
An append survives the death of the process; `fsync=True` makes it survive the loss of power.
"""

from __future__ import annotations

import os
import struct
import weakref
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crc32c import crc32c

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FRAME = struct.Struct("<II")  # length, checksum of the payload
_POSITION = struct.Struct("<BQQ")  # version, generation, length
_VERSION = 2
_CHECKSUMS: dict[int, Callable[[bytes], int]] = {1: zlib.crc32, 2: crc32c}
"""By version; all frames of a generation are of one. crc32c is an instruction of the processor."""

ROTATE_BYTES = 4 << 20
"""Deltas beyond this and beyond twice the base start a new generation: half of what is written again is news."""
_STAGGER = 16
"""Shards that fill alike reach it at so many different times, not all at the end of one epoch."""


class JournalError(Exception):
    """The journal does not hold what the engine's snapshot names."""


@dataclass(frozen=True)
class Restored:
    """A state as journaled: the base (None: empty) and the deltas after it."""

    base: bytes | None
    deltas: list[bytes]


class Journal:
    """The journal of one shard in `folder`; one writer at a time."""

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self.folder = folder
        self._fsync = fsync
        self._file: weakref.finalize[..., Journal] | None = None  # closes the file also when the engine just drops us
        self._fd = -1
        self._generation = -1
        self._base = 0
        self._length = 0
        self._patience = 1 + crc32c(folder.name.encode()) % _STAGGER / _STAGGER
        self._obsolete: list[int] = []  # generations to delete at the next append but one

    @property
    def generation(self) -> int:
        """The generation that the next rotation opens."""
        return max([-1, *(int(path.stem) for path in self.folder.glob("*.journal"))]) + 1

    def new_life(self) -> int:
        """Number the life of the shard that begins now, from 0; a number is never given twice, whenever a life ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lives, draft = self.folder / "lives", self.folder / "lives.draft"
        life = int(lives.read_text()) if lives.exists() else 0
        draft.write_text(str(life + 1))
        draft.replace(lives)
        return life

    def append(self, delta: bytes, dump: Callable[[], bytes]) -> bytes:
        """Append what changed and give the position; starts a new generation with `dump()` when it pays."""
        self._forget_obsolete()
        if self._file is None or self._length - self._base > self._patience * max(ROTATE_BYTES, 2 * self._base):
            self._rotate(dump())
        elif delta:
            self._length += self._write(delta)
        return _POSITION.pack(_VERSION, self._generation, self._length)

    def restore(self, position: bytes) -> Restored:
        """Read the state at `position`; raises JournalError when the files do not reach it."""
        version, generation, length = _POSITION.unpack(position)
        path = self._path(generation)
        if version not in _CHECKSUMS:
            msg = f"{self.folder}: snapshot version {version}, expected {_VERSION}"
            raise JournalError(msg)
        try:
            raw = path.read_bytes()[:length]
        except FileNotFoundError:
            msg = f"{path}: missing, but the engine's snapshot names it: restore the data folder"
            raise JournalError(msg) from None
        if len(raw) < length:
            msg = f"{path}: {len(raw)} bytes, the engine's snapshot names {length}: restore the data folder"
            raise JournalError(msg)
        frames = list(_frames(raw, path, _CHECKSUMS[version]))
        self._generation = generation
        return Restored(frames[0] or None, frames[1:])

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file()
            self._file = None

    def _path(self, generation: int) -> Path:
        return self.folder / f"{generation:08d}.journal"

    def _rotate(self, base: bytes) -> None:
        self.close()
        self.folder.mkdir(parents=True, exist_ok=True)
        older = sorted(int(path.stem) for path in self.folder.glob("*.journal"))
        self._generation, restored = max([self._generation, *older]) + 1, self._generation
        # the generation restored from is what the engine's last snapshot still names: it goes last
        self._obsolete = [*[g for g in older if g != restored], *[g for g in older if g == restored]]
        self._retained = 2
        self._fd = os.open(self._path(self._generation), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._file = weakref.finalize(self, os.close, self._fd)
        self._length = self._base = self._write(base)

    def _write(self, payload: bytes) -> int:
        head, wanted = _FRAME.pack(len(payload), crc32c(payload)), _FRAME.size + len(payload)
        written = os.writev(self._fd, (head, payload))
        if written != wanted:
            msg = f"{self._path(self._generation)}: wrote {written} of {wanted} bytes: is the disk full?"
            raise JournalError(msg)
        if self._fsync:
            os.fdatasync(self._fd)
        return written

    def _forget_obsolete(self) -> None:
        """Delete older generations once two appends lie after the rotation: by then no resume can name them."""
        if self._obsolete and self._file is not None:
            self._retained -= 1
            if self._retained <= 0:
                for generation in self._obsolete:
                    self._path(generation).unlink(missing_ok=True)
                self._obsolete = []


def _frames(raw: bytes, path: Path, checksum: Callable[[bytes], int]) -> list[bytes]:
    frames, position = [], 0
    while position < len(raw):
        size, expected = _FRAME.unpack_from(raw, position)
        payload = raw[position + _FRAME.size : position + _FRAME.size + size]
        if len(payload) != size or checksum(payload) != expected:
            msg = f"{path}: damaged at byte {position}: restore the data folder"
            raise JournalError(msg)
        frames.append(payload)
        position += _FRAME.size + size
    return frames
