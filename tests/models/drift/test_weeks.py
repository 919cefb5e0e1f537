"""Rates that follow the hours of the day: the cycle is found, is no change, and does not hide one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.drift.band import BURSTY
from models.drift.bank import Bank, Stream
from models.drift.day import Day
from models.drift.hour_of_week import HourOfWeek, start
from models.drift.learner import Learner
from models.drift.settings import Accepted, DriftSettings
from models.drift.table import DriftTable
from models.drift.weeks import Clock, Weeks
from models.slis.closing import Closed
from models.slis.readings import Label

START = 29_000_160
"""Unix minute of the first look: the beginning of a day."""
DAY = 1440
EVERY = 10
"""Minutes between two that have events."""
LABELS = [Label("task_success", {"workflow": name}, histogram=False, whole=False) for name in ("cycle", "flat")]


def usual(at: int) -> float:
    """Give the share of failures that follows the hour: 2 to 8 %."""
    return 0.05 + 0.03 * math.sin(2 * math.pi * (at // 60 % 24) / 24)


def panes(chance: np.random.Generator, at: int, rates: tuple[float, float], tasks: int = 300) -> Closed:
    """Give the panes of minute START + `at`."""
    total = np.full(2, tasks)
    good = total - chance.binomial(total, rates)
    look = np.full(2, START + at)
    return Closed(START + at + 1, 0, LABELS, look, np.arange(2), total, good, np.empty((0, 3), np.int64))


class Watched:
    """A shard that is watched; alarms by (watch, workflow): minute of the first."""

    def __init__(self, seed: int, settings: DriftSettings = DriftSettings()) -> None:  # noqa: B008 - frozen
        self.table, self.chance = DriftTable(settings), np.random.default_rng(seed)
        self.alarms: dict[tuple[str, str], int] = {}
        self.lasting: set[tuple[str, str]] = set()
        self.found: dict[tuple[str, str], object] = {}

    def watch(self, first: int, last: int, worse: float = 1.0) -> Watched:
        """Watch these minutes; the odds of failure are `worse` times the usual."""
        for at in range(first, last, EVERY):
            odds = [worse * rate / (1 - rate) for rate in (usual(at), 0.05)]
            looked = self.table.look(panes(self.chance, at, (odds[0] / (1 + odds[0]), odds[1] / (1 + odds[1]))))
            self.lasting = {(each.watch, each.workflow) for each in looked.evidence if each.alarm}
            for each in looked.found:
                if each.alarm:  # as it was described when it came into alarm
                    self.found.setdefault((each.key.split("\x1f")[0], each.workflow), each)
            for key in self.lasting:
                self.alarms.setdefault(key, at)
        return self

    def streams(self, watch: str) -> list[str]:
        """Name the workflows whose task_success a watch has streams of."""
        labels = self.table.shard.roles.labels
        return [labels[stream.series].group["workflow"] for stream in self.table.banks[watch].streams]


@pytest.fixture(scope="module")
def learnt() -> bytes:
    """Give a shard that has seen two weeks, and the third, in which nothing changed."""
    watched = Watched(1).watch(0, 14 * DAY + EVERY)
    assert watched.alarms == {}
    assert (watched.streams("own_rate"), watched.streams("own_rate_hourly")) == (["flat"], ["flat"])
    assert watched.streams("week_rate") == watched.streams("week_rate_hourly") == ["cycle"]
    watched.watch(14 * DAY + EVERY, 21 * DAY)
    assert watched.alarms == {}
    return watched.table.dump()


@pytest.mark.slow
@pytest.mark.parametrize("hour", [4, 17])
def test_a_change_is_found_at_any_hour(learnt: bytes, hour: int) -> None:
    """Twice the odds of failure, at the worst hours as at the best, within four hours; dated, and explained."""
    watched, change = Watched(2), 21 * DAY + 60 * hour
    watched.table = DriftTable.load(DriftSettings(), learnt, [])
    watched.watch(21 * DAY, change)
    assert watched.alarms == {}
    watched.watch(change, change + 360, worse=2.0)
    assert watched.alarms["week_rate", "cycle"] <= change + 240
    found = watched.found["week_rate", "cycle"]
    assert abs(found.since - START - change) <= 60  # type: ignore[attr-defined]
    assert (found.detector, found.from_) == ("hour_of_week", "the same hours of the week")  # type: ignore[attr-defined]
    expected = np.mean([usual(at) for at in range(change, change + 240)])
    assert found.numbers["before"] == pytest.approx(expected, rel=0.3)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_an_alarm_ends_when_the_hours_are_as_they_were(learnt: bytes) -> None:
    """Six hours of trouble, then every hour is what it was: it ends, whatever hours came since."""
    watched, change = Watched(3), 21 * DAY
    watched.table = DriftTable.load(DriftSettings(), learnt, [])
    watched.watch(change, change + 360, worse=2.0)
    assert ("week_rate", "cycle") in watched.lasting
    watched.watch(change + 360, change + 360 + 180)
    assert ("week_rate", "cycle") not in watched.lasting


@pytest.mark.slow
def test_cut_anywhere_it_goes_on_alike(learnt: bytes) -> None:
    """From a dump and the minutes since: the same streams and evidence, to the bit."""
    whole, cut = Watched(4), Watched(4)
    whole.table = DriftTable.load(DriftSettings(), learnt, [])
    cut.table = DriftTable.load(DriftSettings(), learnt, [])
    whole.watch(21 * DAY, 21 * DAY + 600, worse=1.5)
    cut.watch(21 * DAY, 21 * DAY + 250, worse=1.5)
    cut.table = DriftTable.load(DriftSettings(), learnt, [cut.table.take_delta()])
    cut.watch(21 * DAY + 250, 21 * DAY + 600, worse=1.5)
    assert (cut.table.banks["week_rate"].m == whole.table.banks["week_rate"].m).all()
    assert cut.table.dump() == whole.table.dump()


@pytest.mark.slow
def test_what_is_accepted_is_learnt_anew(learnt: bytes) -> None:
    """The streams by hours close; the workflow begins again as any new one does."""
    watched, change = Watched(5), 21 * DAY
    watched.table = DriftTable.load(DriftSettings(), learnt, [])
    watched.table.accept([Accepted("cycle", START + change)])
    watched.watch(change, change + 2 * DAY, worse=2.0)
    assert watched.streams("week_rate") == []
    assert sorted(watched.streams("own_rate")) == ["cycle", "flat"]


@pytest.mark.slow
@pytest.mark.parametrize("days", [7, 14])
def test_longer_baselines(days: int) -> None:
    """As `docs/drift.md` advises where a cycle is no wave: with two weeks there is none against all hours together."""
    watched = Watched(1, DriftSettings(least_span=days * DAY)).watch(0, 17 * DAY)
    assert watched.alarms == {}
    assert (watched.streams("own_rate"), watched.streams("week_rate")) == (["flat"], ["cycle"])


def test_bursts_are_no_cycle() -> None:
    """Rates that wander from hour to hour whatever the time of day: of 200 workflows at most two seem to follow it."""
    chance, weeks, series = np.random.default_rng(6), Weeks(), np.arange(200)
    for hour in range(14 * 24 + 1):
        rate = chance.beta(0.05 * 100, 0.95 * 100, 200)
        events = np.full(200, 400)
        weeks.take(series, chance.binomial(events, rate)[None], events, START + 60 * hour)
    assert weeks.follows_the_day(series).sum() <= 2
    for clock in Clock:  # there is one minute an hour
        assert np.median(weeks.dispersion(series, clock)) == pytest.approx(1 + 399 / 101, rel=0.1)  # 1 + (n - 1) rho


@pytest.mark.parametrize("opened", [0, 1, 30])
def test_a_cycle_is_no_dispersion(opened: int) -> None:
    """Neither that of the day nor that of the week, at 30,000 events a look, whatever the minute it is asked at."""
    chance, weeks, series = np.random.default_rng(7), Weeks(), np.arange(20)
    events = np.full(20, 30_000)
    for at in range(opened, 14 * DAY + opened, 10):
        weekend = 0.5 if at // DAY % 7 in (2, 3) else 1.0
        weeks.take(series, chance.binomial(events, weekend * usual(at))[None], events, START + at)
    weeks.settle(14 * DAY, START + 14 * DAY + opened, Learner(1, 1))
    assert (weeks.frozen > 0).all()
    for clock in Clock:
        assert np.median(weeks.dispersion(series, clock)) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("opened", [0, 1, 30])
def test_a_baseline_of_hours_has_what_its_weeks_have(opened: int) -> None:
    """With the hour under way: else the hours of the day took for dispersion what they alone had seen, up to all."""
    chance, weeks, learner, series = np.random.default_rng(9), Weeks(), Learner(1, 60), np.arange(20)
    learner.grow(20)
    events, last = np.full(20, 2000), 14 * DAY + opened - 1
    for at in range(opened, last + 1):
        if at == opened or at % 60 == 0:  # bursts of an hour
            rate = 10 * usual(at)
            of_hour = chance.beta(500 * rate, 500 * (1 - rate), 20)
        some = events if at == opened or at % 20 == 0 else np.zeros_like(events)
        hits = chance.binomial(some, of_hour)[None]
        learner.take(hits, some, START + at)
        weeks.take(series, hits, some, START + at)
    weeks.settle(14 * DAY, START + last, Learner(1, 1))
    past = learner.freeze(series, START + last)
    day = Day(*weeks.of_the_day(series))
    assert (past.events == day.events.sum(axis=0)).all()
    expected = weeks.dispersion(series, Clock.HOUR)
    assert np.median(expected) > BURSTY
    assert np.median(day.dispersion(past)) == pytest.approx(np.median(expected), rel=0.25)


@pytest.mark.slow
def test_who_has_few_events_an_hour_stays_as_before() -> None:
    """Fifty tasks an hour: of an hour of the week too little is known, so a change is told as before two weeks."""
    watched, found = Watched(1), {}

    def watch(first: int, last: int, worse: float = 1.0) -> None:
        for at in range(first, last, 30):
            odds = worse * usual(at) / (1 - usual(at))
            looked = watched.table.look(panes(watched.chance, at, (odds / (1 + odds), 0.05), 25))
            found.update({each.watch: at for each in looked.evidence if each.alarm and each.workflow == "cycle"})

    watch(0, 15 * DAY)
    assert found == {}
    assert (watched.streams("own_rate"), watched.streams("week_rate")) == (["cycle", "flat"], [])
    assert watched.table.shard.weeks["rates"].frozen.any()
    watch(15 * DAY, 16 * DAY, worse=4.0)
    assert {"own_rate", "own_rate_hourly"} <= found.keys()


def test_who_does_not_follow_the_day_is_asked_again() -> None:
    """Two weeks without a cycle, then two with one: what was learnt before it is let go of."""
    chance, weeks, series, events = np.random.default_rng(8), Weeks(), np.arange(3), np.full(3, 400)
    for at in range(0, 30 * DAY, 30):
        rate = usual(at) if at >= 14 * DAY else 0.05
        weeks.take(series, chance.binomial(events, rate)[None], events, START + at)
        weeks.settle(14 * DAY, START + at, Learner(1, 1))
    assert (weeks.frozen - START > 28 * DAY - 60).all()
    assert weeks.rates(np.arange(3)) == pytest.approx(np.full((1, 3), 0.05), rel=0.05)


def hourly(events: dict[int, int]) -> Bank:
    """Give a bank with a stream that fails in 2 % of events, so many of them in the past of each hour of the week."""
    past = np.array([[events.get(hour, 0)] for hour in range(168)])
    bank = Bank(HourOfWeek(), 1)
    bank.admit([Stream(0, -1, 1, 0)], start(past[None] // 50, past))
    return bank


def test_an_alarm_does_not_end_by_a_few_good_minutes() -> None:
    """Twice the failures for three hours: minutes as usual here and there do not end it, an hour of them does."""
    bank = hourly(dict.fromkeys(range(168), 6_000_000))
    for at in range(180):
        failed = 2000 if at % 20 in (0, 1) and at > 60 else 4000
        bank.take(np.array([[failed], [100_000]]), at)
    assert bank.alarm[0] > 0
    for at in range(180, 240):
        bank.take(np.array([[2000], [100_000]]), at)
    assert bank.alarm[0] == 0


def test_hours_without_a_past_say_nothing() -> None:
    """Neither for a change nor against one: what was known before such an hour is known after it."""
    bank = hourly({hour: 60_000 if hour != 1 else 0 for hour in range(168)})
    for at in range(60):
        bank.take(np.array([[50], [100]]), at)
    alarm, before = int(bank.alarm[0]), float(bank.m[0])
    assert alarm > 0
    for at in range(60, 120):
        bank.take(np.array([[50], [100]]), at)
    assert bank.alarm[0] == alarm
    assert bank.m[0] >= before


def test_sums_of_hours_by_hand() -> None:
    """Two workflows, one of which begins later; minutes of an hour add up; what is frozen learns no more."""
    weeks, first = Weeks(), START // 60 % 168
    weeks.take(np.array([3]), np.array([[1]]), np.array([10]), START)
    weeks.take(np.array([3]), np.array([[2]]), np.array([10]), START + 59)
    weeks.take(np.array([1, 3]), np.array([[0, 4]]), np.array([5, 10]), START + 60)
    weeks.take(np.array([1, 3]), np.array([[0, 0]]), np.array([0, 0]), START + 120)
    assert weeks.series.tolist() == [3, 1]
    assert weeks.hits[0, :, 0].nonzero()[0].tolist() == [first, first + 1]
    assert weeks.hits[0, first : first + 2, 0].tolist() == [3, 4]
    assert weeks.events[first : first + 2].tolist() == [[20, 0], [10, 5]]
    assert (weeks.opened - START).tolist() == [0, 60]
    weeks.frozen[0] = START + 120
    weeks.take(np.array([1, 3]), np.array([[1, 1]]), np.array([5, 5]), START + 180)
    weeks.take(np.array([1, 3]), np.array([[1, 1]]), np.array([5, 5]), START + 240)
    assert (weeks.hits[0].sum(axis=0).tolist(), weeks.events.sum(axis=0).tolist()) == ([7, 1], [30, 10])
