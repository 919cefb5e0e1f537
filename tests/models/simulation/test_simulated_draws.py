"""Counted draws: even, independent of each other, the same in any portion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from genai_prices import Usage, calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from models.simulation.draws import chosen, keys_of, next_spread, next_unit, stream_of, uniforms
from models.simulation.workflows.models import ALL

if TYPE_CHECKING:
    from models.simulation.workflow import Model


@settings(deadline=None)  # the first draw compiles
@given(st.integers(0, 2**62), st.integers(0, 10_000), st.integers(1, 50))
def test_keys_do_not_depend_on_the_portion(seed: int, first: int, count: int) -> None:
    """The i-th key is the same, whichever keys are asked for with it."""
    stream = stream_of(seed, "x")
    whole = keys_of(stream, first, count)
    assert [int(keys_of(stream, first + i, 1)[0]) for i in range(count)] == whole.tolist()


def test_uniforms_are_even_and_independent() -> None:
    """Means, variances and correlations of 100,000 draws are those of even draws, within 5 standard errors."""
    keys = keys_of(stream_of(1, "even"), 0, 100_000)
    one, two = uniforms(keys, 1), uniforms(keys, 2)
    assert one.min() >= 0
    assert one.max() < 1
    assert abs(one.mean() - 0.5) < 5 * (1 / 12 / 1e5) ** 0.5
    assert abs(one.var() - 1 / 12) < 5 * (1 / 180 / 1e5) ** 0.5
    for other in (two, np.roll(one, 1)):
        assert abs(np.corrcoef(one, other)[0, 1]) < 5 / 1e5**0.5


def test_sequential_draws_are_even_and_spreads_log_normal() -> None:
    """A state gives even draws; spreads have the median and deviation asked for."""
    state = np.array([5], np.uint64)
    units = np.array([next_unit(state) for _ in range(20_000)])
    spreads = np.log([next_spread(state, 3.0, 0.5) for _ in range(20_000)])
    assert units.mean() == pytest.approx(0.5, abs=0.01)
    assert np.median(spreads) == pytest.approx(np.log(3.0), abs=0.02)
    assert spreads.std() == pytest.approx(0.5, abs=0.015)


def test_choices_follow_their_weights() -> None:
    """Positions come as often as their weights say, whatever these add up to."""
    assert chosen(np.array([0.0, 0.24, 0.26, 0.999]), (1.0, 3.0)).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
def test_simulated_models_cost_what_the_price_list_says(model: Model) -> None:
    """Input, cached input and output cost what genai-prices has for the model."""
    for price, usage in (
        (model.input_usd, Usage(input_tokens=10_000)),
        (model.cached_usd, Usage(input_tokens=10_000, cache_read_tokens=10_000)),
        (model.output_usd, Usage(output_tokens=10_000)),
    ):
        listed = calc_price(usage, model_ref=model.name, provider_id=model.provider)
        assert float(listed.total_price) == pytest.approx(price / 100)
