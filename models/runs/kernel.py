"""How the kernels of the run table are compiled: cached, and without reference counting.

Numba counts references of every array that is passed from one kernel to another, atomically; with a dozen arrays a call
that was three quarters of the cost of a span (1.6 against 0.4 microseconds, benchmarks/runs.py). Without it a kernel
may neither make nor give back arrays: all memory comes from the caller, who holds it for the time of the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

_OPTIONS: dict[str, Any] = {"cache": True, "_nrt": False}

kernel: Callable[[Any], Any] = njit(**_OPTIONS)
"""Compile a kernel."""

small: Callable[[Any], Any] = njit(**_OPTIONS, inline="always")
"""Compile a kernel that is written out where it is called."""

allocating: Callable[[Any], Any] = njit(cache=True)
"""Compile a kernel that makes arrays."""
