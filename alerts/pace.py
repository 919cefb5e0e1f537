"""Pace: how fast a sink may be told, and how long to wait when it does not take it. Time is handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

SECOND = 10**9
_FIRST_S, _LONGEST_S = 1.0, 60.0


class TokenBucket:
    """At most `rate` a second in the long run, `burst` at once. Times are Unix ns; a clock set back costs nothing."""

    def __init__(self, rate: float, burst: int, now_ns: int) -> None:
        self._rate, self._burst = rate, burst
        self._tokens = float(burst)
        self._at = now_ns

    def take(self, now_ns: int, count: int = 1) -> int:
        """Take so many tokens and give 0, or give how long there are not enough, ns; more than `burst` are owed."""
        passed = max(0, now_ns - self._at)
        self._tokens = min(float(self._burst), self._tokens + passed * self._rate / SECOND)
        self._at = now_ns
        needed = min(count, self._burst)
        if self._tokens >= needed - 1e-9:
            self._tokens -= count
            return 0
        return int((needed - self._tokens) / self._rate * SECOND) + 1


class Pause:
    """A wait from one time until another, Unix ns; a clock set back makes it no longer."""

    def __init__(self, since_ns: int = 0, until_ns: int = 0) -> None:
        self._at, self._left = since_ns, until_ns - since_ns

    def left(self, now_ns: int) -> int:
        """Tell what is left of it, ns; to be asked often, for what passed before a step is not known."""
        self._left = max(0, self._left - max(0, now_ns - self._at))
        self._at = now_ns
        return self._left


def backoff_ns(attempts: int, random: Random, longest_s: float = _LONGEST_S) -> int:
    """Give the wait before the next attempt after so many, ns: exponential with full jitter.

    Uniform between 0 and min(longest, 1 s * 2^attempts).
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)
    """
    return int(random.uniform(0, min(longest_s, _FIRST_S * 2.0 ** min(attempts, 32))) * SECOND)
