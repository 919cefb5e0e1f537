"""Numbers that processes share: a file of 64-bit words, mapped into memory.

A word is read and written whole (one aligned 8-byte store), so a reader needs no lock. A store survives the death of
its process at once. What was written to other files before a store is seen by whoever sees the store.
"""

from __future__ import annotations

import mmap
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

WORD: Final = 8


def create(path: Path, count: int, value: int) -> None:
    """Write a new file of `count` words."""
    path.write_bytes(value.to_bytes(WORD, sys.byteorder, signed=True) * count)


class Words:
    """The words of one file."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._map = mmap.mmap(self.descriptor, 0)
        self._view = memoryview(self._map).cast("q")

    def __getitem__(self, index: int) -> int:
        """Read one word."""
        return self._view[index]

    def __setitem__(self, index: int, value: int) -> None:
        """Write one word."""
        self._view[index] = value

    def __len__(self) -> int:
        """Count the words."""
        return len(self._view)

    def close(self) -> None:
        """Unmap and close; a second call does nothing."""
        if self.descriptor >= 0:
            self._view.release()
            self._map.close()
            os.close(self.descriptor)
            self.descriptor = -1
