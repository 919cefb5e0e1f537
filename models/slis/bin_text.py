"""Histograms as JSON text: `"bin":count` pairs, written by a kernel: as a dict they cost several times as much."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from models.json_lines import put_whole
from models.kernels import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUOTE, _COLON, _COMMA = b'":,'
_PAIR = 48
"""Bytes of a pair at most: two numbers of 20, and what stands between."""


def bin_texts(bounds: NDArray[np.int64], bins: NDArray[np.int64]) -> list[bytes]:
    """Give what stands between the braces of each pane; `bounds` [n + 1] and `bins` [k, 2] as in `Readings`."""
    out, ends = np.empty(_PAIR * len(bins), np.uint8), np.empty(len(bounds), np.int64)
    _write(bounds, bins, out, ends)
    text, stops = out[: ends[-1]].tobytes(), ends.tolist()
    return [text[start : max(start, stop - 1)] for start, stop in pairwise(stops)]


@kernel
def _write(bounds: Any, bins: Any, out: Any, ends: Any) -> None:
    """Write the pairs, a comma behind each; `ends` [n + 1] is where the text of each pane ends."""
    at = np.int64(0)
    ends[0] = 0
    for pane in range(bounds.shape[0] - 1):
        for k in range(bounds[pane], bounds[pane + 1]):
            out[at] = _QUOTE
            at = put_whole(out, at + 1, bins[k, 0])
            out[at], out[at + 1] = _QUOTE, _COLON
            at = put_whole(out, at + 2, bins[k, 1])
            out[at] = _COMMA
            at += 1
        ends[pane + 1] = at
