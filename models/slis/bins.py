"""Log bins 2 % wide: bin k holds the values in (1.02**(k-1), 1.02**k], so k = ceil(log(v) / log(1.02)).

The edges are exact powers rounded once to a double, and a value is compared with them: the bin of a value is the same
on every machine, whatever its logarithm does in the last bit. Values <= 0 lie in the bin `ZERO`; values beyond
1.02**±4095 (about 6e-36 and 1.6e35) lie in the first and last bin.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from models.kernels import allocating

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ZERO = -4096
"""The bin of values <= 0."""

LOWEST, HIGHEST = -4095, 4095

OVER = 1 << 14
"""Added to the bin of a value over its SLI's cap, in cells and state: the cap is counted exactly, also inside a bin."""

NOTHING = -(1 << 15)
"""The bin of NaN: no value, not counted."""

MAX_RELATIVE_ERROR = 0.02 / 2.02
"""Of `value_of(bin_of(v))` against v: 0.99 %."""

_INVERSE_LOG = 1 / math.log(1.02)
_ORIGIN = -ZERO  # EDGES[k + _ORIGIN] is the upper edge of bin k


def _edges() -> NDArray[np.float64]:
    context = Context(prec=60)
    step = Decimal("1.02")
    edge = context.power(step, ZERO)
    edges = []
    for _ in range(ZERO, HIGHEST + 1):
        edges.append(float(edge))
        edge = context.multiply(edge, step)
    return np.array(edges)


EDGES = _edges()


@allocating
def _bin_of(v: Any, edges: Any) -> Any:
    if np.isnan(v):
        return NOTHING
    if v <= 0.0:
        return ZERO
    if v > edges[-1]:
        return HIGHEST
    k = min(max(math.ceil(math.log(v) * _INVERSE_LOG), LOWEST), HIGHEST)
    while k > LOWEST and v <= edges[k - 1 + _ORIGIN]:
        k -= 1
    while k < HIGHEST and v > edges[k + _ORIGIN]:
        k += 1
    return k


@allocating
def _bins_of(values: Any, caps: Any, edges: Any, out: Any) -> None:
    for h in range(values.shape[0]):
        for row in range(values.shape[1]):
            k = _bin_of(values[h, row], edges)
            out[h, row] = k + OVER if values[h, row] > caps[h] else k


def bins_of(values: NDArray[np.float64], caps: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin values [histogram, row] with one cap a histogram (infinite: none); values over it lie in bin + OVER."""
    out = np.empty(values.shape, np.int64)
    _bins_of(values, caps, EDGES, out)
    return out


def bin_of(value: float) -> int:
    """Give the bin of one value; NOTHING for NaN."""
    return int(_bin_of(float(value), EDGES))


_LOW, _HIGH = EDGES[:-1], EDGES[1:]
VALUES = np.concatenate([[0.0], 2 * _LOW / (1 + _LOW / _HIGH)])
"""VALUES[k - ZERO] represents bin k: 2ab/(a+b) of its edges, the value with the smallest worst relative error."""


def value_of(k: int) -> float:
    """Give the representative value of a bin, within MAX_RELATIVE_ERROR of every value in it; 0 for ZERO."""
    return float(VALUES[k - ZERO])


def quantile(bins: Mapping[int, int], q: float) -> float | None:
    """Give the nearest-rank quantile: the bin of the ceil(q * n)-th smallest of n values, as its representative.

    `bins` maps bin to count; counts <= 0 are left out. None when nothing is counted. The result is within
    MAX_RELATIVE_ERROR of that value.
    """
    counted = sorted((k, count) for k, count in bins.items() if count > 0)
    rank = rank_of(sum(count for _, count in counted), q)
    for k, count in counted:
        rank -= count
        if rank <= 0:
            return value_of(k)
    return None


def rank_of(n: int, q: float) -> int:
    """Give ceil(q * n), at least 1, with q taken for the decimal it is written as: 0.07 of 100 is 7."""
    exact = Fraction(q).limit_denominator(10_000)
    return max(1, -(-exact.numerator * n // exact.denominator))
