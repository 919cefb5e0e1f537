"""How arrays lie in memory before they go to a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """Copy to an array of its own, row by row and writable.

    A kernel is compiled for each kind of layout that it meets, and a field of records, a part of them and what was read
    from bytes are three: the third came only under load, and everything stood still for two seconds.
    """
    return np.array(array, order="C")
