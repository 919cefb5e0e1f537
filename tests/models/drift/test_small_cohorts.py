"""Cohorts with few failures in their first day: what is usual of them is narrowed once, and alarms stay as rare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from models.drift.usual_ratio import UsualRatio
from models.slis.closing import Closed
from models.slis.readings import Label

if TYPE_CHECKING:
    from collections.abc import Callable

START = 29_000_160
DAY, STEP, TENANTS = 1440, 30, 24
SETTINGS = DriftSettings(most_span=7 * DAY)
TASKS = 16
"""Of each tenant every half hour: 23 to 61 failures a day."""
RATES = np.linspace(0.03, 0.08, TENANTS)
NONE = np.empty((0, 3), np.int64)


def labels() -> list[Label]:
    """Name the whole and its tenants."""
    groups: list[dict[str, str]] = [{}, *({"tenant": f"t{at:02d}"} for at in range(TENANTS))]
    return [Label("task_success", {"workflow": "desk"} | group, histogram=False, whole=False) for group in groups]


def alarms(days: int, seed: int, later: Any, change: int, restart: int = -1) -> dict[str, float]:
    """Give tenant -> day of its first alarm, of those that fail at `RATES`, and from day `change` on at `later`."""
    told, _ = watched(days, seed, lambda day: RATES if day < change else later, restart)
    return told


def watched(
    days: int, seed: int, rates: Callable[[float], Any], restart: int = -1
) -> tuple[dict[str, float], set[str]]:
    """Give tenant -> day of its first alarm, and who is in alarm in the end; `rates` [tenant] by day."""
    chance, table, told = np.random.default_rng(seed), DriftTable(SETTINGS), dict[str, float]()
    total = np.array([TASKS * TENANTS, *[TASKS] * TENANTS])
    for at in range(0, days * DAY, STEP):
        bad = chance.binomial(TASKS, rates(at / DAY))
        good, look = total - [bad.sum(), *bad], START + at
        if at == restart * DAY:
            table = DriftTable.load(SETTINGS, table.dump(), [])
        first, names = (0, labels()) if at == 0 else (TENANTS + 1, [])
        closed = Closed(look + 1, first, names, np.full(len(total), look), np.arange(len(total)), total, good, NONE)
        found = table.look(closed).evidence
        now = {each.key[-3:] for each in found if each.alarm and each.key.startswith("live_rate")}
        told = dict.fromkeys(now, at / DAY) | told
    return told, now


def test_nothing_changes_and_nothing_is_told() -> None:
    """24 tenants that differ by up to three times the odds, 16 days: a stream-year, of which one alarm is allowed."""
    assert alarms(16, 1, RATES, 99) == {}


@pytest.mark.parametrize("restart", [-1, 3, 10])
def test_odds_that_double_later_are_told(restart: int) -> None:
    """Of six tenants from day 9 on, by day 17, whenever Flyball is started again; bounds of the first day hide four."""
    later = np.where(np.arange(TENANTS) % 4 == 0, 2 * RATES / (1 + RATES), RATES)
    told = alarms(17, 2, later, 9, restart)
    assert set(told) <= {f"t{at:02d}" for at in range(0, TENANTS, 4)}
    assert len(told) >= 5
    assert min(told.values()) > 9


def test_what_it_did_in_alarm_is_not_usual() -> None:
    """Six tenants fail four times as often from day 2 to 4. It is told, and over after it: their usual is not narrowed.

    Else what is usual of one would be so high that it is in alarm for ever, for doing as well as it always had.
    """
    worse = np.where(np.arange(TENANTS) < 6, 4 * RATES, RATES)
    told, in_the_end = watched(12, 4, lambda day: worse if 2 <= day < 4 else RATES)
    assert sum(2 <= day < 4 for day in told.values()) >= 5
    assert in_the_end == set()


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_both_bounds_together_miss_as_rarely_as_one(ratio: float) -> None:
    """The usual ratio lies outside of either in one of a thousand, as of a baseline that is bounded once."""
    chance, many, usual = np.random.default_rng(3), 50_000, UsualRatio.none(50_000)
    rates, events, missed = (0.05, ratio * 0.05 / (0.95 + ratio * 0.05)), (2000, 200), np.zeros(50_000, np.bool_)
    for look in range(32):
        failed = [chance.binomial(n, rate, many) for n, rate in zip(events, rates, strict=True)]
        usual = usual.with_look(failed[0], events[0], failed[1], events[1])
        if look in (4, 31):
            low, high = usual.bounds(once=False)
            missed |= (low > ratio) | (high < ratio)
    assert missed.mean() < 1.3e-3
