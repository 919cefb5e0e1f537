"""Filters: commands whose output others read, up to where they have had enough."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def ended_by_reader() -> Iterator[None]:
    """Have a reader that has had enough end this process at once, as it does any filter.

    Only while records are printed: whoever writes to a process of its own or to a connection must not end with it.
    """
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGPIPE, before)
