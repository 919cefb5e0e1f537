"""Worker: one sink's thread, so that a slow sink holds up no other."""

from __future__ import annotations

import sqlite3
import threading
from functools import partial
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from alerts.outcome import Refused, Retry, Sent
from alerts.pace import SECOND, Pause, TokenBucket, backoff_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from alerts.metrics import Metrics
    from alerts.outbox import Job, Outbox
    from alerts.outcome import Outcome
    from alerts.page import Page
    from alerts.sinks.base import Sink

DAY_NS = 86_400 * SECOND
_LONGEST_PAUSE_S = 30.0
"""A sink that fails is left alone for at most this long, unless it asks for more."""
_IDLE_S = 1.0
_MAX_RATE = 1e6
_MOST_UNWRITTEN = 1_000
"""With so many outcomes that cannot be written the worker waits for the disk."""


class _Unwritten(NamedTuple):
    """What is still to be written of a row, and when it is due again (Unix ns); None: not before it is written."""

    act: Callable[[], None]
    due_ns: int | None


class Worker:
    """Delivers what is due for one sink, the most urgent first. Only `wake` and `stop` may come from other threads.

    A failure makes its page wait (longer each time) and the sink pause (longer while nothing succeeds), never shorter
    than Retry-After asks for, over a restart too. What a sink refuses is parked, and what it did not take for
    `give_up_ns`: only when it has just been offered, for the machine may have slept, or the process been down, so long.
    `hold` says until when a page waits (Unix ns): quiet hours may have begun while it was in line.
    What cannot be written (a full disk) is kept in memory until it can: no delivery is made again for that.
    """

    def __init__(
        self,
        sink: Sink,
        outbox: Outbox,
        metrics: Metrics,
        now_ns: Callable[[], int],
        *,
        give_up_ns: int = 3 * DAY_NS,
        hold: Callable[[Page, int], int] = lambda page, now_ns: now_ns,
        random: Random | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self.sink = sink
        self._name = sink.settings.name
        self._outbox, self._metrics, self._now_ns, self._say = outbox, metrics, now_ns, say
        self._give_up_ns = give_up_ns
        self._hold = hold
        self._random = random or Random()  # noqa: S311 -- jitter is no secret
        rate = sink.settings.rate or sink.RATE or _MAX_RATE
        burst = max(sink.BURST, int(rate))  # what a second lets through may come at once
        self._bucket = TokenBucket(rate, burst, now_ns())
        self._failures = 0
        self._pause = Pause(*outbox.paused(self._name))
        self._unwritten: dict[int, _Unwritten] = {}
        self._awake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sink {self._name}", daemon=True)

    def step(self) -> float:
        """Make at most one delivery; give the seconds until the next may be made, 0 when it may be due now."""
        now = self._now_ns()
        self._outbox.set_back(self._name, now)
        self._write_again()
        left = self._pause.left(now)
        if left:
            return left / SECOND
        if len(self._unwritten) >= _MOST_UNWRITTEN:
            return _IDLE_S
        resting = [row for row, each in self._unwritten.items() if each.due_ns is None or each.due_ns > now]
        job = self._outbox.take(self._name, now, in_turn=self.sink.IN_TURN, but=resting)
        if job is None:
            due = self._outbox.next_due(self._name, now)
            return _IDLE_S if due is None else max(0.001, min(_IDLE_S, (due - now) / SECOND))
        if self._known(job, now) or self._is_quiet(job, now):
            return 0.0
        wait = self._bucket.take(now, self.sink.requests(job.page))
        if wait:
            return wait / SECOND
        self._settle(job, self._deliver(job))
        return 0.0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Look at the outbox now."""
        self._awake.set()

    def halt(self) -> None:
        """Begin nothing more; `stop` waits."""
        self._stopped.set()
        self._awake.set()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Stop after the delivery under way; False while that goes on. What is cut off is delivered again next time."""
        self.halt()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self._write_again()
        self.sink.close()
        return True

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                wait = self.step()
            except Exception as error:  # noqa: BLE001 -- a full disk must not end the thread for good
                self._say(f"sink {self._name}: {type(error).__name__}: {error}")
                wait = _IDLE_S
            if wait:
                self._awake.wait(min(wait, _IDLE_S))
                self._awake.clear()

    def _known(self, job: Job, now_ns: int) -> bool:
        """Pass over what the sink need not hear: more incidents of a page that it cannot change."""
        news = job.page.rank < job.known_rank or not job.page.is_open or job.stage == 0 or job.is_in_hand
        if self.sink.UPDATES or news:
            return False
        self._write(job.row, partial(self._outbox.sent, job, now_ns, None), None)
        return True

    def _is_quiet(self, job: Job, now_ns: int) -> bool:
        """Put off what quiet hours hold that began after it was put in line."""
        free = job.stage > 0 and (self.sink.REFRESH_S is not None or not job.page.is_open or job.is_in_hand)
        if free or not job.pending or (until_ns := self._hold(job.page, now_ns)) <= now_ns:
            return False
        self._write(job.row, partial(self._outbox.hold, job, until_ns), until_ns)
        return True

    def _deliver(self, job: Job) -> Outcome:
        try:
            return self.sink.deliver(job.page)
        except Exception as error:  # noqa: BLE001 -- a mistake of ours: parked where it is seen, others go on
            return Refused(f"{type(error).__name__} in the sink: {error}")

    def _settle(self, job: Job, outcome: Outcome) -> None:
        now = self._now_ns()
        match outcome:
            case Sent():
                self._failures = 0
                again = None if self.sink.REFRESH_S is None else int(self.sink.REFRESH_S * SECOND)
                due = None if again is None or not job.page.is_open else now + again
                self._write(job.row, partial(self._outbox.sent, job, now, again), due)
                self._metrics.deliveries.labels(self._name, "sent").inc()
                if job.pending:
                    self._metrics.seconds.labels(self._name).observe(max(0, now - job.since_ns) / SECOND)
            case Retry(after_s, reason):
                self._put_off(job, now, after_s, reason)
            case Refused(reason):
                self._failures = 0
                self._write(job.row, partial(self._outbox.park, job, reason, now), None)
                self._metrics.deliveries.labels(self._name, "refused").inc()
                self._say(f"sink {self._name} refused {job.page.key}, parked: {reason}")

    def _put_off(self, job: Job, now_ns: int, after_s: float | None, reason: str) -> None:
        wish = int((after_s or 0) * SECOND)
        pause = max(wish, backoff_ns(self._failures, self._random, _LONGEST_PAUSE_S))
        wait = max(pause, backoff_ns(job.attempts, self._random))
        if not self._failures:  # once, not each time
            self._say(f"sink {self._name} does not take {job.page.key}, trying again: {reason}")
        self._failures += 1
        self._pause = Pause(now_ns, now_ns + pause)
        is_over = job.pending and now_ns - job.since_ns > self._give_up_ns
        due = None if is_over else now_ns + wait
        self._write(job.row, partial(self._put_down, job, now_ns, wish, due), due)
        self._metrics.deliveries.labels(self._name, "parked" if is_over else "retry").inc()
        self._metrics.retries.labels(self._name).inc(not is_over)

    def _put_down(self, job: Job, now_ns: int, wish: int, due_ns: int | None) -> None:
        """Note that it was not taken, and when it is due again; None: it is given up."""
        if wish:
            self._outbox.pause(self._name, now_ns, now_ns + wish)
        if due_ns is None:
            self._outbox.park(job, f"not taken for {self._give_up_ns / DAY_NS:g} days", now_ns)
        else:
            self._outbox.postpone(job, now_ns, due_ns)

    def _write(self, row: int, act: Callable[[], None], due_ns: int | None) -> None:
        """Write what came of a row; `due_ns`: when it is due again, should it not be written by then."""
        try:
            act()
        except sqlite3.OperationalError as error:
            if not self._unwritten:
                self._say(f"sink {self._name}: {error}; what was delivered is written later")
            self._unwritten[row] = _Unwritten(act, due_ns)
        else:
            self._unwritten.pop(row, None)

    def _write_again(self) -> None:
        """Write what could not be written before, as far as that works now."""
        try:
            for row, each in list(self._unwritten.items()):
                each.act()
                del self._unwritten[row]
        except sqlite3.OperationalError:
            pass  # said already
