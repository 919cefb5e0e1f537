"""A new version is held against the old one's rates of each type of task, weighed by what the new one is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import beta

from models.drift.bounds import ALPHA
from models.drift.minute import J
from models.drift.mixed_rate import MILLI, MixedRate
from models.drift.nulls_by_task import NullsByTask
from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from models.drift.tables import Tables
from tests.helpers.drift_contrasts import START, Contrasts
from tests.models.drift.test_contrasts_by_task import CHANGE, DAY, alarms, harder, mixed, of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.helpers.drift_contrasts import Part


def replaced(asks: float, asks_of_new: float, at: int) -> Mapping[Part, float]:
    """Version 2 takes the place of version 1 at CHANGE."""
    return mixed(asks, asks_of_new, 1.0 if at >= CHANGE else 0.0)


def test_a_version_that_replaces_another_and_is_asked_for_harder_things_is_no_worse() -> None:
    """One in five of the old version's runs booked, four in five of the new one's: nothing is told in two weeks."""
    made = Contrasts(every=20, with_cost=True)
    told = alarms(made, lambda at: replaced(0.8, 0.2, at), end=CHANGE + 14 * DAY)
    assert of(told, "change", "live") == {}


def test_without_types_it_is_called_worse() -> None:
    """The same runs, that say no type."""
    told = alarms(Contrasts(is_typed=False), lambda at: replaced(0.8, 0.2, at))
    assert "change_rate task_success workflow desk version 2" in told


def test_a_version_that_is_worse_within_each_type_is_named() -> None:
    """Twice the odds in each type, and the mix is as it was: as soon as over all types, five minutes more at most."""
    twice = {"2": {"ask": 0.0582, "book": 1 / 3}}
    told = alarms(Contrasts(), lambda at: replaced(0.8, 0.8, at), twice, CHANGE + 60)
    overall = alarms(Contrasts(is_typed=False), lambda at: replaced(0.8, 0.8, at), twice, CHANGE + 60)
    found = told["change_rate_by_task task_success workflow desk version 2"]
    assert found.alarm <= overall["change_rate task_success workflow desk version 2"].alarm + 5
    assert (found.dimension, found.from_, found.to, found.direction) == ("version", "1", "2", "up")
    assert found.words.endswith("held against 1 within types of task")
    assert found.numbers["before"] == pytest.approx(0.8 * 0.03 + 0.2 * 0.2, abs=0.02)


def test_a_version_that_is_better_over_all_and_worse_in_each_type_is_named() -> None:
    """It is asked for easy things only nearly: three times the odds in each type, and fewer failures than before."""
    thrice = {"2": {"ask": 0.0849, "book": 3 / 7}}
    told = alarms(Contrasts(), lambda at: replaced(0.3, 0.95, at), thrice, CHANGE + 60)
    found = told["change_rate_by_task task_success workflow desk version 2"]
    assert found.is_worse
    assert found.alarm <= START + CHANGE + 40
    assert found.numbers["before"] < found.numbers["rate"] < 0.12


def test_costs_of_each_type_are_held_against_those_of_the_old_version() -> None:
    """Twice the cost of each type, of a version that is asked for cheap things."""
    table, told, made = DriftTable(DriftSettings(least_span=240)), dict[str, str](), Contrasts(with_cost=True)
    for at in range(CHANGE + 60):
        twice = {"2": {"ask": 0.02, "book": 0.1}} if at >= CHANGE else None
        looked = table.look(made.closed(at, replaced(0.5, 0.9, at), None, twice))
        told = {each.key.replace("\x1f", " "): each.direction for each in looked.found if each.alarm} | told
    assert told["change_values_by_task cost_per_task workflow desk version 2"] == "up"


def test_what_the_old_version_was_hardly_asked_is_left_out() -> None:
    """Version 2 is asked for what version 1 had forty runs of: nobody knows how often it should fail."""

    def runs(at: int) -> Mapping[Part, float]:
        return {("1", "acme", "ask"): 100, ("1", "acme", "book"): 0.1} if at < CHANGE else {("2", "acme", "book"): 100}

    assert of(alarms(Contrasts(), runs), "change") == {}


def test_a_null_is_frozen_and_survives_a_restart() -> None:
    """Of both types, as they were when version 2 came."""
    table, made = DriftTable(DriftSettings(least_span=240)), Contrasts()
    for at in range(CHANGE + 5):
        table.look(made.closed(at, harder(at)))
    nulls = table.shard.nulls["rates"]
    table = DriftTable.load(DriftSettings(least_span=240), table.dump(), [])
    for at in range(CHANGE + 5, CHANGE + 20):
        table.look(made.closed(at, harder(at)))
    for name, array in nulls.arrays().items():
        np.testing.assert_array_equal(array, table.shard.nulls["rates"].arrays()[name])
    np.testing.assert_allclose(np.sort(nulls.rates[0]), [0.03, 0.2], atol=0.02)


def test_what_is_allowed_is_the_weighted_mean_of_the_types() -> None:
    """Numbers written out: 30 events of a type with 40 of 1,000, 10 of one with 90 of 300; a third is not known."""
    nulls = NullsByTask(1)
    nulls.add(7, np.array([1, 2]), np.array([[40, 90]]), np.array([1000, 300]), np.ones(1))
    asked = Tables(np.array([7, 7, 7, 8]), np.array([1, 2, 3, 1]), np.array([[2, 4, 5, 1], [30, 10, 50, 9]]))
    ends = [
        (beta.ppf(1 - ALPHA / 2, k + 1, n - k), beta.ppf(ALPHA / 2, k, n - k + 1)) for k, n in ((40, 1000), (90, 300))
    ]
    expected = 30 * 0.04 + 10 * 0.3
    up = np.hypot(30 * (ends[0][0] - 0.04), 10 * (ends[1][0] - 0.3))
    down = np.hypot(30 * (0.04 - ends[0][1]), 10 * (0.3 - ends[1][1]))
    hits, most, least, told, events = nulls.counts(np.array([9, 7]), asked)[:, 1].tolist()
    assert (hits, events) == (6, 40)
    assert most == np.ceil(MILLI * (expected + up))
    assert least == np.floor(MILLI * (expected - down))
    assert told == round(MILLI * expected)
    assert nulls.counts(np.array([9, 7]), asked)[:, 0].tolist() == [0] * 5


@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.2, 0.8), (0.05, 0.95)])
def test_the_bound_of_the_mean_is_missed_as_rarely_as_one(shares: tuple[float, float]) -> None:
    """Of 20,000 baselines of 2,000 events, four in five of the first type, for any mix later: one end in 2,000."""
    chance, rates, many = np.random.default_rng(1), np.array([0.03, 0.2]), 20_000
    events, share = np.array([1600, 400]), np.array(shares)
    hits = chance.binomial(events, rates, (many, 2))
    high = beta.ppf(1 - ALPHA / 2, hits + 1, events - hits)
    most = (share * hits / events).sum(axis=1) + np.sqrt(((share * (high - hits / events)) ** 2).sum(axis=1))
    assert (most < (share * rates).sum()).mean() < 1.5 * ALPHA / 2 + 4 * np.sqrt(ALPHA / 2 / many)


def test_alarms_are_as_rare_whatever_is_asked() -> None:
    """200 streams x 1,000 looks in which the mix wanders from all easy to all hard, at c = 500: 400 are allowed."""
    chance, detector, streams = np.random.default_rng(2), MixedRate(), 200
    past = np.stack(
        [chance.binomial(100, 0.1, (streams, 300)), *np.zeros((3, streams, 300)), np.full((streams, 300), 100)]
    )
    state, nulls = detector.fit(past.astype(np.int64)), NullsByTask(1)
    for each in range(streams):
        hits = chance.binomial(15_000, [0.03, 0.2])
        nulls.add(each, np.array([1, 2]), hits[None], np.array([15_000, 15_000]), np.ones(1))
    series, found = np.arange(streams), 0
    of_, task = np.repeat(series, 2), np.tile([1, 2], streams)
    for look in range(1000):
        hard = round(50 - 50 * np.cos(look / 100))
        events = np.tile([100 - hard, hard], streams)
        asked = Tables(of_, task, np.stack([chance.binomial(events, np.tile([0.03, 0.2], streams)), events]))
        over = detector.look(state, nulls.counts(series, asked.only(events > 0))) >= 500
        found += int(over.sum())
        detector.restart(state, over)
    assert found <= 400


def test_values_have_a_bound_for_each_threshold() -> None:
    """Of J thresholds each has its rates by type."""
    nulls = NullsByTask(J)
    hits = np.arange(J)[::-1, None] * np.array([[10, 20]])
    nulls.add(3, np.array([1, 2]), hits, np.array([100, 200]), np.ones(J))
    counts = nulls.counts(np.array([3]), Tables(np.array([3]), np.array([2]), np.full((J + 1, 1), 4)))
    assert counts.shape == (4 * J + 1, 1)
    assert counts[3 * J : 4 * J, 0].tolist() == [round(MILLI * 4 * each / 200) for each in hits[:, 1]]
