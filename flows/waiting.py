"""Waiting for a log that does not answer: asked again, with growing pauses, for as long as it takes or till stopped."""

from __future__ import annotations

import time
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, Final, TypeVar

from streams.port import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from flows.metrics import Metrics

T = TypeVar("T")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_LOOK_S: Final = 0.05
"""How long being stopped may go unseen."""


class StoppedError(Exception):
    """The flow was stopped while it waited."""


def sleep_until(stop: Event, seconds: float) -> None:
    """Sleep so long, or till stopped. Not `stop.wait`: the signal handler that sets it runs in this thread.

    When it came while `wait` holds the event's lock, its `set` would wait for that lock for ever.
    """
    until = time.monotonic() + seconds
    while not stop.is_set() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK_S))


class Waiting:
    """Makes questions to a log wait for their answer. While it waits health is red, and `say` is told why, once."""

    def __init__(
        self,
        stop: Event,
        metrics: Metrics,
        say: Callable[[str], None],
        pause: Callable[[Event, float], None] = sleep_until,
    ) -> None:
        self._stop = stop
        self._pause = pause
        self._metrics = metrics
        self._say = say

    def until(self, ask: Callable[[], T]) -> T:
        """Give the answer of `ask`, which is called again for as long as it raises UnreachableError.

        Raises StoppedError, and what else `ask` raises. `ask` is called in a thread of its own: clients of Kafka take
        seconds to find that nobody answers, in calls that no signal ends. One that is left alone dies with the process.
        """
        before, told, pause = self._metrics.problem, "", _FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                answer = self._ask(ask)
            except UnreachableError as error:
                problem = f"waiting for the log, which does not answer: {error}"
                self._metrics.problem = problem
                if problem != told:
                    self._say(problem)
                told = problem
                self._pause(self._stop, pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                if told:
                    self._say("the log answers")
                    self._metrics.problem = before
                return answer
        raise StoppedError

    def _ask(self, ask: Callable[[], T]) -> T:
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(ask())
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                future.set_exception(error)

        Thread(target=run, name="ask-log", daemon=True).start()
        while not self._stop.is_set():
            try:
                return future.result(_LOOK_S)
            except TimeoutError:
                if future.done():  # by now: its answer, or what it raises, which may be a TimeoutError of its own
                    return future.result()
        raise StoppedError
