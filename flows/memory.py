"""Memory of a process that makes much garbage, few cycles, and large arrays again and again.

What the flow makes is freed by its reference counts; the collector only looks for cycles, and with Python's thresholds
it looked at every new object several times: a tenth of all time (benchmarks/pipeline.py). The arrays of a batch, some
20 MB, were given back to the system after each and taken again page by page: another eighth.
"""

from __future__ import annotations

import ctypes
import gc

_YOUNG = 100_000
"""New containers until the young ones are looked at: 2 ms, and under load every few seconds."""
_TIMES = 10
"""Looks at the young until the middle-aged are looked at; of these, until all are: a leak of cycles stays bounded."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt(3)
_KEPT_BYTES = 256 << 20
"""Free memory at the end of the heap that is not given back."""
_HEAP_BYTES = 32 << 20
"""Blocks up to this size, the most that glibc takes, come from the heap."""


def settle_memory() -> None:
    """Leave what is there now (modules, compiled kernels) out of further looks; look and give back more seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _TIMES, _TIMES)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # glibc; others decide by themselves
        mallopt(_MMAP_THRESHOLD, _HEAP_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
