"""Pairs: a digest of two names together, compiled: a tool after a tool, a type of task with a value."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import mix64
from models.kernels import allocating


@allocating
def pairs_of(ones: Any, others: Any) -> Any:
    """Give a digest of each of `ones` [n] with the same of `others` [n]; the order of the two matters."""
    out = np.empty(ones.size, np.int64)
    for i in range(ones.size):
        out[i] = np.int64(mix64(np.uint64(ones[i]) ^ mix64(np.uint64(others[i]))))
    return out
