"""Supervisor: keeps the processes of one machine running together, and stops them together."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.waiting import sleep_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
_LOOK_S = 0.2
_GRACE = 20.0
"""Seconds that a process has to take its last snapshot before it is killed."""
_SHORT_LIFE, _PATIENCE = 20.0, 5
"""So many lives in a row that ended within so many seconds: what never worked would not by starting it once more."""

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1  # prctl(2), Linux


def end_with_parent() -> None:
    """Have this process stopped, as by the supervisor, when the supervisor dies of SIGKILL or of lack of memory."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(frozen=True)
class Part:
    """One process. Parts of one `group` only work together: when one ends, all of the group are started again."""

    name: str
    group: str
    command: Sequence[str]


class Supervisor:
    """Runs parts until `stop` is called or a signal comes. Not reusable."""

    def __init__(self, parts: Sequence[Part], say: Callable[[str], None]) -> None:
        self._parts = parts
        self._say = say
        self._stop = threading.Event()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._wait = {part.group: _FIRST_WAIT for part in parts}
        self._short_lives = {part.group: 0 for part in parts}
        self._gave_up = False
        self._started: dict[str, float] = {}
        self._due: dict[str, float] = {}
        """When groups that have ended are started again, monotonic seconds."""
        self._worked: set[str] = set()

    def run(self) -> int:
        """Run until a signal, or until a group ends again and again; gives 0 when every process ended well."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            for part in self._parts:
                self._start(part)
            while not self._pause(_LOOK_S):
                self._revive()
            self._say("stopping")
        finally:
            codes = self._end(list(self._running))
        return 1 if self._gave_up or any(codes) else 0

    def stop(self) -> None:
        """End `run` soon."""
        self._stop.set()

    def _pause(self, seconds: float) -> bool:
        """Pause; True as soon as it is to stop."""
        sleep_until(self._stop, seconds)
        return self._stop.is_set()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stop()

    def _start(self, part: Part) -> None:
        # a session of its own: Ctrl-C reaches only the supervisor, which then stops the parts in order
        self._running[part.name] = subprocess.Popen(  # noqa: S603  # our own command line
            [sys.executable, "-m", "flyball", *part.command],
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509  # the supervisor has no other threads
        )
        self._started[part.group] = time.monotonic()

    def _revive(self) -> None:
        """Start again every group of which a process ended, each time after a longer wait; none waits for another."""
        for group in dict.fromkeys(part.group for part in self._parts):
            parts = [part for part in self._parts if part.group == group]
            if group in self._due:
                if time.monotonic() >= self._due[group]:
                    del self._due[group]
                    for part in parts:
                        self._start(part)
            elif any(self._running[part.name].poll() is not None for part in parts):
                self._ended(group, parts)

    def _ended(self, group: str, parts: Sequence[Part]) -> None:
        """Say how it ended, and when it is started again; give up on what never worked.

        What has worked may work again, when a disk has room, say; till then the others go on, the kill switch too.
        """
        codes = {part.name: self._running[part.name].poll() for part in parts}
        dead = ", ".join(f"{name} ({_how(code)})" for name, code in codes.items() if code is not None)
        life = time.monotonic() - self._started[group]
        if life >= _SHORT_LIFE:
            self._worked.add(group)
        self._short_lives[group] = self._short_lives[group] + 1 if life < _SHORT_LIFE else 0
        if self._short_lives[group] >= _PATIENCE and group not in self._worked:
            self._say(f"{dead} ended within {_SHORT_LIFE:g} s for the {_PATIENCE}th time in a row: giving up")
            self._gave_up = True
            self.stop()
            return
        if life > 2 * _LONGEST_WAIT:
            self._wait[group] = _FIRST_WAIT
        self._say(f"{dead} ended: starting {group} again in {self._wait[group]:g} s")
        self._end([part.name for part in parts])
        self._due[group] = time.monotonic() + self._wait[group]
        self._wait[group] = min(2 * self._wait[group], _LONGEST_WAIT)

    def _end(self, names: Sequence[str]) -> list[int]:
        """Stop these processes, all at once: SIGTERM, and SIGKILL to what is still there after the grace."""
        for name in names:
            if self._running[name].poll() is None:
                self._running[name].terminate()
        deadline = time.monotonic() + _GRACE
        codes = []
        for name in names:
            process = self._running[name]
            try:
                codes.append(process.wait(max(0.1, deadline - time.monotonic())))
            except subprocess.TimeoutExpired:
                self._say(
                    f"{name} did not stop within {_GRACE:g} s: killed; it goes on from its last snapshot next time"
                )
                process.kill()
                codes.append(process.wait())
        return codes


def _how(code: int) -> str:
    """Tell how a process ended, from what `poll` gives."""
    if code >= 0:
        return f"exit {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"killed by signal {-code}"
