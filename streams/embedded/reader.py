"""Reading one partition of the embedded log, forward, without a lock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from streams.embedded import segments
from streams.embedded.appender import END_FILE
from streams.embedded.frame import HEADER_BYTES, decode, size_at
from streams.embedded.words import Words
from streams.port import LostOffsetError, Message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MIN_READ: Final = 1 << 16
_MAX_READ: Final = 4 << 20


class EmbeddedReader:
    """Reads the partition in `folder` from `offset`; costs nothing but a look at one word of memory when caught up."""

    def __init__(self, folder: Path, offset: int | None) -> None:
        self._folder = folder
        self._end = Words(folder / END_FILE)
        self._next = 0 if offset is None else offset
        self._descriptor = -1
        self._position = 0
        if offset is None:
            self._open_oldest()
        else:
            self._open_at_offset()

    def poll(self, max_messages: int, max_bytes: int) -> Sequence[Message]:
        """Give what is there now; a poll ends at the end of a segment file. Raises LostOffsetError."""
        end = self._end[0]
        if self._next == end:
            return ()
        if self._descriptor < 0 or self._next > end:
            self._open_at_offset()
        found = self._take(max_messages, max_bytes, end)
        if not found:
            self._next_segment()
            found = self._take(max_messages, max_bytes, end)
        if not found:
            raise self._lost("the bytes are damaged")
        return found

    def lag(self) -> int:
        """Count the messages after the last one given."""
        return max(0, self._end[0] - self._next)

    def expects(self) -> bool:
        """Tell whether there is more."""
        return self.lag() > 0

    def close(self) -> None:
        """Close the files."""
        self._close_segment()
        self._end.close()

    def _open_at_offset(self) -> None:
        """Find the next message. Raises LostOffsetError, and then nothing stays open."""
        try:
            self._seek()
        except LostOffsetError:
            self.close()
            raise

    def _open_oldest(self) -> None:
        """Find the oldest message; where retention deletes it meanwhile, the one that then is."""
        while True:
            self._next = self._oldest()
            try:
                return self._seek()
            except LostOffsetError:
                if self._oldest() == self._next:
                    self.close()
                    raise

    def _oldest(self) -> int:
        end = self._end[0]  # as of before: the first message of a partition may be appended while they are listed
        there = segments.bases(self._folder)
        return there[0] if there else end

    def _lost(self, why: str) -> LostOffsetError:
        end = self._end[0]
        there = [base for base in segments.bases(self._folder) if base > self._next]
        go_on = there[0] if there else end
        return LostOffsetError(f"{self._folder}: offset {self._next} is lost, {why}; reading can go on at {go_on}")

    def _close_segment(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self, base: int) -> bool:
        """Open a segment; False when it is gone, or never was."""
        try:
            descriptor = os.open(segments.path_of(self._folder, base), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        self._close_segment()
        self._descriptor, self._position = descriptor, 0
        return True

    def _seek(self) -> None:
        """Open the segment that holds the next offset, and walk to it; at the end there is nothing to open."""
        end = self._end[0]
        if self._next > end or self._next < 0:
            msg = f"{self._folder}: offset {self._next} is beyond the end, {end}"
            raise LostOffsetError(msg)
        if self._next == end:
            return
        base = max((base for base in segments.bases(self._folder) if base <= self._next), default=None)
        if base is None or not self._open(base):
            raise self._lost("retention has deleted it")
        self._position, reached = segments.scan(self._descriptor, 0, base, self._next)
        if reached != self._next:
            self._close_segment()
            raise self._lost("the bytes before it are damaged")

    def _next_segment(self) -> None:
        """Go on where this segment ends: the next one is named by the offset it starts with."""
        if self._position == 0 or not self._open(self._next):
            oldest = self._oldest()
            raise self._lost("retention has deleted it" if oldest > self._next else "the bytes are damaged or missing")

    def _take(self, max_messages: int, max_bytes: int, end: int) -> list[Message]:
        """Read messages before `end` from the open segment; none where it has ended."""
        wanted = min(max(max_bytes + HEADER_BYTES, _MIN_READ), _MAX_READ)
        buffer = os.pread(self._descriptor, wanted, self._position)
        size = size_at(buffer, 0)
        if size > len(buffer):
            buffer = os.pread(self._descriptor, size, self._position)
        found: list[Message] = []
        start, room = 0, max_bytes
        limit = min(max_messages, end - self._next)
        while len(found) < limit:
            size = size_at(buffer, start)
            if size <= 0 or size > len(buffer) - start:
                break
            room -= size - HEADER_BYTES
            message = decode(buffer, start, size) if room >= 0 or not found else None
            if message is None or message.offset != self._next + len(found):
                break
            found.append(message)
            start += size
        self._position += start
        self._next += len(found)
        return found
