"""Parts of one machine that fail: the others go on, and none waits for another."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from flyball import supervise
from flyball.supervise import Part, Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator


class Scripted(Supervisor):
    """Runs Python code in place of commands, and stops itself in time."""

    starts: dict[str, list[float]]

    def run_for(self, seconds: float) -> int:
        """Run so long."""
        self.starts = {}
        timer = threading.Timer(seconds, self.stop)
        timer.start()
        code = self.run()
        timer.cancel()
        return code

    def _start(self, part: Part) -> None:
        self.starts.setdefault(part.name, []).append(time.monotonic())
        self._running[part.name] = subprocess.Popen([sys.executable, "-S", "-c", *part.command])
        self._started[part.group] = time.monotonic()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make waits short, and put handlers of signals back."""
    for name, seconds in {"_LOOK_S": 0.01, "_FIRST_WAIT": 0.01, "_LONGEST_WAIT": 0.01, "_SHORT_LIFE": 0.5}.items():
        monkeypatch.setattr(supervise, name, seconds)
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_what_has_worked_is_tried_for_ever(tmp_path: object) -> None:
    """A flow that worked, and cannot start for a full disk, takes nothing down with it."""
    first = f"import os, sys, time\nif not os.path.exists({str(tmp_path)!r} + '/was'):\n"
    first += f"    open({str(tmp_path)!r} + '/was', 'w').close()\n    time.sleep(0.7)\nsys.exit(1)"
    said: list[str] = []
    parts = [Part("flow", "flow", [first]), Part("control", "control", ["import time; time.sleep(60)"])]
    supervisor = Scripted(parts, said.append)
    supervisor.run_for(2.5)
    assert len(supervisor.starts["flow"]) > 6
    assert len(supervisor.starts["control"]) == 1
    assert not any("giving up" in text for text in said)


def test_a_part_that_waits_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """While delivery waits half a minute to be started again, a control plane that is killed is back at once."""
    monkeypatch.setattr(supervise, "_LONGEST_WAIT", 5.0)
    supervisor = Scripted(
        [
            Part("deliver", "deliver", ["raise SystemExit(1)"]),
            Part("control", "control", ["import time; time.sleep(60)"]),
        ],
        lambda _: None,
    )
    supervisor._wait["deliver"] = 1.5
    timer = threading.Timer(0.7, lambda: supervisor._running["control"].kill())  # noqa: PLW0108 -- it is not there yet
    timer.start()
    supervisor.run_for(1.3)
    timer.join()
    first, second = supervisor.starts["control"]
    assert second - first < 1.1
    assert len(supervisor.starts["deliver"]) == 1
