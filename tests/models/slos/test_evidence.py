"""Evidence against exact sums of binomial probabilities in fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from math import comb

import numpy as np
import pytest

from models.slos.evidence import exceeds, failures_needed, falls_short, fewest_at_all, lower_bound

RATES = (Fraction(1, 1000), Fraction(1, 100), Fraction(1, 20), Fraction("0.144"), Fraction(3, 10), Fraction("0.72"))
CONFIDENCES = ("0.95", "0.99", "0.999")


def tails(total: int, rate: Fraction) -> list[Fraction]:
    """Give P(X >= bad) for bad = 0 to total, exactly."""
    p, q = rate.numerator, rate.denominator - rate.numerator
    terms = [comb(total, k) * p**k * q ** (total - k) for k in range(total, -1, -1)]
    return [Fraction(tail, rate.denominator**total) for tail in accumulate(terms)][::-1]


@pytest.mark.parametrize("rate", RATES)
def test_exceeds_is_the_exact_binomial_test(rate: Fraction) -> None:
    """For every count up to 60, evidence is a tail below 1 - confidence, computed in whole numbers."""
    for total in range(1, 61):
        exact, bads = tails(total, rate), np.arange(total + 1)
        for confidence in CONFIDENCES:
            rates, confidences = np.full(total + 1, float(rate)), np.full(total + 1, float(confidence))
            found = exceeds(bads, np.full(total + 1, total), rates, confidences).tolist()
            expected = [bad > 0 and tail < 1 - Fraction(confidence) for bad, tail in enumerate(exact)]
            assert found == expected, (total, confidence)
            first = expected.index(True) if any(expected) else None
            assert failures_needed(total, float(rate), float(confidence)) == first


@pytest.mark.parametrize("rate", RATES)
def test_falling_short_is_the_exact_binomial_test(rate: Fraction) -> None:
    """The same from the other side: so few bad events are at most as likely as the confidence leaves to chance."""
    for total in range(61):
        exact, bads = tails(total, rate), np.arange(total + 1)
        for confidence in CONFIDENCES:
            rates = np.full(total + 1, float(rate))
            found = falls_short(bads, np.full(total + 1, total), rates, float(confidence)).tolist()
            expected = [1 - tail < 1 - Fraction(confidence) for tail in [*exact[1:], Fraction(0)]]
            assert found == expected, (total, confidence)


def test_the_bound_is_where_the_tail_is_one_minus_confidence() -> None:
    """At the lower bound so many bad events are exactly as likely as the confidence leaves to chance."""
    for total in (1, 2, 7, 10, 33, 60):
        for bad in range(1, total + 1):
            for confidence in (0.95, 0.999):
                bound = lower_bound(bad, total, confidence)
                tail = float(tails(total, Fraction(bound).limit_denominator(10**12))[bad])
                assert tail == pytest.approx(1 - confidence, rel=1e-6)


@pytest.mark.parametrize(
    ("bad", "total", "bound", "burn"),
    [(1, 1, 0.05, 5), (1, 10, 0.005116, 0.51), (2, 10, 0.036771, 3.68), (4, 10, 0.150028, 15.0)],
)
def test_bounds_known_beforehand(bad: int, total: int, bound: float, burn: float) -> None:
    """At 95 % one failure of ten is half of what a 99 % objective allows, not ten times as much."""
    assert lower_bound(bad, total, 0.95) == pytest.approx(bound, abs=5e-7)
    assert lower_bound(bad, total, 0.95) / 0.01 == pytest.approx(burn, abs=0.005)


def test_nothing_bad_is_no_evidence() -> None:
    """The bound is 0, whatever the number of events; no events prove nothing either."""
    zeros = np.zeros(2, np.int64)
    assert lower_bound(0, 1000, 0.999) == 0
    assert not exceeds(zeros, np.array([0, 1000]), np.array([0.01, 1e-9]), np.array([0.95, 0.0])).any()


@pytest.mark.parametrize(("total", "needed"), [(1, None), (3, None), (4, 4), (5, 5), (10, 7), (100, 27)])
def test_failures_that_page_at_ninety_nine_percent(total: int, needed: int | None) -> None:
    """What the fast rule (14.4 times, 99 %) asks for at a confidence of 0.999, counted by hand from exact tails."""
    tail = tails(total, Fraction("0.144"))
    by_hand = next((bad for bad in range(1, total + 1) if tail[bad] < Fraction("0.001")), None)
    assert failures_needed(total, 0.144, 0.999) == by_hand == needed


@pytest.mark.parametrize("confidence", [0.0, 0.5, 0.95, 0.999])
@pytest.mark.parametrize("rate", [0.001, 0.0144, 0.144, 0.5, 0.9, 0.98])
def test_the_fewest_at_all_are_those_that_are_enough_by_themselves(rate: float, confidence: float) -> None:
    """As many of as many; found at once where a factor is all but the ceiling, and that takes a hundred thousand."""
    fewest = fewest_at_all(rate, confidence)
    assert failures_needed(fewest, rate, confidence) == fewest
    assert fewest == 1 or failures_needed(fewest - 1, rate, confidence) is None
    assert 0.99999**690_772 > 0.001 > 0.99999**690_773
    assert fewest_at_all(0.99999, 0.999) == 690_773
