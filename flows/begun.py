"""Begun: where a flow first began topics that it does not read from their oldest message, kept as soon as it is known.

The engine keeps it only with the first snapshot. A flow that is killed before that would ask for the newest message
again, and skip what had come meanwhile; and a partition that a topic got since is none that was there to be skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Begun:
    """Files in `folder`, one a topic and one a partition; None: nothing is kept, as where nothing is resumed."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def saw(self, topic: str, partitions: int) -> None:
        """Note how many partitions a topic has; the first time counts, whichever process of a cluster it is."""
        self._first(f"{topic}.partitions", partitions)

    def offset(self, topic: str, partition: int, newest: Callable[[], int]) -> int | None:
        """Give where a partition begins: `newest()` as it was at first; None: at its oldest, as it came later."""
        if self._folder is None:
            return newest()
        if partition >= self._first(f"{topic}.partitions", partition + 1):
            return None
        return self._first(f"{topic}.{partition}", newest)

    def _first(self, name: str, value: int | Callable[[], int]) -> int:
        """Give what was noted first under a name, which is `value` where nothing was."""
        if self._folder is None:
            return value if isinstance(value, int) else value()
        path, draft = self._folder / name, self._folder / f".{name}.{uuid4().hex}"  # pids are alike in containers
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            draft.write_text(str(value if isinstance(value, int) else value()))
            try:
                path.hardlink_to(draft)
            except FileExistsError:  # another process was quicker
                pass
            finally:
                draft.unlink()
        return int(path.read_text())
