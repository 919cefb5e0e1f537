"""Clock watch: ends a flow whose machine's clock was set back, so that it is started again and goes on.

The engine keeps until when it waits as times of the wall clock. Set back by an hour, it would read nothing and judge
nothing for an hour, and would not hear a signal either. So the process ends at once, as by a crash: nothing is lost by
that, and what starts it again (`flyball up`, or the orchestrator) has it running within seconds.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from flows.every import every

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_S: Final = 10.0
"""A clock that is set back by less is waited for: to start again takes as long."""
_LOOK_S: Final = 1.0
_UNSURE_S: Final = 1.0
"""Two clocks that could not be read within this time of each other say nothing: the process was paused in between."""
_BOOT: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


def _steady_s() -> float:
    """Give seconds that never step; where the system can tell they count sleep, as the wall clock does."""
    return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)


class ClockWatch:
    """Compares the wall clock with one that never steps; both give seconds."""

    def __init__(self, wall_s: Callable[[], float] = time.time, steady_s: Callable[[], float] = _steady_s) -> None:
        self._wall_s, self._steady_s = wall_s, steady_s
        self._apart: float | None = None
        self.look()

    def look(self) -> float:
        """Give by how many seconds the wall clock was set back since the last look, 0: it was not."""
        before = self._steady_s()
        wall = self._wall_s()
        if self._steady_s() - before > _UNSURE_S:
            return 0.0
        last, self._apart = self._apart, wall - before
        return 0.0 if last is None else max(0.0, last - self._apart)


@contextmanager
def clock_watched(
    say: Callable[[str], None],
    watch: ClockWatch | None = None,
    end: Callable[[int], object] = os._exit,
    look_s: float = _LOOK_S,
) -> Iterator[None]:
    """Watch the clock while this is entered: `end` the process (exit code 1) where it was set back, and say why."""
    watch = watch or ClockWatch()

    def look() -> None:
        back_s = watch.look()
        if back_s > MOST_S:
            say(f"the clock was set back by {back_s:.0f} s, for which the engine would wait: starting again")
            end(1)

    with every(look_s, look, "clock watch"):
        yield
