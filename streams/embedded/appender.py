"""Appending to one partition: whoever holds the lock continues where the files end, whoever wrote last.

The truth is in the segment files; the word `end` only tells readers how far they may read. It is stored after the
bytes are written, so readers never meet a torn message. A writer that died in the middle of a write leaves bytes after
`end`: the next writer keeps the whole, sound messages among them and cuts the rest. If the files hold less than `end`
promised (the machine lost power), those offsets are not given again: a new segment starts at `end`, and readers that
arrive at the hole are told so.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from streams.embedded import segments
from streams.embedded.frame import encode
from streams.embedded.words import Words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from streams.embedded.settings import Settings

_log = logging.getLogger(__name__)

END_FILE: Final = "end"
_RETENTION_EVERY_NS: Final = 10_000_000_000


class Appender:
    """Appends to the partition in `folder`, beside any number of other appenders of it. Not thread-safe."""

    def __init__(self, folder: Path, settings: Settings, partitions: int) -> None:
        self._folder = folder
        self._settings = settings
        self._max_bytes = settings.max_bytes // partitions
        self._segment_bytes = min(settings.segment_bytes, max(1, self._max_bytes // 4))
        self._end = Words(folder / END_FILE)
        self._descriptor = -1
        self._base = 0
        self._position = 0
        self._offset = 0
        self._opened_ns = 0
        self._retained_ns = 0

    def append(self, messages: Sequence[tuple[bytes | None, bytes]], now_ns: int) -> None:
        """Write the messages; when it returns they are the log's. Raises OSError, and then none of them is."""
        with self._lock():
            self._find_end()
            self._roll_if_due(now_ns)
            parts: list[bytes] = []
            for number, (key, value) in enumerate(messages):
                parts += encode(self._offset + number, now_ns, key, value)
            self._write(b"".join(parts))
            self._offset += len(messages)
            self._end[0] = self._offset
            if now_ns - self._retained_ns >= _RETENTION_EVERY_NS:
                self._retain(now_ns)

    def retain(self, now_ns: int) -> None:
        """Delete the segments that age or size has passed; append does it too, now and then."""
        with self._lock():
            self._find_end()
            self._roll_if_due(now_ns)
            self._retain(now_ns)

    def close(self) -> None:
        """Close the files."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._end.close()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the partition alone among all processes; the system lets go of it when the holder dies."""
        fcntl.flock(self._end.descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._end.descriptor, fcntl.LOCK_UN)

    def _find_end(self) -> None:
        """Do nothing where the files end where this appender left them; else find out who wrote what."""
        if self._descriptor >= 0 and self._end[0] == self._offset and self._is_newest():
            return
        there = segments.bases(self._folder)
        if not there:
            self._open(self._end[0])
            return
        if self._descriptor < 0 or there[-1] != self._base:
            self._open(there[-1])
        self._recover()

    def _is_newest(self) -> bool:
        """Tell whether the segment is as this appender left it, and no other appender has begun a newer one."""
        if os.fstat(self._descriptor).st_size != self._position:
            return False
        return self._base == self._offset or not segments.path_of(self._folder, self._offset).exists()

    def _recover(self) -> None:
        promised, size = self._end[0], os.fstat(self._descriptor).st_size
        self._position, self._offset = segments.scan(self._descriptor, self._position, self._offset)
        if self._offset < promised:
            _log.error("%s: messages %d to %d are lost or damaged", self._folder, self._offset, promised - 1)
            self._open(promised)
        elif self._position < size:
            _log.warning("%s: cut %d bytes of a torn write", self._folder, size - self._position)
            os.ftruncate(self._descriptor, self._position)
        self._end[0] = self._offset

    def _roll_if_due(self, now_ns: int) -> None:
        """Start a new segment where this one is full, or is so old that keeping it open would hold up retention."""
        if self._position == 0:
            self._opened_ns = now_ns
            return
        age = now_ns - self._opened_ns
        if self._position >= self._segment_bytes or age > self._settings.max_age_ns // 4:
            self._open(self._offset)
            self._opened_ns = now_ns
            self._retain(now_ns)

    def _open(self, base: int) -> None:
        """Go on in segment `base`, from its start."""
        path = segments.path_of(self._folder, base)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._base, self._position, self._offset = descriptor, base, 0, base
        self._opened_ns = segments.first_appended_ns(path) or 0
        if self._settings.fsync:
            _sync_folder(self._folder)

    def _write(self, content: bytes) -> None:
        """Write all of it, or none."""
        left = memoryview(content)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
            if self._settings.fsync:
                os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self._position)
            raise
        self._position += len(content)

    def _retain(self, now_ns: int) -> None:
        """Delete oldest first; the newest segment always stays."""
        self._retained_ns = now_ns
        there = segments.bases(self._folder)
        paths = [segments.path_of(self._folder, base) for base in there]
        total = sum(path.stat().st_size for path in paths)
        for path, following in itertools.pairwise(paths):
            # every message in it is older than the first of the next; nothing in the next: as old as its last write
            newest_ns = segments.first_appended_ns(following) or path.stat().st_mtime_ns
            expired = newest_ns < now_ns - self._settings.max_age_ns
            if not expired and total <= self._max_bytes:
                return
            total -= path.stat().st_size
            path.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
