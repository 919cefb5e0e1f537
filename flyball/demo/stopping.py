"""Stopping: Ctrl-C and SIGTERM end the demo at any moment, once; while it ends they are not heard again."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Somebody asked the demo to stop; no `except Exception` is to swallow it."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise Stopped in the main thread at the first signal, wherever it is."""
    before = {number: signal.signal(number, _stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    for each in _SIGNALS:  # what ends the processes is not to be interrupted
        signal.signal(each, signal.SIG_IGN)
    raise Stopped
