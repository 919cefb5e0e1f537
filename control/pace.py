"""Rate limits: a bucket of tokens for each tenant."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from flyball_sdk.clock import steady

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST: Final = 10_000


class Pace:
    """Lets `rate` requests a second through for each name, and `burst` at once. Not thread-safe."""

    def __init__(self, rate: float, burst: float | None = None, now: Callable[[], float] = steady) -> None:
        self._rate, self._burst, self._now = rate, burst or 2 * rate, now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, name: str, count: int = 1) -> float:
        """Let a request through (0), or say in how many seconds it may come again."""
        now = self._now()
        left, at = self._left.get(name, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        passes = left >= min(count, self._burst)
        self._left[name] = (left - count if passes else left, now)
        self._left.move_to_end(name)
        if len(self._left) > _MOST:
            self._left.popitem(last=False)
        return 0.0 if passes else (min(count, self._burst) - left) / self._rate
