"""Memory of a process that makes much garbage and few cycles.

What the flow makes is freed by its reference counts; the collector only looks for cycles, and with Python's thresholds
it looks at every new object several times: a tenth of the samples of a profile from Kafka.
"""

from __future__ import annotations

import gc

_YOUNG = 100_000
"""New containers until the young ones are looked at, which then takes some 10 ms."""
_TIMES = 10
"""Looks at the young until the middle-aged are looked at; of these, until all are: a leak of cycles stays bounded."""


def settle_memory() -> None:
    """Leave what is there now (modules, compiled kernels) out of further looks, and look more seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _TIMES, _TIMES)
