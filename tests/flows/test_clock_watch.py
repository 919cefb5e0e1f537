"""The clock watch: what a machine's clock does, and what a flow makes of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from flows import launcher
from flows.clock_watch import MOST_S, ClockWatch, clock_watched

if TYPE_CHECKING:
    from pathlib import Path


class Machine:
    """A wall clock that steps, and one that does not; `pause_s` passes between two readings."""

    def __init__(self) -> None:
        self.steady = 1_000.0
        self.offset = 1.8e9
        self.pause_s = 0.0

    def wall_s(self) -> float:
        """Give the wall clock, then let the pause pass."""
        wall = self.steady + self.offset
        self.steady += self.pause_s
        return wall

    def steady_s(self) -> float:
        """Give the clock that never steps."""
        return self.steady

    def watch(self) -> ClockWatch:
        """Give a watch by these clocks."""
        return ClockWatch(self.wall_s, self.steady_s)


def test_a_clock_that_is_set_back_is_seen_once() -> None:
    """By an hour: the next look says so, the one after that does not."""
    machine = Machine()
    watch = machine.watch()
    machine.steady += 1
    assert watch.look() == 0
    machine.offset -= 3_600
    machine.steady += 1
    assert watch.look() == pytest.approx(3_600)
    assert watch.look() == 0


def test_going_forward_and_sleep_and_slewing_are_no_setting_back() -> None:
    """A clock set forward, a machine that slept for a day, one that is slowed by 10 % for an hour."""
    machine = Machine()
    watch = machine.watch()
    machine.offset += 3_600
    assert watch.look() == 0
    machine.steady += 86_400
    assert watch.look() == 0
    for _ in range(3_600):
        machine.steady += 1
        machine.offset -= 0.1
        assert watch.look() < MOST_S


def test_a_process_that_was_paused_between_two_clocks_is_not_taken_for_a_clock_set_back() -> None:
    """SIGSTOP for five minutes while the clocks are read says nothing, now and at the next look."""
    machine = Machine()
    watch = machine.watch()
    machine.pause_s = 300.0
    assert watch.look() == 0
    machine.pause_s = 0.0
    assert watch.look() == 0
    machine.offset -= 60
    assert watch.look() == pytest.approx(60)


def test_a_flow_ends_where_the_clock_is_set_back_by_much() -> None:
    """Not for a few seconds; for a minute with exit code 1, and it says why."""
    machine = Machine()
    said: list[str] = []
    codes: list[int] = []
    ended = threading.Event()

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    with clock_watched(said.append, machine.watch(), end, look_s=0.005):
        machine.offset -= 5
        assert not ended.wait(0.1)
        machine.offset -= 60
        assert ended.wait(10)
    assert codes == [1]
    assert said == ["the clock was set back by 60 s, for which the engine would wait: starting again"]


def test_a_flow_is_run_under_the_watch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """While the engine runs the clock is watched, and no longer."""
    seen: list[bool] = []

    def watched() -> bool:
        return any(thread.name == "clock watch" for thread in threading.enumerate())

    def run(*_: object, **__: object) -> None:
        seen.append(watched())

    class Nothing:
        def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr(launcher, "cli_main", run)
    monkeypatch.setattr(launcher, "_source", lambda *_: Nothing())
    monkeypatch.setattr(launcher, "_flow", lambda *_: None)
    monkeypatch.setattr(launcher, "_ensure_topics", lambda *_: None)
    monkeypatch.setattr(launcher, "_stop_on_signals", lambda *_: None)
    process = launcher.FlowProcess(Nothing, tmp_path, metrics_port=0)  # type: ignore[arg-type]
    launcher.run_flow(None, process)  # type: ignore[arg-type]
    assert seen == [True]
    assert not watched()
