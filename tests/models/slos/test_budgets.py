"""Budgets over their periods, and the steps of their policies, by numbers computed by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pytest

from models.slos.budgets import Budgets
from models.slos.ledger import Ledger
from models.slos.spec import Action, Calendar, PolicyStep, Rolling, Unit
from tests.helpers.slo_events import DAY, HOUR, slo

if TYPE_CHECKING:
    from models.slos.spec import Slo

MONTH = Calendar("2026-01-01 00:00:00", "Europe/Berlin", 1, Unit.MONTH)
NOTIFY = tuple(PolicyStep(percent, (Action.NOTIFY,)) for percent in (50, 75, 100))


class World:
    """One instance with its ledger."""

    def __init__(self, one: Slo) -> None:
        self.ledger = Ledger([one.window.seconds] if isinstance(one.window, Rolling) else [DAY])
        self.budgets = Budgets()
        self.ledger.resize(1)
        self.budgets.add(one)

    def at(self, now: int) -> World:
        """Go to a time."""
        self.ledger.advance(now)
        return self

    def add(self, total: int, bad: int, second: int | None = None) -> World:
        """Add events, now where no time is said."""
        counts = np.array([[total], [bad]], np.int64)
        slots, seconds = np.zeros(1, np.int64), np.array([self.ledger.now if second is None else second], np.int64)
        self.ledger.add(slots, seconds, *counts)
        self.budgets.count(slots, seconds, counts, self.ledger.now)
        return self

    @property
    def used(self) -> Fraction | None:
        """Share used."""
        return self.budgets.of(0, self.ledger).used

    def turn(self) -> list[tuple[int, str, bool]]:
        """Give (percent, actions, reached) of what is told."""
        told = self.budgets.turn(0, self.budgets.of(0, self.ledger), self.ledger.now)
        return [(step.percent, " ".join(step.actions), reached) for step, reached in told]


def unix(*date: int) -> int:
    """Give a UTC moment."""
    return int(datetime(*date, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]


def test_a_rolling_budget_by_day() -> None:
    """A thousand events a day at 99 %: what was spent comes back when its day leaves the 30 days."""
    world, bads, used = World(slo()), {1: 150, 10: 30, 31: 60}, {}
    for day in range(1, 62):
        for hour in range(24):
            world.at(day * DAY + hour * HOUR).add(1000 // 24 + (16 if hour == 0 else 0), bads.get(day, 0) // 24)
            if hour == 5:
                world.add(0, bads.get(day, 0) % 24)
        used[day] = world.at(day * DAY + DAY - 1).used
    expected = {30: "0.6", 31: "0.3", 39: "0.3", 40: "0.2", 60: "0.2", 61: "0"}
    assert {day: used[day] for day in expected} == {day: Fraction(share) for day, share in expected.items()}


def test_a_peak_hour_spends_by_its_runs() -> None:
    """One hour of 200 bad runs at a thousand runs a day takes two thirds of the budget, not 13.9 % by the clock."""
    world = World(slo())
    for day in range(30):
        world.at(day * DAY + 12 * HOUR).add(1000 - 200 * (day == 3), 0)
    world.add(200, 200, second=3 * DAY + 18 * HOUR)
    assert world.used == Fraction(200, 300)


def test_late_outcomes_correct_the_past() -> None:
    """A good run of last week that turns out bad counts in its own pane, and leaves with it."""
    world = World(slo(target="0.95")).at(40 * DAY)
    world.add(200, 10)
    assert world.used == 1
    world.add(0, 1, second=35 * DAY)
    assert world.used == Fraction(11, 10)
    assert world.at(65 * DAY).used == Fraction(10, 10)
    assert world.at(70 * DAY + HOUR).used is None


def test_a_calendar_budget_begins_anew() -> None:
    """Events count by their own time in the month of the zone; what comes late for the month before does not."""
    world = World(slo(target="0.9", window=MONTH)).at(unix(2026, 3, 31, 21, 59))
    world.add(10, 2).add(10, 0, second=unix(2026, 2, 28, 23))
    world.add(10, 10, second=unix(2026, 2, 28, 22, 59, 59))  # still February in Berlin
    assert world.budgets.of(0, world.ledger).total == 20
    assert world.used == 1
    world.at(unix(2026, 3, 31, 22))
    assert world.used is None
    world.add(10, 10, second=unix(2026, 3, 31, 21, 59, 59)).add(30, 3)
    assert world.used == 1


def test_steps_are_told_in_order_and_once() -> None:
    """Each step is told when its share is used, and not again while it stays used."""
    world = World(slo(target="0.9", policy=NOTIFY)).at(100 * DAY)
    assert world.turn() == []
    world.add(100, 4)
    assert world.turn() == []
    world.add(0, 1)
    assert world.turn() == [(50, "notify", True)]
    world.add(0, 5)
    assert world.turn() == [(75, "notify", True), (100, "notify", True)]
    assert world.budgets.reached(0) == [50, 75, 100]
    world.add(0, 50)
    assert world.turn() == []


def test_one_bad_run_of_a_new_deployment_reaches_nothing() -> None:
    """As long as the budget is less than one event, no step is reached, whatever share that is."""
    world = World(slo(target="0.9", policy=NOTIFY)).at(100 * DAY)
    world.add(9, 9)
    assert (world.used, world.turn()) == (10, [])
    world.add(1, 0)
    assert [percent for percent, *_ in world.turn()] == [50, 75, 100]


def test_a_step_is_let_go_of_well_below_its_share() -> None:
    """Ten points below the share it is let go of, not at the share: it would flap."""
    world = World(slo(target="0.9", policy=NOTIFY[:1])).at(100 * DAY)
    world.add(100, 5)
    assert world.turn() == [(50, "notify", True)]
    world.add(25, 0)
    assert (world.used, world.turn()) == (Fraction(2, 5), [])
    world.add(1, 0)
    assert world.turn() == [(50, "notify", False)]
    assert world.budgets.reached(0) == []


def test_a_step_is_told_once_a_period() -> None:
    """Reached again in the same stretch of 30 days it is not told again, in the next one it is."""
    one = slo(target="0.9", policy=NOTIFY[:1])
    world = World(one).at(300 * DAY)
    world.add(100, 5)
    assert world.turn() == [(50, "notify", True)]
    world.add(100, 0)
    assert world.turn() == [(50, "notify", False)]
    world.add(0, 15)
    assert world.turn() == []
    world.at(329 * DAY + DAY - 1)
    assert world.turn() == []
    world.at(330 * DAY).add(100, 15)
    assert world.turn() == [(50, "notify", True)]


def test_the_gate_is_shut_whenever_the_budget_is_spent() -> None:
    """Spent a second time in one period nobody is told again, but what is spent is known as spent."""
    freeze = PolicyStep(100, (Action.FREEZE,))
    world = World(slo(target="0.9", policy=(freeze,))).at(300 * DAY)
    world.add(100, 10)
    assert world.turn() == [(100, "freeze", True)]
    world.add(100, 0)
    assert world.turn() == [(100, "freeze", False)]
    assert world.budgets.reached(0) == []
    world.add(0, 20)
    assert world.turn() == []
    assert world.budgets.reached(0) == [100]


def test_a_step_of_a_calendar_is_told_in_each_month() -> None:
    """Spent in March and spent again in April is told twice: March is let go of as April begins."""
    world = World(slo(target="0.9", window=MONTH, policy=NOTIFY[:1])).at(unix(2026, 3, 10))
    world.add(100, 9)
    assert world.turn() == [(50, "notify", True)]
    world.at(unix(2026, 4, 2))
    assert world.turn() == [(50, "notify", False)]
    world.add(20, 0)
    assert world.turn() == []
    world.add(20, 4)
    assert world.turn() == [(50, "notify", True)]


def test_limits_wait_for_evidence() -> None:
    """One bad run of ten is told of; agents are bounded and deployments rolled back only when it is no chance."""
    step = PolicyStep(100, (Action.NOTIFY, Action.BOUND, Action.FREEZE, Action.ROLLBACK))
    world = World(slo(target="0.9", policy=(step,))).at(100 * DAY)
    world.add(10, 1)
    assert world.turn() == [(100, "notify freeze", True)]
    world.add(0, 2)
    assert world.turn() == []  # 3 of 10: the bound at 95 % is 0.0873
    world.add(0, 1)
    assert world.turn() == [(100, "bound rollback", True)]
    world.add(100, 0)
    assert world.turn() == [(100, "notify freeze", False), (100, "bound rollback", False)]


def test_no_data_lets_nothing_go() -> None:
    """When all events have left the window a step that is reached stays: silence is no recovery."""
    world = World(slo(target="0.9", policy=NOTIFY[:1])).at(100 * DAY)
    world.add(100, 5)
    world.turn()
    assert world.at(200 * DAY).used is None
    assert world.turn() == []
    assert world.budgets.reached(0) == [50]


@pytest.mark.parametrize("window", [Rolling(30 * DAY), MONTH])
def test_what_was_told_is_restored(window: Rolling | Calendar) -> None:
    """After a restart the counts of the month are there, and no step is told again."""
    one = slo(target="0.9", window=window, policy=NOTIFY)
    world = World(one).at(unix(2026, 3, 10))
    world.add(100, 8)
    assert len(world.turn()) == 2
    after = World(one)
    after.ledger = world.ledger
    after.budgets.restore(orjson.loads(orjson.dumps(world.budgets.state())), {0: 0})
    assert after.used == world.used == Fraction(4, 5)
    assert after.turn() == []
    after.add(0, 2)
    assert after.turn() == [(100, "notify", True)]


def test_restoring_again_takes_the_later_state() -> None:
    """A state restored over an earlier one replaces it: a step let go of in between is not reached."""
    one = slo(target="0.9", policy=NOTIFY)
    world = World(one).at(100 * DAY)
    world.add(100, 5)
    world.turn()
    earlier = world.budgets.state()
    world.add(100, 0)
    world.turn()
    after = World(one)
    for state in (earlier, world.budgets.state()):
        after.budgets.restore(state, {0: 0})
    assert (world.budgets.reached(0), after.budgets.reached(0)) == ([], [])


def test_a_period_of_another_calendar_is_not_restored() -> None:
    """When the calendar of an SLO changes, what was counted for a period that is none any more does not count."""
    week = Calendar("2026-01-05 00:00:00", "Europe/Berlin", 1, Unit.WEEK)
    world = World(slo(target="0.9", window=MONTH)).at(unix(2026, 3, 10))
    world.add(100, 8)
    after = World(slo(target="0.9", window=week)).at(unix(2026, 3, 10))
    after.budgets.restore(world.budgets.state(), {0: 0})
    assert after.used is None
    assert after.at(unix(2026, 3, 17)).add(10, 1).used == 1
