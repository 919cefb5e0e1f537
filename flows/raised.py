"""Raised: says when a topic has got more partitions than the flow reads, which are those there were when it started.

What comes in a new one waits there, for nobody, until the next start; nothing of it shows as lag. So health is red.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from streams.port import LogError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flows.metrics import Metrics
    from streams.port import Log

_LOOK_S: Final = 60.0


class Raised:
    """Looks at the topics of `counts`, which gives how many partitions of each are read, now and then."""

    def __init__(
        self, log: Log, counts: Callable[[], Mapping[str, int]], metrics: Metrics, say: Callable[[str], None]
    ) -> None:
        self._log, self._counts, self._metrics, self._say = log, counts, metrics, say
        self._told = ""

    def start(self) -> None:
        """Look each minute, in a thread that ends with the process."""
        threading.Thread(target=self._watch, name="partitions", daemon=True).start()

    def look(self) -> None:
        """Look once; a log that does not answer is asked the next time."""
        try:
            found = {topic: (self._log.partitions(topic), read) for topic, read in self._counts().items()}
        except LogError:
            return
        more = [
            f"topic {topic} has {count} partitions, {read} of them are read"
            for topic, (count, read) in found.items()
            if count > read
        ]
        problem = f"{', '.join(more)}: restart the flow" if more else ""
        if problem and problem != self._told:
            self._say(problem)
            self._metrics.problem = problem
        self._told = problem

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOK_S)
            self.look()
