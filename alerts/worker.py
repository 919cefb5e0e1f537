"""Worker: one sink's thread, so that a slow sink holds up no other."""

from __future__ import annotations

import threading
from random import Random
from typing import TYPE_CHECKING

from alerts.outcome import Refused, Retry, Sent
from alerts.pace import SECOND, Pause, TokenBucket, backoff_ns

if TYPE_CHECKING:
    from collections.abc import Callable

    from alerts.metrics import Metrics
    from alerts.outbox import Job, Outbox
    from alerts.outcome import Outcome
    from alerts.sinks.base import Sink

DAY_NS = 86_400 * SECOND
_LONGEST_PAUSE_S = 30.0
"""A sink that fails is left alone for at most this long, unless it asks for more."""
_IDLE_S = 1.0
_MAX_RATE = 1e6


class Worker:
    """Delivers what is due for one sink, the most urgent first. Only `wake` and `stop` may come from other threads.

    A failure makes its page wait (longer each time) and the sink pause (longer while nothing succeeds), never shorter
    than Retry-After asks for, over a restart too. What a sink refuses, and what it did not take for `give_up_ns`, is
    parked.
    """

    def __init__(
        self,
        sink: Sink,
        outbox: Outbox,
        metrics: Metrics,
        now_ns: Callable[[], int],
        *,
        give_up_ns: int = 3 * DAY_NS,
        random: Random | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self.sink = sink
        self._name = sink.settings.name
        self._outbox, self._metrics, self._now_ns, self._say = outbox, metrics, now_ns, say
        self._give_up_ns = give_up_ns
        self._random = random or Random()  # noqa: S311 -- jitter is no secret
        rate = sink.settings.rate or sink.RATE or _MAX_RATE
        burst = max(sink.BURST, int(rate))  # what a second lets through may come at once
        self._bucket = TokenBucket(rate, burst, now_ns())
        self._failures = 0
        self._pause = Pause(*outbox.paused(self._name))
        self._awake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sink {self._name}", daemon=True)

    def step(self) -> float:
        """Make at most one delivery; give the seconds until the next may be made, 0 when it may be due now."""
        now = self._now_ns()
        self._outbox.set_back(self._name, now)
        left = self._pause.left(now)
        if left:
            return left / SECOND
        job = self._outbox.take(self._name, now, in_turn=self.sink.IN_TURN)
        if job is None:
            due = self._outbox.next_due(self._name, now)
            return _IDLE_S if due is None else max(0.001, min(_IDLE_S, (due - now) / SECOND))
        if self._known(job, now) or self._too_old(job, now):
            return 0.0
        wait = self._bucket.take(now)
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
        self._outbox.sent(job, now_ns, None)
        return True

    def _too_old(self, job: Job, now_ns: int) -> bool:
        if not job.pending or now_ns - job.since_ns <= self._give_up_ns:
            return False
        self._outbox.park(job, f"not taken for {self._give_up_ns / DAY_NS:g} days", now_ns)
        self._metrics.deliveries.labels(self._name, "parked").inc()
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
                refresh_s = self.sink.REFRESH_S
                self._outbox.sent(job, now, None if refresh_s is None else int(refresh_s * SECOND))
                self._metrics.deliveries.labels(self._name, "sent").inc()
                if job.pending:
                    self._metrics.seconds.labels(self._name).observe(max(0, now - job.since_ns) / SECOND)
            case Retry(after_s, reason):
                self._put_off(job, now, after_s, reason)
            case Refused(reason):
                self._failures = 0
                self._outbox.park(job, reason, now)
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
        if wish:
            self._outbox.pause(self._name, now_ns, now_ns + wish)
        self._outbox.postpone(job, now_ns, now_ns + wait)
        self._metrics.deliveries.labels(self._name, "retry").inc()
        self._metrics.retries.labels(self._name).inc()
