"""Detectors against the plain references of the detection lab: the same alarms at the same looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaln, logsumexp
from scipy.stats import binom, nchypergeom_fisher

from models.drift import bounds, fleet
from models.drift.categories import Categories
from models.drift.cohorts import ODDS_RATIOS, WORSE, Cohorts, log_e_values
from models.drift.exceedance import Exceedance, thresholds
from models.drift.frozen_rate import FrozenRate
from models.drift.known_rate import KnownRate
from models.drift.minute_mean import MinuteMean
from models.drift.past import Past, events_needed
from models.drift.split import Split
from tests.helpers.drift_runs import YEAR, alarms_of

if TYPE_CHECKING:
    from types import SimpleNamespace

    from numpy.typing import NDArray


@pytest.fixture
def failures(lab: SimpleNamespace) -> NDArray[np.int64]:
    """Give failures of 100 a minute: 5 %, from minute 300 on 10 %, [column, stream, minute]."""
    found = lab.scenarios.step(25, 600, 300, 100)
    return np.stack([found, np.full_like(found, 100)])


def test_known_rate(lab: SimpleNamespace, failures: NDArray[np.int64]) -> None:
    """As `esr_alarm_minutes`."""
    expected = lab.reference_detectors.esr_alarm_minutes(failures[0], 100, 0.05, YEAR)
    assert alarms_of(KnownRate(0.05), failures[:, :, :0], failures) == expected
    assert min(map(len, expected)) > 5


def test_minute_mean_with_the_bound_of_the_baseline(lab: SimpleNamespace, failures: NDArray[np.int64]) -> None:
    """Its e-values are those of `minute_mean_bet` at the bound."""
    state = MinuteMean(tolerance=1.0).fit(failures[:, :, :250])
    null = state["null"][0].copy()
    MinuteMean().look(state, failures[:, :, 250])
    expected = lab.reference_detectors.minute_mean_bet(failures[0, :, 250], 100, null)
    assert np.allclose(state["m"][:, 0].T, expected, rtol=1e-12)


def test_frozen_rate_bounds(lab: SimpleNamespace, failures: NDArray[np.int64]) -> None:
    """Clopper-Pearson from both sides, each at half of the level, with effective counts where bursty."""
    state = FrozenRate(tolerance=1.0).fit(failures[:, :, :250])
    failed, phi = failures[0, :, :250].sum(1), state["dispersion"][0]
    upper = lab.reference_detectors.upper_rate(failed, 25_000, bounds.ALPHA / 2, phi)
    assert np.allclose(state["null"][0], upper, rtol=1e-12)
    assert np.allclose(binom.cdf(failed[phi == 1], 25_000, upper[phi == 1]), bounds.ALPHA / 2, rtol=1e-6)


def test_dispersion(lab: SimpleNamespace) -> None:
    """As `dispersion_factor` where all looks are of one size; 1 + 99 x 0.02 for correlated failures."""
    bursty = lab.scenarios.overdispersed(50, 2000, rho=0.02)
    events = np.full_like(bursty, 100)
    found = Past.of(bursty[None], events).dispersion()[0]
    assert np.allclose(found, lab.reference_detectors.dispersion_factor(bursty, 100), rtol=1e-9)
    assert found.mean() == pytest.approx(1 + 99 * 0.02, rel=0.05)


def test_categories(lab: SimpleNamespace) -> None:
    """As `band_esr_alarm_minutes`, on the tool mix."""
    mix = lab.scenarios.tool_mix(15, shift=lab.scenarios.RARE_TOOL_SHIFT)
    counts = np.moveaxis(mix, 2, 0)
    counts = np.concatenate([counts, counts.sum(axis=0, keepdims=True)])
    detector = Categories(categories=8, tolerance=1.0, is_robust=False)
    found = alarms_of(detector, counts[:, :, :150], counts[:, :, 150:])
    expected = lab.reference_detectors.band_esr_alarm_minutes(mix, 100, YEAR, slice(0, 150))
    assert [[look + 150 for look in each] for each in found] == expected


def test_exceedance(lab: SimpleNamespace) -> None:
    """As `band_esr_alarm_minutes` on exceedances, on heavy-tailed cost."""
    bins, _ = lab.scenarios.lognormal_cost(6, minutes=400, multiplier=1.5)
    over = [np.array([thresholds(np.arange(each.shape[1]), each[:100].sum(0))]).ravel() for each in bins]
    counts = np.stack(
        [[each[:, limit + 1 :].sum(1) for limit in limits] for each, limits in zip(bins, over, strict=True)]
    )
    exceeding = np.moveaxis(counts, 0, 1)  # [threshold, stream, minute]
    events = np.full(exceeding.shape[1:], 100)
    detector = Exceedance(tolerance=1.0, is_robust=False)
    both = np.concatenate([exceeding, events[None]])
    found = alarms_of(detector, both[:, :, 100:180], both[:, :, 180:])
    window = np.moveaxis(exceeding, 0, 2)[:, 100:]
    expected = lab.reference_detectors.band_esr_alarm_minutes(window, 100, YEAR, slice(0, 80))
    assert [[look + 80 for look in each] for each in found] == expected
    assert min(map(len, found)) > 0


def test_cohorts(lab: SimpleNamespace) -> None:
    """As `fisher_esr_alarm_minutes`, which bets on worse only, under shared shocks and a daily cycle."""
    a, b = lab.scenarios.cohort_pair(10, 500, 500, 50, 2.0, 250, shared_shock_sd=0.3, swing=0.3)
    counts = np.stack([a, np.full_like(a, 500), b, np.full_like(b, 50)])
    expected = lab.reference_detectors.fisher_esr_alarm_minutes(a, b, 500, 50, YEAR)
    assert alarms_of(Cohorts(odds_ratios=WORSE), counts, counts) == expected
    assert min(map(len, expected)) > 2


@given(st.lists(st.integers(0, 4000), min_size=4, max_size=4), st.floats(0.02, 50.0), st.floats(0.02, 1.0))
def test_cohorts_of_any_size_by_plain_summation(drawn: list[int], high: float, low: float) -> None:
    """Ln E is that of Fisher's noncentral hypergeometric law, summed over all there can be; 0 where only one can."""
    events_a, events_b, failed_a, failed_b = drawn
    failed_a, failed_b, high = min(failed_a, events_a), min(failed_b, events_b), max(high, low)
    counts = np.array([[failed_a], [events_a], [failed_b], [events_b]])
    found = log_e_values(counts, np.array(ODDS_RATIOS), np.array([low]), np.array([high]))[:, 0]
    failed = failed_a + failed_b
    j = np.arange(max(0, failed - events_a), min(events_b, failed) + 1)
    ways = -sum(gammaln(each + 1.0) for each in (j, events_b - j, failed - j, events_a - failed + j))

    def log_likelihood(odds: float) -> float:
        return float(failed_b * np.log(odds) - logsumexp(ways + j * np.log(odds)))

    null = {odds: high if odds > 1 else low for odds in ODDS_RATIOS}
    expected = [log_likelihood(odds * null[odds]) - log_likelihood(null[odds]) for odds in ODDS_RATIOS]
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-7)
    twice = np.repeat(counts, 2, axis=1)
    assert np.array_equal(
        log_e_values(twice, np.array(ODDS_RATIOS)), log_e_values(twice, np.array(ODDS_RATIOS), [1, 1], [1, 1])
    )


@pytest.mark.parametrize("usual", [(1.0, 1.0), (0.7, 1.4)])
def test_no_odds_ratio_within_the_usual_ones_gains(usual: tuple[float, float]) -> None:
    """By exact summation: E[E] <= 1 for every odds ratio of the null, = 1 at its ends, > 1 outside."""
    n_a, n_b, failed = 30, 12, 9
    b = np.arange(failed + 1)
    counts = np.stack([failed - b, np.full_like(b, n_a), b, np.full_like(b, n_b)])
    low, high = (np.full(len(b), each) for each in usual)
    e_values = np.exp(log_e_values(counts, np.array(ODDS_RATIOS), low, high))

    def expectation(odds: float) -> NDArray[np.float64]:
        found: NDArray[np.float64] = e_values @ nchypergeom_fisher.pmf(b, n_a + n_b, failed, n_b, odds)
        return found

    assert expectation(usual[1])[: len(WORSE)] == pytest.approx(1.0)
    assert expectation(usual[0])[len(WORSE) :] == pytest.approx(1.0)
    assert max(expectation(odds).max() for odds in np.linspace(*usual, 9)) <= 1 + 1e-9
    assert expectation(usual[1] * 2)[: len(WORSE)].min() > 1


def test_split(lab: SimpleNamespace, failures: NDArray[np.int64]) -> None:
    """As `split_esr_alarm_minutes`, up to the first alarm; after it times are counted anew."""
    counts = np.stack([failures[0], 100 - failures[0]])[:, :10]
    expected = lab.reference_detectors.split_esr_alarm_minutes(np.moveaxis(counts, 0, 2), YEAR)
    found = alarms_of(Split(), counts, counts)
    assert [each[:1] for each in found] == [each[:1] for each in expected]
    assert all(found)


def test_fleet(lab: SimpleNamespace) -> None:
    """As `e_d_bh`; streams left out of the evidence count all the same."""
    evidence = np.exp(np.random.default_rng(3).normal(6, 4, 2000)) * YEAR
    expected = lab.reference_detectors.e_d_bh(evidence, YEAR)
    assert (fleet.told(evidence / YEAR, 2000) == expected).all()
    large = evidence >= YEAR / fleet.ALPHA
    assert fleet.told(evidence[large] / YEAR, 2000).sum() == expected.sum() > 10


def test_the_size_of_a_baseline() -> None:
    """detection.md 4: 3,000 events find a shift of five points from 5 %, 73,000 one of one point."""
    assert events_needed(0.05, 0.05) == pytest.approx(2921, abs=1)
    assert events_needed(0.05, 0.01) == pytest.approx(73_036, abs=10)
