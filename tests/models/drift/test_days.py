"""Costs, failures and mixes that follow the hours of the day: no change, before two weeks are known and after."""

from __future__ import annotations

import numpy as np
import pytest

from models.drift import band, envelope
from models.drift.bounds import ALPHA
from models.drift.day import Day
from models.drift.past import Past
from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from models.slis.packing import pack, unpack
from tests.helpers.drift_days import DAY, Days, Watched

HOUR = np.arange(24)
MANY = 4000


def day_of(rates: object, events: int = 1200, seed: int = 1) -> Day:
    """Draw days [1, 24, MANY] of rates by hour."""
    of = np.full((24, MANY), events)
    hits = np.random.default_rng(seed).binomial(of, np.broadcast_to(np.asarray(rates)[:, None], of.shape))
    return Day(hits[None], of)


def wave(rate: float, by: float) -> object:
    """Give a rate by hour that rises and falls by a share of it."""
    return rate * (1 + by * np.sin(2 * np.pi * HOUR / 24))


def with_outage(rates: object, hours: int, to: float = 0.5) -> object:
    """Give the rates with an outage from five o'clock on."""
    return np.where(np.isin(HOUR, range(5, 5 + hours)), to, rates)


@pytest.mark.parametrize("hours", [0, 1, 2])
def test_what_happened_once_is_no_cycle(hours: int) -> None:
    """Of days without a cycle, with an outage of an hour or two or none, one in a thousand seems to have one."""
    found = day_of(with_outage(np.full(24, 0.05), hours)).follows().sum()
    assert found <= 0.001 * MANY + 4 * (0.001 * MANY) ** 0.5


def test_bursts_of_an_hour_are_no_cycle() -> None:
    """Rates that wander from hour to hour: of so many days a few in a thousand seem to have a cycle."""
    rates = np.random.default_rng(2).beta(5, 95, (24, MANY))
    hits = np.random.default_rng(3).binomial(1200, rates)
    assert Day(hits[None], np.full_like(hits, 1200)).follows().mean() <= 0.005


def test_cycles_are_found() -> None:
    """10 % of a half, 40 % of a twentieth, twice as many in office hours; also where an outage hides it."""
    office = np.where((HOUR >= 9) & (HOUR < 17), 0.1, 0.05)
    for rates in (wave(0.5, 0.1), wave(0.05, 0.4), office, with_outage(wave(0.05, 0.4), 1)):
        assert day_of(rates).follows().mean() > 0.99


def test_the_bounds_hold_all_hours_and_no_outage() -> None:
    """A cycle of 40 % lies within, but for what smoothing takes; an outage of an hour is no hour of it."""
    none = np.ones((1, MANY))
    low, high = day_of(wave(0.05, 0.4)).bounds(none)
    smoothed = 0.05 * (1 + 0.4 * np.array([-0.933, 0.933]))
    assert ((low > smoothed[0]) | (high < smoothed[1])).mean() <= ALPHA
    assert np.median(high) < 0.09
    _, with_one = day_of(with_outage(wave(0.05, 0.4), 1)).bounds(none)
    assert np.median(with_one) < 0.09


def test_few_hours_or_few_hits_are_not_asked() -> None:
    """A quarter of a day, or three failures an hour: the null is that of the mean."""
    few = day_of(np.where(HOUR < 6, 0.5, 0.0))
    assert not Day(few.hits, np.where(HOUR[:, None] < 6, few.events, 0)).follows().any()
    assert not day_of(wave(0.05, 0.9), events=60).follows().any()


def test_who_has_no_cycle_is_held_against_the_mean_as_ever() -> None:
    """The same null, to the bit, beside others that follow the hours; theirs is never narrower."""
    chance, minutes = np.random.default_rng(4), np.arange(DAY)
    rates = np.stack([np.full(DAY, 0.3), 0.3 * (1 + 0.3 * np.sin(2 * np.pi * (minutes // 60) / 24))])
    hits = chance.binomial(50, rates)
    past, by_hour = Past.of(hits[None], np.full_like(hits, 50)), hits.reshape(2, 24, 60).sum(axis=2).T
    day = Day(by_hour[None], np.full((24, 2), 3000))
    assert day.follows().tolist() == [False, True]
    plain, state = band.start(past), envelope.start(past, day, day.follows())
    for name, array in plain.items():
        np.testing.assert_array_equal(array[..., 0], state[name][..., 0])
    assert (state["null"][:, 1] > plain["null"][:, 1]).all()
    assert day.dispersion(past)[0] == pytest.approx(1.0, abs=0.2)


@pytest.mark.slow
def test_costs_and_tools_that_follow_the_hours() -> None:
    """Of twenty workflows whose costs, tools and failures of one rise and fall by a tenth, none alarms in two weeks."""
    days = Days(cost=0.1, share=0.1, failing=0.1)
    assert Watched(days).watch(0, 13 * DAY).alarms == {}


@pytest.fixture(scope="module")
def learnt() -> bytes:
    """Give twenty workflows that have followed the hours by a fifth for two weeks, and by now are known to."""
    watched = Watched(Days(cost=0.2, share=0.2, failing=0.4)).watch(0, 14 * DAY + 120)
    assert watched.alarms == {}
    assert watched.streams("week_values") == watched.streams("week_values_hourly") == 20
    assert watched.streams("own_values") == watched.streams("own_values_hourly") == 0
    tools = [stream.series % 4 for stream in watched.table.banks["week_rate"].streams]
    assert tools.count(2) == 20
    return watched.table.dump()


def again(state: bytes, seed: int) -> Watched:
    """Go on from a state, with other chance."""
    watched = Watched(Days(cost=0.2, share=0.2, failing=0.4, seed=seed))
    watched.table = DriftTable.load(DriftSettings(), state, [])
    return watched


@pytest.mark.slow
def test_the_third_week_is_as_the_first_two(learnt: bytes) -> None:
    """By the hours of the week, which are not those of one day."""
    watched = again(learnt, 2).watch(14 * DAY + 120, 17 * DAY)
    assert watched.alarms == {}


@pytest.mark.slow
@pytest.mark.parametrize("hour", [6, 18])
def test_a_change_is_found_against_the_same_hours(learnt: bytes, hour: int) -> None:
    """Costs x 1.5 within 45 minutes, at the dearest hour as the cheapest; a tool that fails twice as often in a day."""
    watched, change = again(learnt, 3), 15 * DAY + 60 * hour
    watched.watch(change - 120, change)
    assert watched.alarms == {}
    watched.watch(change, change + DAY, dearer=1.5, worse=2.0)
    costs, tools = watched.times("week_values"), watched.times("week_rate", "a")
    assert (len(costs), len(tools)) == (20, 20)
    assert np.median(costs) <= change + 45
    words = [words for (key, _), words in watched.words.items() if key.startswith("week_values ")]
    assert {each.split()[0:3] == ["the", "share", "over"] and "rose from" in each for each in words} == {True}


@pytest.mark.slow
@pytest.mark.parametrize("outage", [range(0), range(330, 390)])
def test_a_change_is_found_in_the_first_days(outage: range) -> None:
    """Costs x 1.5, a tool that fails twice as often and is called half as often again: on the fourth day.

    An outage of an hour in the first is no hour of the cycle. Costs have no baseline then: it asks for more events.
    """
    watched, change = Watched(Days(every=10, cost=0.2, share=0.2, failing=0.4, outage=outage)), 3 * DAY + 360
    watched.watch(0, change)
    assert watched.alarms == {}
    watched.watch(change, change + 240, dearer=1.5, worse=2.0, more=1.5)
    assert len(watched.times("own_rate", "a")) == len(watched.times("tool_mix")) == 20
    assert outage or len(watched.times("own_values")) == 20


@pytest.mark.slow
def test_cut_in_the_middle_it_goes_on_alike() -> None:
    """From a dump within the first day and the minutes since: the same nulls and evidence, to the bit."""
    whole, cut = (Watched(Days(cost=0.2, share=0.2, failing=0.4, workflows=3)) for _ in range(2))
    whole.watch(0, 3 * DAY)
    cut.watch(0, 720)
    base = cut.table.dump()
    cut.table.take_delta()
    cut.watch(720, 810)
    cut.table = DriftTable.load(DriftSettings(), base, [cut.table.take_delta()])
    cut.watch(810, 3 * DAY)
    assert cut.table.dump() == whole.table.dump()
    assert len(cut.table.banks["own_values"]) == len(cut.table.banks["tool_mix"]) == 3


@pytest.mark.slow
def test_what_two_weeks_deny_is_held_against_the_mean_again() -> None:
    """Five hours of trouble in the first day seem to be a cycle; two weeks show none: the null is that of the mean."""
    watched = Watched(Days(workflows=3, every=30, outage=range(300, 600))).watch(0, 14 * DAY)
    bank, learner = watched.table.banks["own_values"], watched.table.shard.learners["values"]
    series = np.array([stream.series for stream in bank.streams])
    plain = band.start(Past(*(array[..., series] for array in learner.past)))
    assert (bank.state["null"] >= plain["null"]).all()
    assert (bank.state["null"] > plain["null"]).any()
    watched.watch(14 * DAY, 14 * DAY + 120)
    assert len(bank) == 3
    for name in ("null", "dispersion", "by_mean"):
        np.testing.assert_array_equal(bank.state[name], plain[name])


def old_state(state: bytes) -> bytes:
    """Give a state as it was written when only rates of workflows had hours."""
    arrays = unpack(state[8:])
    kept = {
        name: array for name, array in arrays.items() if not name.startswith("week_values") and "by_hour" not in name
    }
    kept = {name: array for name, array in kept.items() if not name.startswith("weeks_values")}
    kept["weeks.failed"] = kept.pop("weeks.hits")[0].astype(np.int64)
    kept["weeks.events"], kept["weeks.squares"] = kept["weeks.events"].astype(np.int64), kept["weeks.squares"][:, 0]
    for name in ("week_rate", "week_rate_hourly"):
        kept[f"{name}.state_rate"] = kept[f"{name}.state_rate"][0]
        kept[f"{name}.state_dispersion"] = kept[f"{name}.state_dispersion"][0]
    raw = pack(kept)
    return len(raw).to_bytes(8, "little") + raw


@pytest.mark.slow
def test_a_state_from_before_goes_on(learnt: bytes) -> None:
    """Its streams by hours are as they were; values and mixes have none yet."""
    now, before = again(learnt, 5), again(old_state(learnt), 5)
    for watched in (now, before):
        watched.watch(14 * DAY + 120, 14 * DAY + 300)
    np.testing.assert_array_equal(now.table.banks["week_rate"].m, before.table.banks["week_rate"].m)
    assert (now.streams("week_values"), before.streams("week_values")) == (20, 0)


@pytest.mark.slow
def test_a_state_from_before_a_baseline_was_frozen_goes_on() -> None:
    """What it had seen is not known by hour: those streams are held against their mean, as they were."""
    watched = Watched(Days(cost=0.2, share=0.2, workflows=3)).watch(0, 600)
    watched.table = DriftTable.load(DriftSettings(), old_state(watched.table.dump()), [])
    watched.watch(600, 4 * DAY)
    bank, learner = watched.table.banks["own_values"], watched.table.shard.learners["values"]
    series = np.array([stream.series for stream in bank.streams])
    plain = band.start(Past(*(array[..., series] for array in learner.past)))
    assert len(series) == 3
    np.testing.assert_array_equal(bank.state["null"], plain["null"])
    assert watched.streams("tool_mix") == 3


@pytest.mark.slow
def test_a_state_from_before_without_values_since_goes_on() -> None:
    """Costs have a baseline in a minute that has none, the first since: no hours of them are known at all."""
    watched = Watched(Days(workflows=1, every=5)).watch(0, DAY + 50)
    assert watched.streams("own_values") == 0
    watched.table = DriftTable.load(DriftSettings(), old_state(watched.table.dump()), [])
    quiet = watched.days.closed(DAY + 50)._replace(bins=np.empty((0, 3), np.int64))
    watched.table.look(quiet)
    assert watched.streams("own_values") == 1
