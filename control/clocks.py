"""Clocks, handed in: the wall clock for what people read, a steady one for all that has an age."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flyball_sdk.clock import steady

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Clocks:
    """`wall_ns`: Unix nanoseconds, may step. `steady_s`: seconds since some moment, never steps."""

    wall_ns: Callable[[], int] = time.time_ns
    steady_s: Callable[[], float] = steady

    def now(self) -> str:
        """Give the time as signals write it: RFC 3339, UTC, milliseconds."""
        return stamp(self.wall_ns())


def stamp(ns: int) -> str:
    """Write Unix nanoseconds as RFC 3339, UTC, milliseconds."""
    moment = datetime.fromtimestamp(ns // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ns % 10**9 // 10**6:03d}Z"
