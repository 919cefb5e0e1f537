"""Log bins: exact edges, stated error, nearest-rank quantiles."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.slis.bins import (
    EDGES,
    HIGHEST,
    LOWEST,
    MAX_RELATIVE_ERROR,
    NOTHING,
    OVER,
    ZERO,
    bin_of,
    bins_of,
    quantile,
    rank_of,
    value_of,
)

STEP = Fraction(51, 50)
values = st.floats(min_value=1e-9, max_value=1e15)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 0), (1.02, 1), (1.03, 2), (0.99, 0), (0.98, -1), (0, ZERO), (-3, ZERO), (math.inf, HIGHEST), (1e-300, LOWEST)],
)
def test_hand_computed_bins(value: float, expected: int) -> None:
    """A value lies in bin ceil(log(v) / log(1.02)); zero and below have their own, extremes the outermost."""
    assert bin_of(value) == expected


def test_nan_is_no_value() -> None:
    """NaN is not counted."""
    assert bin_of(math.nan) == NOTHING


@pytest.mark.parametrize("k", [-1500, -700, -1, 0, 1, 2, 35, 500, 1500])
def test_edges_are_the_nearest_doubles_of_the_exact_powers(k: int) -> None:
    """The upper edge of bin k is 1.02**k, correctly rounded."""
    exact = STEP**k
    assert EDGES[k - ZERO] == exact.numerator / exact.denominator


@given(st.integers(LOWEST + 1, HIGHEST - 1))
def test_an_edge_belongs_to_the_bin_below_it(k: int) -> None:
    """At an edge, one step of floating noise decides, always the same way."""
    edge = float(EDGES[k - ZERO])
    assert bin_of(edge) == k
    assert bin_of(math.nextafter(edge, math.inf)) == k + 1
    assert bin_of(math.nextafter(edge, 0)) == k


@given(values)
def test_bins_agree_with_the_edges(value: float) -> None:
    """The compiled search gives what looking the edges up gives."""
    assert bin_of(value) == int(np.searchsorted(EDGES, value, side="left")) + ZERO


@given(values)
def test_the_representative_is_within_the_stated_error(value: float) -> None:
    """No value is further from its bin's representative than MAX_RELATIVE_ERROR."""
    assert abs(value_of(bin_of(value)) - value) / value <= MAX_RELATIVE_ERROR * (1 + 1e-12)


def test_values_over_the_cap_are_set_apart() -> None:
    """A cap inside a bin is exact: 150 and 151 share a bin, and only 151 is over a cap of 150."""
    found = bins_of(np.array([[150.0, 151.0], [150.0, 151.0]]), np.array([150.0, math.inf]))
    assert bin_of(150) == bin_of(151)
    assert found.tolist() == [[bin_of(150), bin_of(151) + OVER], [bin_of(150), bin_of(151)]]


@given(st.lists(values, min_size=1, max_size=60), st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_quantiles_are_nearest_rank(sample: list[float], q: float) -> None:
    """The quantile is the bin of the ceil(q n)-th smallest value."""
    bins: dict[int, int] = {}
    for value in sample:
        bins[bin_of(value)] = bins.get(bin_of(value), 0) + 1
    nth = sorted(sample)[max(1, math.ceil(Fraction(str(q)) * len(sample))) - 1]
    assert quantile(bins, q) == value_of(bin_of(nth))


def test_rank_takes_q_as_it_is_written() -> None:
    """0.07 of 100 is the 7th, though 0.07 * 100 is a little more than 7 in floating point."""
    assert rank_of(100, 0.07) == 7


def test_nothing_counted_has_no_quantile() -> None:
    """No values, no quantile; a bin that was corrected away does not count."""
    assert quantile({}, 0.5) is None
    assert quantile({3: 0, 5: 1}, 0.01) == value_of(5)
