"""How the kernels of the run table are compiled: without reference counting, and cached as long as nothing changes.

Numba counts references of every array that is passed from one kernel to another, atomically; with a dozen arrays a call
that was three quarters of the cost of a span (1.6 against 0.4 microseconds, benchmarks/runs.py). Without it a kernel
may neither make nor give back arrays: all memory comes from the caller, who holds it for the time of the call.

Numba's cache looks only at the file of a kernel, not at those of the kernels and constants it was compiled with: after
an upgrade it would run old code on a new layout of STATE. Here the stamp of a cached kernel is that of all these files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

_MODELS = Path(__file__).parent.parent
_SOURCES = [*sorted((_MODELS / "runs").glob("*.py")), _MODELS / "digest.py", _MODELS / "spans" / "columns.py"]


def _stamp() -> tuple[float, int]:
    """Give time and size as numba keeps them for one file: of the newest file, and of all together."""
    found = [source.stat() for source in _SOURCES]
    return max(stat.st_mtime for stat in found), sum(stat.st_size for stat in found)


_STAMP = _stamp()


def _compiler(**options: Any) -> Callable[[Any], Any]:
    def compiled(function: Any) -> Any:
        dispatcher = njit(cache=True, **options)(function)
        files = getattr(dispatcher._cache, "_cache_file", None)  # noqa: SLF001 - numba has no public way
        if files is not None:
            files._source_stamp = _STAMP  # noqa: SLF001
        return dispatcher

    return compiled


kernel = _compiler(_nrt=False)
"""Compile a kernel."""

small = _compiler(_nrt=False, inline="always")
"""Compile a kernel that is written out where it is called."""

allocating = _compiler()
"""Compile a kernel that makes arrays."""
