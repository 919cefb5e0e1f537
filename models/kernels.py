"""How kernels are compiled: once, to machine code kept on disk (`models.kernel_cache`), and without reference counting.

Numba counts references of every array that is passed from one kernel to another, atomically; with a dozen arrays a call
that was two thirds to three quarters of all time (benchmarks/runs.py, benchmarks/decode.py). Without it a kernel may
neither make nor give back arrays: all memory comes from the caller, who holds it for the time of the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import njit
from numba.core.types import unliteral

if TYPE_CHECKING:
    from collections.abc import Callable


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that makes no arrays."""
    return _once(njit(cache=True, _nrt=False)(function))  # type: ignore[call-overload]  # an option numba does not list


def releasing(function: Callable[..., Any]) -> Any:
    """Compile a kernel that makes no arrays, and that other threads run beside: for what a thread of its own calls."""
    return _once(njit(cache=True, _nrt=False, nogil=True)(function))  # type: ignore[call-overload]


def small(function: Callable[..., Any]) -> Any:
    """Compile a kernel that is written out where it is called."""
    return njit(cache=True, _nrt=False, inline="always")(function)  # type: ignore[call-overload]


def allocating(function: Callable[..., Any]) -> Any:
    """Compile a kernel that makes arrays."""
    return _once(njit(cache=True)(function))


def _once(compiled: Any) -> Any:
    """Have a kernel compiled once for the types of its arguments.

    numba would make a version for each constant that another kernel calls it with: a seventh of all that was compiled
    at a first start, and no faster (benchmarks/decode.py).
    """
    given = compiled.get_call_template
    compiled.get_call_template = lambda args, kws: given(
        tuple(map(unliteral, args)), {name: unliteral(kind) for name, kind in kws.items()}
    )
    return compiled
