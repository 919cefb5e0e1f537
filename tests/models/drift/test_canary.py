"""A canary beside what is there: only hours that both had count, and what an hour did to both cancels."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.report.canary import line
from models.drift.canary import ALPHA_EACH, HOUR_NS, advice, judge
from models.drift.comparing import Run
from models.drift.confidence import OddsRatio
from models.drift.fixed_start import Advice, compare

START = 490_000 * HOUR_NS


def runs(hours: range, each: int, bad: dict[int, float] | float, seed: int, *, escalated: bool = False) -> list[Run]:
    """Give runs of some hours, of which a share fails: the same in all hours, or by hour."""
    chance, found = np.random.default_rng(seed), []
    for hour in hours:
        failed = chance.random(each) < (bad if isinstance(bad, float) else bad[hour])
        for at, one in enumerate(failed.tolist()):
            ended = START + hour * HOUR_NS + at * HOUR_NS // each
            found.append(Run(not one, escalated and one, 0, 0, 1, 10, None, 1.0, (), 0, ended))
    return found


def test_only_hours_that_both_had_count() -> None:
    """What A did before B began, and while B had no runs, is not held against it."""
    found = judge(runs(range(10), 6, 1.0, 0), runs(range(8, 12), 3, 1.0, 0))[0]
    assert (found.sli, found.a, found.b, found.hours) == ("task_success", (12, 12), (6, 6), 2)
    assert judge(runs(range(3), 5, 0.1, 0), runs(range(3, 6), 5, 0.1, 1)) == []
    assert judge([], runs(range(2), 5, 0.1, 1)) == []


def test_the_hour_that_is_under_way_does_not_count() -> None:
    """It may be over only when a run of the next has come, of either side."""
    a, b = runs(range(3), 5, 0.5, 1), runs(range(3), 5, 0.5, 2)
    assert judge(a, b)[0].hours == 2
    assert judge(a, [*b, *runs(range(3, 4), 1, 0.5, 3)])[0].hours == 3


def test_a_run_whose_clock_is_ahead_makes_no_hour_whole() -> None:
    """One run that ends in a year, or in the next hour: the hour under way still is."""
    a, b = runs(range(3), 5, 0.5, 1), runs(range(3), 5, 0.5, 2)
    now = START + 3 * HOUR_NS - 1
    for ahead in (3, 8760):
        (one,) = runs(range(ahead, ahead + 1), 1, 0.5, 3)
        assert judge([*a, one], b, now)[0].hours == 2
        assert judge([*a, one], [*b, one], now)[0].hours == 2
    assert judge(a, [*b, *runs(range(3, 4), 1, 0.5, 3)], now + 2)[0].hours == 3


def test_a_canary_that_is_as_good_is_hardly_ever_rolled_back() -> None:
    """100 of them, each asked about after every hour of two days, 30 runs an hour a side: none, where 0.1 may be."""
    rolled_back = 0
    for seed in range(100):
        chance = np.random.default_rng(seed)
        counts = np.full((4, 48), 30)
        counts[0], counts[2] = chance.binomial(30, 0.2, 48), chance.binomial(30, 0.2, 48)
        ratio, said = OddsRatio(), set()
        for hour in range(48):
            ratio.look(counts[:, [hour]])
            said.add(compare(ratio, 60 * (hour + 1), alpha=ALPHA_EACH).advice)
        rolled_back += Advice.ROLL_BACK in said
    assert rolled_back == 0


def test_what_an_hour_does_to_both_cancels() -> None:
    """Every fourth hour half of all runs fail, and then most runs are of B: by totals B looks far worse, and is not."""
    bad = {hour: 0.5 if hour % 4 == 0 else 0.05 for hour in range(400)}
    quiet, loud = [hour for hour in range(400) if hour % 4], range(0, 400, 4)
    a = [*runs(loud, 5, bad, 1), *[run for hour in quiet for run in runs(range(hour, hour + 1), 40, bad, hour)]]
    b = [*runs(loud, 60, bad, 2), *[run for hour in quiet for run in runs(range(hour, hour + 1), 5, bad, 900 + hour)]]
    found = {each.sli: each for each in judge(a, b)}["task_success"]
    assert found.b[0] / found.b[1] > 3 * found.a[0] / found.a[1]
    assert found.comparison.advice is not Advice.ROLL_BACK
    assert found.comparison.interval.low <= 1.0 <= found.comparison.interval.high


def test_promoted_rolled_back_or_held() -> None:
    """As good is promoted in the end, worse is rolled back, a few runs are held and it is said how many are missing."""
    a = runs(range(200), 100, 0.1, 1)
    assert advice(judge(a, runs(range(200), 100, 0.1, 2))) is Advice.PROMOTE
    assert advice(judge(a, runs(range(40), 50, 0.2, 2))) is Advice.ROLL_BACK
    held = judge(a, runs(range(4), 5, 0.2, 2))
    assert advice(held) is Advice.HOLD
    assert (held[0].comparison.still_needed or 0) > 100


def test_what_nobody_saw_fail_is_held() -> None:
    """Without a failure on either side there is no odds ratio: nothing is promoted by silence."""
    assert advice(judge(runs(range(9), 9, 0.0, 1), runs(range(9), 9, 0.0, 2))) is Advice.HOLD


@pytest.mark.parametrize("bad", [0.0, 1.0])
def test_of_what_is_all_alike_nobody_says_how_much_is_missing(bad: float) -> None:
    """Neither an odds ratio nor that one more run would decide."""
    found = judge(runs(range(9), 9, bad, 1), runs(range(9), 9, bad, 2))[0]
    assert (found.comparison.odds_ratio, found.comparison.still_needed) == (None, None)
    failed = 8 * 9 if bad else 0
    told = f"bad {failed}/72 of A, {failed}/72 of B in 8 h; all are alike, so nothing is known of its odds: hold"
    assert line(found) == f"task_success: {told}"


def test_what_is_handed_to_people_rolls_back_too() -> None:
    """As many tasks succeed, but B hands over many more."""
    a, b = runs(range(200), 100, 0.2, 1), runs(range(200), 100, 0.2, 2, escalated=True)
    judged = {each.sli: each.comparison.advice for each in judge(a, b)}
    assert judged == {"task_success": Advice.PROMOTE, "escalation_rate": Advice.ROLL_BACK}
    assert advice(judge(a, b)) is Advice.ROLL_BACK
    assert advice(judge(b, a)) is Advice.PROMOTE
