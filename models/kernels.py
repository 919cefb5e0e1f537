"""How kernels are compiled: once, to machine code kept on disk (`models.kernel_cache`), and without reference counting.

Numba counts references of every array that is passed from one kernel to another, atomically; with a dozen arrays a call
that was two thirds to three quarters of all time (benchmarks/runs.py, benchmarks/decode.py). Without it a kernel may
neither make nor give back arrays: all memory comes from the caller, who holds it for the time of the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import njit

from models.kernel_parts import in_parts

if TYPE_CHECKING:
    from collections.abc import Callable


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that makes no arrays."""
    return in_parts(njit(cache=True, _nrt=False)(function))  # type: ignore[call-overload]  # an option numba does not list


def releasing(function: Callable[..., Any]) -> Any:
    """Compile a kernel that makes no arrays, and that other threads run beside: for what a thread of its own calls."""
    return in_parts(njit(cache=True, _nrt=False, nogil=True)(function))  # type: ignore[call-overload]


def small(function: Callable[..., Any]) -> Any:
    """Compile a kernel that is written out where it is called."""
    return njit(cache=True, _nrt=False, inline="always")(function)  # type: ignore[call-overload]


def allocating(function: Callable[..., Any]) -> Any:
    """Compile a kernel that makes arrays."""
    return in_parts(njit(cache=True)(function))
