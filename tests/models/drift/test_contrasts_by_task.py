"""Versions and cohorts are held against each other within each type of task: who asks for harder things is no worse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.drift.settings import Accepted, DriftSettings
from models.drift.table import DriftTable
from models.slis.packing import pack, unpack
from tests.helpers.drift_contrasts import LABELS, OWN, START, Contrasts, together, without_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from models.drift.found import Found
    from tests.helpers.drift_contrasts import Part

SETTINGS = DriftSettings(least_span=240)
CHANGE, END, DAY = 300, 420, 1440


def mixed(asks: float, asks_of_new: float, new: float = 0.3, tasks: int = 100) -> Mapping[Part, float]:
    """Give runs by part: `new` of them of version 2, which are asked so much; half of both of tenant acme."""
    return {
        (version, tenant, task): tasks * share / 2 * (of if task == "ask" else 1 - of)
        for version, share, of in (("1", 1 - new, asks), ("2", new, asks_of_new))
        for tenant in ("acme", "rest")
        for task in ("ask", "book")
        if share
    }


def tenants(asks: float, asks_of_acme: float, tasks: int = 100) -> Mapping[Part, float]:
    """Give runs by part: three in ten of tenant acme, which ask so much."""
    return {
        ("1", tenant, task): tasks * share * (of if task == "ask" else 1 - of)
        for tenant, share, of in (("rest", 0.7, asks), ("acme", 0.3, asks_of_acme))
        for task in ("ask", "book")
    }


def alarms(
    made: Contrasts,
    runs: Callable[[int], Mapping[Part, float]],
    bad: Mapping[str, Mapping[str, float]] | None = None,
    end: int = END,
) -> dict[str, Found]:
    """Give what is told first of streams in alarm from CHANGE on, `bad` from then on, by the words of their keys."""
    table, found = DriftTable(SETTINGS), dict[str, "Found"]()
    for at in range(0, end, made.every):
        looked = table.look(made.closed(at, runs(at), bad if at >= CHANGE else None))
        found = {each.key.replace("\x1f", " "): each for each in looked.found if each.alarm} | found
    return found


def of(found: Mapping[str, Found], *watches: str) -> dict[str, Found]:
    """Give those of contrasts by their watch."""
    return {key: each for key, each in found.items() if key.startswith(watches)}


def harder(at: int) -> Mapping[Part, float]:
    """Version 2 comes: one in five of the old version's runs books, four in five of its own."""
    return mixed(0.8, 0.2, 0.3 if at >= CHANGE else 0.0)


def test_a_version_that_is_asked_for_harder_things_is_no_worse() -> None:
    """No type differs: nothing is told of it in two weeks."""
    told = alarms(Contrasts(every=20, with_cost=True), harder, end=CHANGE + 14 * DAY)
    assert of(told, "live") == {}


def test_without_types_it_is_called_worse() -> None:
    """The same runs, that say no type."""
    told = alarms(Contrasts(is_typed=False), harder)
    assert "live_rate task_success workflow desk version 2" in told


def test_a_tenant_that_begins_to_ask_for_harder_things_is_no_worse() -> None:
    """Its first hours are as those of the rest, then four in five of its runs book, for two weeks."""
    made = Contrasts(every=20, with_cost=True)
    told = alarms(made, lambda at: tenants(0.8, 0.8 if at < CHANGE else 0.2), end=CHANGE + 14 * DAY)
    assert of(told, "live") == {}


@pytest.mark.parametrize("untyped", ["", "book"])
def test_runs_that_say_no_type_say_nothing_of_a_tenant(untyped: str) -> None:
    """One in twenty of the rest says none and asks for other things each day; of the tenant one in five, later."""

    def runs(at: int) -> Mapping[Part, float]:
        found = dict(tenants(0.8, 0.8 if at < CHANGE else 0.2))
        return found | {("1", "rest", ""): 3.5, ("1", "acme", ""): 1.5 if at < CHANGE else 6.0}

    other = {"acme": {"ask": 0.03, "book": 0.2, "": 0.5}} if untyped else None
    told = alarms(Contrasts(untyped=untyped, every=5), runs, other, CHANGE + 5 * DAY)
    assert of(told, "live") == {}


@pytest.mark.parametrize("asks", [0.8, 0.2])
def test_a_version_that_is_worse_within_each_type_is_named(asks: float) -> None:
    """Odds of failing twice those of version 1, whatever it is asked for: told as today, where the mix is the same."""
    twice = {"2": {"ask": 0.0582, "book": 1 / 3}}
    told = alarms(Contrasts(), lambda at: mixed(0.8, asks, 0.3 if at >= CHANGE else 0.0), twice)
    found = told["live_rate_by_task task_success workflow desk version 2"]
    assert found.alarm <= START + CHANGE + 45
    assert (found.dimension, found.from_, found.to, found.direction) == ("version", "the rest", "2", "up")
    assert found.is_worse
    assert found.numbers["interval"][0] > 1
    assert "within types of task" in found.words
    assert {each["task"] for each in found.numbers["by_task"]} == {"ask", "book"}


def test_a_version_that_is_better_over_all_and_worse_in_each_type_is_named() -> None:
    """It is asked for easy things only nearly: it fails less often, in each type it has three times the odds."""
    thrice = {"2": {"ask": 0.0849, "book": 3 / 7}}
    told = alarms(Contrasts(), lambda at: mixed(0.3, 0.95, 0.3 if at >= CHANGE else 0.0), thrice)
    found = told["live_rate_by_task task_success workflow desk version 2"]
    assert found.is_worse
    assert found.direction == "up"
    overall = Contrasts(is_typed=False)
    without = alarms(overall, lambda at: mixed(0.3, 0.95, 0.3 if at >= CHANGE else 0.0), thrice)
    assert "live_rate task_success workflow desk version 2" not in {
        key: each for key, each in without.items() if each.is_worse
    }


def test_costs_that_rise_within_each_type_are_named() -> None:
    """Twice the cost of each type, of a version that is asked for cheap things: against the rest with these tasks."""
    table, told = DriftTable(SETTINGS), dict[str, "Found"]()
    made = Contrasts(with_cost=True)
    for at in range(CHANGE + 60):
        new = at >= CHANGE
        twice = {"2": {"ask": 0.02, "book": 0.1}} if new else None
        looked = table.look(made.closed(at, mixed(0.5, 0.9, 0.3 if new else 0.0), None, twice))
        told = {each.key.replace("\x1f", " "): each for each in looked.found if each.alarm} | told
    found = told["live_values_by_task cost_per_task workflow desk version 2"]
    assert (found.is_worse, found.direction) == (True, "up")
    assert "USD" in found.words
    assert "within types of task" in found.words


def test_a_tenant_that_gets_worse_is_named_and_its_alarm_ends() -> None:
    """Three times the odds for two hours; then it is as ever, and an hour later the alarm is over."""
    table, alarm, made = DriftTable(SETTINGS), dict[int, bool](), Contrasts()
    thrice = {"acme": {"ask": 0.0849, "book": 3 / 7}}
    for at in range(CHANGE + 260):
        bad = thrice if CHANGE <= at < CHANGE + 120 else None
        looked = table.look(made.closed(at, tenants(0.8, 0.4), bad))
        now = [each for each in looked.evidence if each.key.endswith("tenant\x1facme")]
        alarm[at - CHANGE] = any(each.alarm > 0 for each in now)
    assert min(at for at, is_on in alarm.items() if is_on) in range(60)
    assert alarm[120]
    assert not alarm[250]


def test_where_few_say_a_type_it_is_compared_over_all() -> None:
    """Version 2 stops saying what its runs are: there is nothing within types to hold it against, so it is over all."""

    def runs(at: int) -> Mapping[Part, float]:
        new = at >= CHANGE
        return mixed(0.8, 0.8, 0.0) if not new else {**mixed(0.8, 0.8, 0.0, 70), ("2", "rest", ""): 30}

    told = alarms(Contrasts(), runs)
    assert "live_rate task_success workflow desk version 2" in told


@pytest.mark.parametrize("cuts", [(100, 239, 290), (301, 305, 330, 400)])
def test_cut_anywhere_it_goes_on_alike(cuts: tuple[int, ...]) -> None:
    """From dumps and deltas: the same evidence, alarms and words, bit for bit."""
    whole, cut, made = DriftTable(SETTINGS), DriftTable(SETTINGS), Contrasts(5, with_cost=True)
    base: bytes | None = None
    deltas: list[bytes] = []
    twice = {"2": {"ask": 0.0582, "book": 1 / 3}, "acme": {"ask": 0.1, "book": 0.3}}
    for at in range(420):
        closed = made.closed(at, mixed(0.8, 0.4, 0.3 if at >= CHANGE else 0.0), twice if at >= CHANGE else None)
        assert whole.look(closed) == cut.look(closed)
        deltas.append(cut.take_delta())
        if at in cuts[::2]:
            base, deltas = cut.dump(), []
        if at in cuts:
            cut = DriftTable.load(SETTINGS, base, deltas)
    assert whole.dump() == cut.dump()
    assert len(whole.banks["live_rate_by_task"]) == len(whole.banks["live_values_by_task"]) == 4
    assert len(whole.banks["change_rate_by_task"]) == len(whole.banks["change_values_by_task"]) == 1
    assert len(whole.banks["live_rate"]) == len(whole.banks["change_rate"]) == 0
    assert whole.banks["live_rate_by_task"].alarm.any()


def test_what_is_accepted_is_compared_anew() -> None:
    """The alarm of a tenant who got worse is over, what it does is usual of it from then on, and a restart knows it."""
    table, made, worse = DriftTable(SETTINGS), Contrasts(), {"acme": {"ask": 0.0849, "book": 3 / 7}}
    told = []
    for at in range(CHANGE + 700):
        if at == CHANGE + 60:
            table.accept([Accepted("desk", START + CHANGE + 60)])
        if at in (CHANGE + 61, CHANGE + 400):
            table = DriftTable.load(SETTINGS, table.dump(), [])
        looked = table.look(made.closed(at, tenants(0.8, 0.4), worse if at >= CHANGE else None))
        told.append(any(each.alarm and each.key.startswith("live") for each in looked.evidence))
    assert told[CHANGE + 59]
    assert not any(told[CHANGE + 60 :])
    bank = table.banks["live_rate_by_task"]
    assert _named(table, "live_rate_by_task") == {"acme", "rest"}
    assert bank.state["low"].max() > 2


def test_a_state_from_before_compares_what_comes_from_now_on_within_types() -> None:
    """Who was held against the rest over all types stays so; version 2, that comes later, is held within them."""
    table, made = DriftTable(SETTINGS), Contrasts()
    for at in range(CHANGE - 30):
        table.look(without_pairs(made.closed(at, mixed(0.8, 0.8, 0.0))))
    new = ("crossed.", "compared", "usual.rates_by", "usual.values_by", "live_rate_by", "live_values_by")
    kept = {name: array for name, array in unpack(table.dump()[8:]).items() if not name.startswith(new)}
    old = pack(kept)
    table = DriftTable.load(SETTINGS, len(old).to_bytes(8, "little") + old, [])
    for at in range(CHANGE - 30, CHANGE + 60):
        closed = made.closed(at, harder(at))
        pairs = LABELS[OWN:] if at == CHANGE - 30 else []
        table.look(closed._replace(first=OWN if pairs else len(LABELS), labels=pairs))
    table = DriftTable.load(SETTINGS, table.dump(), [])
    named = {name: _named(table, name) for name in ("live_rate", "live_rate_by_task")}
    assert named == {"live_rate": {"1", "acme", "rest"}, "live_rate_by_task": {"2"}}


def _named(table: DriftTable, bank: str) -> set[str]:
    """Give the values that a bank has streams of."""
    roles = table.shard.roles
    return {(roles.dimension(stream.series) or ("", ""))[1] for stream in table.banks[bank].streams}


@pytest.mark.parametrize("size", [7, 420])
def test_batches_of_minutes_say_the_same(size: int) -> None:
    """As in a replay or a backlog."""
    made = Contrasts(6, with_cost=True)
    parts = [
        made.closed(at, mixed(0.8, 0.4, 0.3 if at >= CHANGE else 0.0), {"2": {"ask": 0.1, "book": 0.3}})
        for at in range(420)
    ]
    one_by_one, at_once = DriftTable(SETTINGS), DriftTable(SETTINGS)
    for part in parts:
        one_by_one.look(part)
    for first in range(0, 420, size):
        at_once.look(together(parts[first : first + size]))
    for name, bank in one_by_one.banks.items():
        assert at_once.banks[name].streams == bank.streams
        np.testing.assert_array_equal(at_once.banks[name].m, bank.m)
        np.testing.assert_array_equal(at_once.banks[name].alarm, bank.alarm)
    assert one_by_one.banks["live_rate_by_task"].alarm.any()
