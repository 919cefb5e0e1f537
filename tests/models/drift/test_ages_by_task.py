"""New and existing users are held against each other within each type of task: harder things are not called worse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from models.slis.panes import PaneTable
from tests.helpers.drift_ages import DAY, FIRST, SLIS, START, Ages, Both, Side, alarms

SETTINGS = DriftSettings(least_span=240)
CHANGE = FIRST + 300
BAD = {"ask": 0.03, "book": 0.2}
TWICE = {"ask": 0.0582, "book": 1 / 3}
"""Odds of failing twice those of BAD; of THRICE three times."""
THRICE = {"ask": 0.0849, "book": 3 / 7}
NEW = "live_rate_by_task task_success workflow desk user_age new"


def same(asks: float, asks_of_new: float) -> Both:
    """No type differs."""
    return Side(70, asks, BAD), Side(30, asks_of_new, BAD)


def harder(at: int) -> Both:
    """From CHANGE on four in five runs of new users book, before and of existing ones one in five."""
    return same(0.8, 0.8 if at < CHANGE else 0.2)


def test_new_users_who_begin_to_ask_for_harder_things_are_no_worse() -> None:
    """For two weeks: of success and of the time that runs take nothing is told."""
    assert alarms(SETTINGS, Ages(), harder, FIRST, CHANGE + 14 * DAY, every=20) == {}


def test_without_types_they_are_called_worse() -> None:
    """The same runs, that say no type."""
    told = alarms(SETTINGS, Ages(is_typed=False), harder, FIRST, CHANGE + 60)
    assert {"live_rate task_success workflow desk user_age new"} <= told.keys()
    assert any(key.startswith("live_values time_to_resolution") for key in told)


@pytest.mark.parametrize("asks", [0.8, 0.2])
def test_new_users_who_are_worse_off_within_each_type_are_named(asks: float) -> None:
    """Odds of failing twice those of before, whatever they ask for."""

    def both(at: int) -> Both:
        return same(0.8, 0.8) if at < CHANGE else (Side(70, 0.8, BAD), Side(30, asks, TWICE))

    found = alarms(SETTINGS, Ages(), both, FIRST, CHANGE + 90)[NEW]
    assert found.alarm > START + CHANGE
    assert (found.dimension, found.from_, found.to, found.direction) == ("user_age", "the rest", "new", "up")
    assert found.is_worse
    assert "within types of task" in found.words
    assert {each["task"] for each in found.numbers["by_task"]} == {"ask", "book"}


def test_they_are_named_as_soon_as_over_all() -> None:
    """Where they ask for the same as others, of the same runs that say a type or none."""

    def both(at: int) -> Both:
        return same(0.8, 0.8) if at < CHANGE else (Side(70, 0.8, BAD), Side(30, 0.8, THRICE))

    within, over_all = (alarms(SETTINGS, Ages(2, is_typed=typed), both, FIRST, CHANGE + 60) for typed in (True, False))
    assert within[NEW].alarm <= over_all["live_rate task_success workflow desk user_age new"].alarm + 2


def test_new_users_who_fail_less_over_all_and_more_in_each_type_are_named() -> None:
    """They begin to ask for easy things nearly only (Simpson's paradox)."""

    def both(at: int) -> Both:
        return same(0.3, 0.3) if at < CHANGE else (Side(70, 0.3, BAD), Side(30, 0.95, THRICE))

    found = alarms(SETTINGS, Ages(), both, FIRST, CHANGE + 90)[NEW]
    assert (found.is_worse, found.direction) == (True, "up")
    without = alarms(SETTINGS, Ages(is_typed=False), both, FIRST, CHANGE + 90)
    assert not any(each.is_worse for key, each in without.items() if key.endswith("user_age new") and "rate" in key)


def test_where_new_users_do_not_say_their_types_they_are_held_against_all() -> None:
    """Seven in ten of their runs say none: within types there is little to hold them against."""

    def both(at: int) -> Both:
        return Side(80, 0.8, BAD), Side(10, 0.8, BAD if at < CHANGE else THRICE, 0.7)

    told = alarms(SETTINGS, Ages(), both, FIRST, CHANGE + 180)
    assert "live_rate task_success workflow desk user_age new" in told
    assert NEW not in told


@pytest.mark.parametrize("cuts", [(100, 239, 290), (301, 305, 330)])
def test_cut_anywhere_it_goes_on_alike(cuts: tuple[int, ...]) -> None:
    """Panes and streams from dumps and deltas: the same evidence, alarms and words, bit for bit."""
    whole, cut, tables = Ages(), Ages(), [DriftTable(SETTINGS), DriftTable(SETTINGS)]
    base = cut.panes.dump()
    deltas: list[list[bytes]] = [[], []]
    cut.panes.take_delta()
    drift_base: bytes | None = None
    for at in range(360):
        minute = FIRST + at
        both = Side(70, 0.8, BAD), Side(30, 0.6, BAD if minute < CHANGE else THRICE)
        looked = [table.look(made.closed(minute, both)) for table, made in zip(tables, (whole, cut), strict=True)]
        assert replace(looked[0], examples=[]) == replace(looked[1], examples=[])  # a restart forgets these
        deltas[0].append(cut.panes.take_delta())
        deltas[1].append(tables[1].take_delta())
        if at in cuts[::2]:
            base, drift_base, deltas = cut.panes.dump(), tables[1].dump(), [[], []]
        if at in cuts:
            cut.panes = PaneTable.load(SLIS, base, [each for each in deltas[0] if each])
            tables[1] = DriftTable.load(SETTINGS, drift_base, deltas[1])
    assert tables[0].dump() == tables[1].dump()
    bank = tables[0].banks["live_rate_by_task"]
    assert bank.alarm.any()
    assert len(bank) >= len(tables[0].banks["live_values_by_task"]) == 2
    assert len(tables[0].banks["live_rate"]) == len(tables[0].banks["live_values"]) == 0
    np.testing.assert_array_equal(bank.m, tables[1].banks["live_rate_by_task"].m)
