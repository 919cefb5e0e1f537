"""The clock that ages are measured by: it never steps, and where the system can tell it counts sleep too."""

from __future__ import annotations

import time


def steady() -> float:
    """Give seconds since some moment."""
    return time.clock_gettime(_BOOT) if _BOOT is not None else time.monotonic()


_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)
