"""A canary of fixed start: what is as good is hardly ever rolled back, what is worse is; what is missing is said."""

from __future__ import annotations

import numpy as np

from models.drift.confidence import OddsRatio, of_rate
from models.drift.fixed_start import Advice, Comparison, compare


def judged(rate_b: float, looks: int, seed: int, *, events: int = 100) -> list[Comparison]:
    """Judge after every tenth look of `events` of each side; A fails in 10 %."""
    chance, ratio, found = np.random.default_rng(seed), OddsRatio(), []
    for look in range(10, looks + 1, 10):
        counts = np.full((4, 10), events)
        counts[0], counts[2] = chance.binomial(events, 0.1, 10), chance.binomial(events, rate_b, 10)
        ratio.look(counts)
        found.append(compare(ratio, 2 * events * look))
    return found


def test_what_is_as_good_is_promoted_and_never_rolled_back() -> None:
    """20 canaries, looked at 30 times each: alpha is a thousandth."""
    advice = [[each.advice for each in judged(0.1, 300, seed)] for seed in range(20)]
    assert not any(Advice.ROLL_BACK in each for each in advice)
    assert sum(each[-1] is Advice.PROMOTE for each in advice) >= 18


def test_what_is_worse_is_rolled_back() -> None:
    """Odds ratio 1.8, which lies in the interval; first it is held, with what is still missing."""
    found = judged(1 / 6, 150, 3, events=20)
    assert found[-1].advice is Advice.ROLL_BACK
    assert found[-1].still_needed is None
    assert found[-1].interval.low <= 1.8 <= found[-1].interval.high
    held = [each for each in found if each.advice is Advice.HOLD]
    assert held
    assert all(each.still_needed for each in held)


def test_the_interval_of_a_rate_holds_at_every_look() -> None:
    """200 streams of 300 events at 10 %, looked at every ten: the truth is left by at most 5 % of them, ever."""
    chance = np.random.default_rng(1)
    left = 0
    for _ in range(200):
        hits = np.cumsum(chance.random(300) < 0.1)[9::10].tolist()
        intervals = [of_rate(hit, 10 * (at + 1)) for at, hit in enumerate(hits)]
        left += any(not each.low <= 0.1 <= each.high for each in intervals)
    assert left <= 10 + 9
