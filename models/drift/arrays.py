"""Arrays whose last axis is streams or series, which come one after another."""

from __future__ import annotations

from typing import Any

import numpy as np


def widened(array: Any, more: int) -> Any:
    """Give the array with room for so many more on the last axis, zeros."""
    return np.concatenate([array, np.zeros((*array.shape[:-1], more), array.dtype)], axis=-1)
