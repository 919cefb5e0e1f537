"""Histograms as JSON text: `"bin":count` pairs, written by a kernel: as a dict they cost several times as much."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from models.kernels import kernel, small

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUOTE, _COLON, _COMMA, _MINUS, _NOUGHT = b'":,-0'
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
            at = _put_number(out, at + 1, bins[k, 0])
            out[at], out[at + 1] = _QUOTE, _COLON
            at = _put_number(out, at + 2, bins[k, 1])
            out[at] = _COMMA
            at += 1
        ends[pane + 1] = at


@small
def _put_number(out: Any, at: Any, number: Any) -> Any:
    """Write a number in decimal; give the next place."""
    if number < 0:
        out[at] = _MINUS
        at += 1
    left = np.uint64(abs(number))
    digits, rest = 1, left // np.uint64(10)
    while rest:
        digits, rest = digits + 1, rest // np.uint64(10)
    for place in range(at + digits - 1, at - 1, -1):
        out[place] = _NOUGHT + left % np.uint64(10)
        left //= np.uint64(10)
    return at + digits
