"""Journal: the state of one shard on disk, so that a snapshot of the engine is only a position in it.

A shard's folder holds generations. A generation is one append-only file: a base (everything) and then deltas. The
position (generation, length) names an exact state: the base and all deltas before `length`. Files are never
rewritten: after a restore the shard goes on in a new generation, so an older position stays valid when the engine
falls back to it.
The base of a generation that is only to be shorter is written by a thread, while the one before it goes on; what is
appended meanwhile follows it. A base may be a hundred times a delta, and the end of an epoch waits for all appends;
where a table gives a picture of itself, the thread makes bytes of it, too.
An append survives the death of the process; `fsync=True` makes it survive the loss of power.
"""

from __future__ import annotations

import os
import struct
import weakref
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from crc32c import crc32c

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Base = bytes | Callable[[], bytes]
    """Everything, or what makes bytes of a picture of it, by any thread."""

_FRAME = struct.Struct("<II")  # length, checksum of the payload
_POSITION = struct.Struct("<BQQ")  # version, generation, length
_VERSION = 2
_CHECKSUMS: dict[int, Callable[[bytes], int]] = {1: zlib.crc32, 2: crc32c}
"""By version; all frames of a generation are of one. crc32c is an instruction of the processor."""

ROTATE_BYTES = 4 << 20
"""Deltas beyond this and beyond twice the base start a new generation: half of what is written again is news."""
_APART_S = 0.5
"""Seconds between two bases of a process: making one takes tens of milliseconds, and an epoch waits for it."""
_STAGGER = 16
"""Shards that fill alike reach it at so many different times, not all at the end of one epoch."""


class JournalError(Exception):
    """The journal does not hold what the engine's snapshot names."""


@dataclass(frozen=True)
class Restored:
    """A state as journaled: the base (None: empty) and the deltas after it."""

    base: bytes | None
    deltas: list[bytes]


class _File:
    """A generation that is appended to; closed also when the engine just drops it."""

    def __init__(self, path: Path, *, fsync: bool, is_new: bool = False) -> None:
        self._path, self._fsync = path, fsync
        flags = os.O_WRONLY | os.O_APPEND | (os.O_CREAT | os.O_EXCL if is_new else 0)
        self._fd = os.open(path, flags, 0o644)
        self.close = weakref.finalize(self, os.close, self._fd)

    def write(self, *payloads: bytes) -> int:
        """Write a frame for each; gives their bytes."""
        total = 0
        for payload in payloads:
            head, wanted = _FRAME.pack(len(payload), crc32c(payload)), _FRAME.size + len(payload)
            written = os.writev(self._fd, (head, payload))
            if written != wanted:
                msg = f"{self._path}: wrote {written} of {wanted} bytes: is the disk full?"
                raise JournalError(msg)
            total += written
        if self._fsync:
            os.fdatasync(self._fd)
        return total


@dataclass
class _Draft:
    """A generation whose base is being written: the bytes of it to come, and what follows."""

    generation: int
    base: Future[int]
    deltas: list[bytes] = field(default_factory=list)


class _Bases:
    """Writes bases by a thread, one at a time for the whole process: they take turns, and so does making them.

    What they make obsolete is deleted by another.
    """

    def __init__(self, apart_s: float = _APART_S) -> None:
        self._pool = ThreadPoolExecutor(1, "journal")
        self._sweeper = ThreadPoolExecutor(1, "journal-sweep")
        self._last: Future[int] | None = None
        self._dropped: Future[None] | None = None
        self._apart_s, self._begun = apart_s, 0.0

    @property
    def is_free(self) -> bool:
        """Say whether none is being written, nor was begun at the end of this same epoch."""
        return (self._last is None or self._last.done()) and monotonic() >= self._begun + self._apart_s

    def write(self, path: Path, base: Base, *, fsync: bool) -> Future[int]:
        """Begin to write one to an empty file, through a descriptor of its own; gives the bytes to come."""
        self._last, self._begun = self._pool.submit(self._write, path, base, fsync=fsync), monotonic()
        return self._last

    def drop(self, paths: list[Path]) -> Future[None]:
        """Begin to delete files: of tens of megabytes each, it takes milliseconds. Raises what it failed by before."""
        if self._dropped is not None:
            self._dropped.result()
        self._dropped = self._sweeper.submit(self._drop, paths)
        return self._dropped

    @staticmethod
    def _drop(paths: list[Path]) -> None:
        for path in paths:
            path.unlink(missing_ok=True)

    @staticmethod
    def _write(path: Path, base: Base, *, fsync: bool) -> int:
        file = _File(path, fsync=fsync)
        try:
            return file.write(_made(base))
        finally:
            file.close()


_BASES = _Bases()


class Journal:
    """The journal of one shard in `folder`; one writer at a time."""

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self.folder = folder
        self._fsync = fsync
        self._file: _File | None = None
        self._draft: _Draft | None = None
        self._generation = -1
        self._base = 0
        self._length = 0
        self._patience = 1 + crc32c(folder.name.encode()) % _STAGGER / _STAGGER
        self._obsolete: list[int] = []  # generations to delete at the next append but one

    @property
    def generation(self) -> int:
        """The generation that the next rotation opens."""
        return max([-1, *(int(path.stem) for path in self.folder.glob("*.journal"))]) + 1

    def new_life(self, least: int = 0) -> int:
        """Number the life of the shard that begins now, from 0; a number is never given twice, whenever a life ends.

        `least` is above the lives that this folder may know nothing of.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lives, draft = self.folder / "lives", self.folder / "lives.draft"
        life = max(int(lives.read_text()) if lives.exists() else 0, least)
        draft.write_text(str(life + 1))
        draft.replace(lives)
        return life

    def append(self, delta: bytes, dump: Callable[[], Base]) -> bytes:
        """Append what changed and give the position; starts a new generation with `dump()` when it pays.

        Raises JournalError or OSError when it cannot be written, or a base could not be before, by the thread.
        """
        self._forget_obsolete()
        if self._file is None:
            self._begin(_made(dump()))
        else:
            self._add(self._file, delta)
            if self._draft is None:
                grown = self._length - self._base
                if grown > self._patience * max(ROTATE_BYTES, 2 * self._base) and _BASES.is_free:
                    self._draft = self._drafted(dump())
            elif self._draft.base.done():
                self._turn_to(self._draft)
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
        """Close the file, and let go of the base that may be under way."""
        self._draft = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _path(self, generation: int) -> Path:
        return self.folder / f"{generation:08d}.journal"

    def _begin(self, base: bytes) -> None:
        """Begin the first generation of a life: there is none to go on with meanwhile."""
        generation, file = self._opened()
        self._enter(generation, file, file.write(base))

    def _opened(self) -> tuple[int, _File]:
        """Make the file of the next generation."""
        self.folder.mkdir(parents=True, exist_ok=True)
        generation = self.generation
        return generation, _File(self._path(generation), fsync=self._fsync, is_new=True)

    def _drafted(self, base: Base) -> _Draft:
        generation, file = self._opened()
        file.close()
        return _Draft(generation, _BASES.write(self._path(generation), base, fsync=self._fsync))

    def _turn_to(self, draft: _Draft) -> None:
        """Go on in a generation whose base is there."""
        base = draft.base.result()
        self.close()
        file = _File(self._path(draft.generation), fsync=self._fsync)
        self._enter(draft.generation, file, base)
        self._length += file.write(*draft.deltas)

    def _enter(self, generation: int, file: _File, base: int) -> None:
        older = sorted({int(path.stem) for path in self.folder.glob("*.journal")} - {generation})
        restored, self._generation, self._file = self._generation, generation, file
        # the generation restored from is what the engine's last snapshot still names: it goes last
        self._obsolete = [*[g for g in older if g != restored], *[g for g in older if g == restored]]
        self._retained = 2
        self._length = self._base = base

    def _add(self, file: _File, delta: bytes) -> None:
        if delta:
            self._length += file.write(delta)
            if self._draft is not None:
                self._draft.deltas.append(delta)

    def _forget_obsolete(self) -> None:
        """Delete older generations once two appends lie after the rotation: by then no resume can name them."""
        if self._obsolete and self._file is not None:
            self._retained -= 1
            if self._retained <= 0:
                _BASES.drop([self._path(generation) for generation in self._obsolete])
                self._obsolete = []


def _made(base: Base) -> bytes:
    return base if isinstance(base, bytes) else base()


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
