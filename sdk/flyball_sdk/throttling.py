"""Throttles: how many calls in any minute, and how many at the same time.

Each scope keeps the times of its calls of the last minute, so that a limit of N holds in every window of 60 s; a token
bucket of N would let nearly 2 N through in some. Counted in this process: each process of an agent has the whole limit.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from flyball_sdk.state import Throttle

WINDOW_S: Final = 60.0
LEASE_S: Final = 600.0
"""A call whose end nobody told counts as running for this long."""
_MOST_COUNTERS: Final = 10_000


class Asked(NamedTuple):
    """A throttle that a call must pass: whose it is (a scope, a rule and scope), and how much it lets through."""

    key: Hashable
    throttle: Throttle


class Refusal(NamedTuple):
    """The throttle that did not let a call through. `retry_after_s` None: waiting does not help by itself."""

    key: Hashable
    what: str
    retry_after_s: float | None


class _Counter:
    __slots__ = ("recent", "running")

    def __init__(self) -> None:
        self.recent: deque[float] = deque()
        self.running: OrderedDict[str, float] = OrderedDict()  # ticket -> when it began


class Throttles:
    """Counters of all throttled scopes. Thread-safe."""

    def __init__(self) -> None:
        self._counters: OrderedDict[Hashable, _Counter] = OrderedDict()
        self._lock = threading.Lock()

    def renew(self) -> None:
        """Make a new lock: after a fork the old one may be held by a thread that is not there."""
        self._lock = threading.Lock()

    def enter(self, asked: Sequence[Asked], ticket: str, now: float) -> Refusal | None:
        """Let a call through all throttles, or none; `leave` must be told of the ticket in the end."""
        with self._lock:
            counters = [self._of(each.key) for each in asked]
            for each, counter in zip(asked, counters, strict=True):
                if refusal := _refusal(each, counter, now):
                    return refusal
            for counter in counters:
                counter.recent.append(now)
                counter.running[ticket] = now
            return None

    def leave(self, keys: Sequence[Hashable], ticket: str) -> None:
        """A call has ended."""
        with self._lock:
            for key in keys:
                counter = self._counters.get(key)
                if counter is not None:
                    counter.running.pop(ticket, None)

    def _of(self, key: Hashable) -> _Counter:
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = _Counter()
            if len(self._counters) > _MOST_COUNTERS:
                self._counters.popitem(last=False)
        else:
            self._counters.move_to_end(key)
        return counter


def _refusal(asked: Asked, counter: _Counter, now: float) -> Refusal | None:
    recent, running = counter.recent, counter.running
    while recent and recent[0] <= now - WINDOW_S:
        recent.popleft()
    while running and next(iter(running.values())) <= now - LEASE_S:
        running.popitem(last=False)
    rate, at_once = asked.throttle
    if rate is not None and len(recent) >= rate:
        return Refusal(asked.key, "calls_per_minute", recent[len(recent) - rate] + WINDOW_S - now if rate else None)
    if at_once is not None and len(running) >= at_once:
        return Refusal(asked.key, "concurrency", None)
    return None
