"""Every: something done now and then by a thread of its own, while a block is entered."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def every(seconds: float, do: Callable[[], object], name: str) -> Iterator[None]:
    """Do it each so many seconds until the block is left; `name` is that of the thread."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(seconds):
            do()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
