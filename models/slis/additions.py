"""Additions: cells after admission, by series number. What the store adds and the delta log keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

NOWHERE, DAYS_ONLY, EVERYWHERE = 0, 1, 2
"""Levels: where a cell still counts. DAYS_ONLY: its minute pane is gone."""

_PACKED = {"series": np.int32, "minute": np.int32, "bin": np.int16, "amount": np.int32, "level": np.int8}


class Additions(NamedTuple):
    """Int64 [n] each."""

    series: NDArray[np.int64]
    minute: NDArray[np.int64]
    bin: NDArray[np.int64]
    amount: NDArray[np.int64]
    level: NDArray[np.int64]

    def where(self, mask: NDArray[np.bool_]) -> Additions:
        """Keep some."""
        rows = np.flatnonzero(mask)
        return Additions(*(column[rows] for column in self))

    @property
    def nbytes(self) -> int:
        """Size of the arrays."""
        return sum(column.nbytes for column in self)


def pack_additions(parts: Sequence[Additions]) -> dict[str, NDArray[Any]]:
    """Give the arrays to pack, 15 bytes a cell."""
    return {
        f"cell_{name}": np.concatenate([np.empty(0, dtype), *(getattr(part, name).astype(dtype) for part in parts)])
        for name, dtype in _PACKED.items()
    }


def unpack_additions(arrays: Mapping[str, NDArray[Any]]) -> Additions:
    """Undo `pack_additions`."""
    return Additions(*(arrays[f"cell_{name}"].astype(np.int64) for name in _PACKED))
