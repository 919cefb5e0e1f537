"""Throttles of hooks, which are a process a call: the counters lie in a file that all of them share.

So a scope has its limit once on a machine, whatever the number of sessions. Times are those of the machine's steady
clock: what a file says that is later than now is of before a restart, and is let go of. A process that was killed while
it wrote leaves what cannot be read: then counting begins anew, as every later call would be blocked else.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections import OrderedDict, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flyball_sdk.throttling import LEASE_S, WINDOW_S, Throttles

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from pathlib import Path

    from flyball_sdk.throttling import Asked, Refusal


class HookThrottles(Throttles):
    """Throttles for the one call of this process, `call`, kept in the file `path`; raises OSError where that fails."""

    def __init__(self, path: Path, call: str, now: Callable[[], float]) -> None:
        super().__init__()
        self._path = path
        self._call = call
        self._clock = now

    def enter(self, asked: Sequence[Asked], ticket: str, now: float) -> Refusal | None:
        """Let the call through all throttles, or none."""
        if not asked:
            return None
        with self._shared():
            return super().enter([each._replace(key=_named(each.key)) for each in asked], self._call, now)

    def leave(self, keys: Sequence[Hashable], ticket: str) -> None:
        """The call was not made after all."""
        with self._shared():
            super().leave([_named(key) for key in keys], self._call)

    def end(self) -> None:
        """The call has ended, as another process tells; whose it was is in the file."""
        if self._path.exists():
            with self._shared():
                super().leave(list(self._counters), self._call)

    @contextmanager
    def _shared(self) -> Iterator[None]:
        """Hold the counters of all processes: read before, and written again afterwards."""
        with os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._read(file.read())
            yield
            said = json.dumps({key: [list(each.recent), each.running] for key, each in self._counters.items()})
            file.seek(0)
            file.truncate()
            file.write(said)

    def _read(self, said: str) -> None:
        now = self._clock()
        self._counters.clear()
        for key, (recent, running) in _counters_in(said).items():
            times = [at for at in recent if now - WINDOW_S < at <= now]
            runs = [(call, at) for call, at in running.items() if now - LEASE_S < at <= now]
            if times or runs:
                counter = self._of(key)
                counter.recent, counter.running = deque(times), OrderedDict(runs)


def _counters_in(said: str) -> dict[str, tuple[list[float], dict[str, float]]]:
    """Read what was written, by key: when calls were made, and which run since when."""
    try:
        found = json.loads(said or "{}")
        return {key: ([*map(float, recent)], dict(running)) for key, (recent, running) in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _named(key: Hashable) -> str:
    """Name a counter alike in all processes: keys are scopes and names of rules, which are written out."""
    return hashlib.sha256(repr(key).encode()).hexdigest()[:32]
