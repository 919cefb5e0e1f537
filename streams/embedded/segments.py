"""The segment files of one partition: each is named by the offset of its first message, and only the newest grows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from streams.embedded.frame import decode, size_at

if TYPE_CHECKING:
    from pathlib import Path

_SUFFIX: Final = ".log"
_CHUNK: Final = 1 << 20


def path_of(folder: Path, base: int) -> Path:
    """Name the segment whose first message has offset `base`."""
    return folder / f"{base:020d}{_SUFFIX}"


def bases(folder: Path) -> list[int]:
    """List the segments there are, oldest first."""
    return sorted(int(name[: -len(_SUFFIX)]) for name in os.listdir(folder) if name.endswith(_SUFFIX))  # noqa: PTH208 - half the price


def first_appended_ns(path: Path) -> int | None:
    """Tell when the first message of a segment was appended; None when it has no whole one."""
    with path.open("rb") as file:
        head = file.read(64)
    size = size_at(head, 0)
    return None if size <= 0 else int.from_bytes(head[16:24], "little", signed=True)


def scan(descriptor: int, position: int, offset: int, stop: int | None = None) -> tuple[int, int]:
    """Walk whole, sound frames of consecutive offsets from `position`, up to offset `stop`.

    Gives the position and the offset after the last one.
    """
    wanted = _CHUNK
    while True:
        buffer = os.pread(descriptor, wanted, position)
        start = 0
        size = size_at(buffer, start)
        while 0 < size <= len(buffer) - start and offset != stop:
            message = decode(buffer, start, size)
            if message is None or message.offset != offset:
                return position + start, offset
            start += size
            offset += 1
            size = size_at(buffer, start)
        position += start
        if offset == stop or len(buffer) < wanted or size < 0:  # the file ends here, or what follows is no frame
            return position, offset
        wanted = max(_CHUNK, size)
