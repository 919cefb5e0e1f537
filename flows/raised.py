"""Raised: says when a topic has got more partitions than the flow reads, which are those there were when it started.

What comes in a new one waits there, for nobody, until the next start; nothing of it shows as lag. So health is red.
As it asks the log now and then, it knows also when that does not answer, which readers without news do not notice.
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

_LOOK_S: Final = 20.0
_AWAY_S: Final = 2.0
"""The same while the log does not answer."""


class Raised:
    """Looks at the topics of `counts`, which gives how many partitions of each are read, now and then."""

    def __init__(
        self, log: Log, counts: Callable[[], Mapping[str, int]], metrics: Metrics, say: Callable[[str], None]
    ) -> None:
        self._log, self._counts, self._metrics, self._say = log, counts, metrics, say
        self._told = ""
        self._away: str | None = None

    def start(self) -> None:
        """Look each minute, in a thread that ends with the process."""
        threading.Thread(target=self._watch, name="partitions", daemon=True).start()

    def look(self) -> None:
        """Look once; a log that does not answer is asked the next time."""
        try:
            found = {topic: (self._log.partitions(topic), read) for topic, read in self._counts().items()}
        except LogError as error:
            self._away = f"waiting for the log, which does not answer: {error}"
            return
        self._away = None
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

    def problem(self) -> str | None:
        """Say that the log did not answer when it was looked at last; None: it did."""
        return self._away

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOK_S if self._away is None else _AWAY_S)
            self.look()
