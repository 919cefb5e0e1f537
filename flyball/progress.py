"""The progress bar of a command that reads files: on stderr, and only when that is a terminal."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_COMPRESSED = (".gz", ".zst")


@contextmanager
def reading(files: Sequence[Path], *, shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Give the function that is told (messages, bytes) as they are read, or None when there is no bar to move."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("replay"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    # a descriptor of its own, so that the bar is seen while the rest of stderr is held back
    with (
        os.fdopen(os.dup(2), "w") as file,
        Progress(*columns, console=Console(file=file), transient=True) as bar,
    ):
        task = bar.add_task("replay", total=_total(files))
        yield lambda messages, size: bar.advance(task, size + messages)  # a line end for each message


def _total(files: Sequence[Path]) -> int | None:
    """Count the bytes to read; None when only the compressed size is known, or nothing is."""
    if any(path.suffix in _COMPRESSED or not path.is_file() for path in files):
        return None
    return sum(path.stat().st_size for path in files)
