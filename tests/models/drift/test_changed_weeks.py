"""A change within the first two weeks is no baseline of hours: who has changed stays against its earlier past."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.drift.learner import Learner
from models.drift.settings import Accepted, DriftSettings
from models.drift.table import DriftTable
from models.drift.weeks import Held, Weeks
from models.slis.closing import Closed
from models.slis.readings import Label
from tests.helpers.drift_days import Days
from tests.helpers.drift_days import Watched as WatchedDays

START, DAY, MANY = 29_000_160, 1440, 200
LABELS = [Label("task_success", {"workflow": "cycle"}, histogram=False, whole=False)]


def usual(at: int) -> float:
    """Give the share of failures that follows the hour: 3 to 7 %."""
    return 0.05 + 0.02 * math.sin(2 * math.pi * (at // 60 % 24) / 24)


def worse(rate: float, odds_ratio: float) -> float:
    """Give the rate at so many times the odds."""
    return rate * odds_ratio / (1 - rate + rate * odds_ratio)


def settled(
    days: int = 14,
    change: float = 99,
    by: float = 1.0,
    bursts: float = 0.0,
    weekend: float = 1.0,
    wander: float = 0.0,
    until: float = 99,
) -> Weeks:
    """Give 200 series of 600 events an hour that have been asked after that many days.

    `bursts`: correlation within an hour. `wander`: standard deviation of the logarithm of a day's rate.
    """
    chance, weeks, series, events = np.random.default_rng(1), Weeks(), np.arange(MANY), np.full(MANY, 600)
    learner, of_day = Learner(1, 1), np.ones(MANY)
    learner.grow(MANY)
    for hour in range(24 * days + 1):
        at = 60 * hour
        rate = worse(usual(at), by if change * DAY <= at < until * DAY else 1.0) * (
            weekend if at // DAY % 7 in (2, 3) else 1.0
        )
        of_day = of_day if at % DAY else np.exp(chance.normal(0, wander, MANY))
        rate = rate * of_day
        rates = chance.beta(rate / bursts, (1 - rate) / bursts) if bursts else rate
        hits = chance.binomial(events, rates)[None]
        if hour <= 24:
            learner.take(hits, events, START + at)
        weeks.take(series, hits, events, START + at)
        weeks.settle(14 * DAY, START + at, learner)
    return weeks


@pytest.mark.parametrize(
    "how", [{}, {"bursts": 0.005}, {"weekend": 0.5}, {"weekend": 2.0, "bursts": 0.005}, {"wander": 0.05}]
)
def test_who_has_not_changed_gets_its_hours(how: dict[str, float]) -> None:
    """More than 95 in 100, whatever the week is like and however bursty its hours are."""
    assert (settled(**how).frozen > 0).mean() >= 0.96  # type: ignore[arg-type]


@pytest.mark.parametrize("day", [1.5, 5, 7, 10, 12])
@pytest.mark.parametrize("by", [1.5, 0.5])
def test_who_has_changed_does_not(day: float, by: float) -> None:
    """Odds of failure half as high again, or half: on the second day as on the thirteenth."""
    weeks = settled(change=day, by=by, bursts=0.001)
    assert (weeks.frozen == 0).mean() >= 0.95
    assert (weeks.held > Held.NOT).mean() >= 0.95


def test_a_change_that_lasts_is_no_baseline_two_weeks_later() -> None:
    """Week three and four are alike, and nothing like the past that the alarm is about."""
    assert (settled(29, change=5, by=2.0).held > Held.NOT).mean() >= 0.98


def test_who_is_as_before_gets_its_hours_two_weeks_later() -> None:
    """Trouble from the tenth day on, over on the fifteenth: held for two weeks more, and then no longer."""
    weeks = settled(29, change=9, by=2.0, until=14)
    assert (weeks.held == Held.NOT).mean() >= 0.98
    assert (weeks.frozen > START + 27 * DAY).mean() >= 0.98


def watched(table: DriftTable, seed: int, first: int, last: int, by: float) -> list[set[str]]:
    """Give, look by look, the watches in alarm about a workflow whose odds of failure are `by` times the usual."""
    chance, total, none, out = np.random.default_rng(seed), np.array([100]), np.empty((0, 3), np.int64), []
    for at in range(first, last, 10):
        good = total - chance.binomial(total, worse(usual(at), by))
        closed = Closed(START + at + 1, 0, LABELS, np.array([START + at]), np.array([0]), total, good, none)
        out.append({each.watch for each in table.look(closed).evidence if each.alarm})
    return out


@pytest.mark.slow
@pytest.mark.parametrize("day", [5, 10])
def test_an_alarm_is_not_gone_on_the_fourteenth_day(day: int) -> None:
    """It came within a day, and is there in the third week as in the second; accepted, it is over."""
    table = DriftTable(DriftSettings())
    assert not any(watched(table, 1, 0, day * DAY, 1.0))
    assert {"own_rate"} in watched(table, 2, day * DAY, day * DAY + DAY, 2.0)
    second = watched(table, 3, day * DAY + DAY, 14 * DAY, 2.0)
    third = watched(table, 4, 14 * DAY, 15 * DAY, 2.0)
    in_alarm = [np.mean(["own_rate" in each for each in week]) for week in (second, third)]
    assert min(in_alarm) > 0.1  # at hours that rise above the highest of the past
    assert len(table.banks["week_rate"]) == len(table.banks["week_rate_hourly"]) == 0
    table = DriftTable.load(DriftSettings(), table.dump(), [])
    assert table.shard.weeks["rates"].held.tolist() == [Held.CHANGED]
    table.accept([Accepted("cycle", START + 15 * DAY)])
    assert not any(watched(table, 5, 15 * DAY, 16 * DAY, 2.0))
    assert table.shard.weeks["rates"].held.tolist() == [Held.NOT]


@pytest.mark.slow
def test_costs_that_rose_in_the_first_two_weeks_are_no_baseline() -> None:
    """Half as dear again from the sixth day on, with hours a fifth apart: none of five workflows gets its hours."""
    days = WatchedDays(Days(workflows=5, cost=0.2)).watch(0, 5 * DAY)
    assert days.alarms == {}
    days.watch(5 * DAY, 14 * DAY + 120, dearer=1.5)
    assert days.streams("week_values") == 0
    weeks = days.table.shard.weeks["values"]
    assert weeks.held[weeks.places(np.arange(0, 20, 4))].tolist() == 5 * [Held.CHANGED]
    assert len(days.times("own_values")) == 5
