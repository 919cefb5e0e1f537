"""A process of a flow that runs as several: waiting for the others at the start, and what comes of losing them.

The engine neither begins before all have met, nor goes on without one.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.metrics import Metrics

_WAITING = "waiting for the other processes of this flow"

_NO_PLACE = re.compile(r"failed to initialize networking: (.*?)(?: \(os error \d+\))?$", re.MULTILINE)
_LOST = ("timely communication error", "Send thread panic", "Receive thread panic")
"""How the engine, which does not outlive a peer, says that one is gone."""


class ClusterError(OSError):
    """This process cannot go on with the others, or begin; the message says what to do."""


class Meeting:
    """The time in which a process waits for the others: health is red, and a signal ends it at once.

    The engine waits in the main thread, where Python would handle the signal, and looks for none. To be entered there,
    with handlers set.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._is_over = False

    def __enter__(self) -> Self:
        """Begin to wait."""
        self._metrics.problem = _WAITING
        self._heard, self._hears = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._hears)
        os.set_blocking(self._heard, True)
        threading.Thread(target=self._listen, name="meeting", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        """Listen no more."""
        signal.set_wakeup_fd(-1)
        os.close(self._hears)

    def over(self) -> None:
        """Say that all have met."""
        if not self._is_over:
            self._is_over, self._metrics.problem = True, None

    def _listen(self) -> None:
        while os.read(self._heard, 1):
            if not self._is_over:
                os._exit(0)
        os.close(self._heard)


@contextmanager
def peers_minded(stop: threading.Event, address: str | None) -> Iterator[None]:
    """Raise as a ClusterError what the engine says of peers that are gone, or of `address`, where it listens for them.

    The engine joins its sending threads after the workers have ended and written everything. One that cannot shut down
    a connection that is gone panics there: of a flow that was told to stop that is no failure, and passed over.
    """
    try:
        yield
    except BaseException as error:
        said, is_panic = str(error), type(error).__name__ == "PanicException"
        if is_panic and stop.is_set() and said.startswith("Send thread panic"):
            return
        if found := _NO_PLACE.search(said):
            msg = f"{address}: cannot listen there for the other processes of this flow: {found[1]}"
            raise ClusterError(msg) from error
        if any(word in said for word in _LOST):
            msg = (
                "another process of this flow has ended, and none goes on without it: start all of them again. "
                "Nothing is lost: they go on at the last snapshot"
            )
            raise ClusterError(msg) from error
        raise
