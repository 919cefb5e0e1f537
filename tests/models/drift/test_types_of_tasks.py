"""What users ask for is one thing, how it is done another: types of tasks have a past of their own each."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from models.drift.fleet_table import FleetTable
from models.drift.found import found_of
from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from models.drift.watches import WATCHES
from models.slis.groups import BETWEEN
from models.slis.packing import pack, unpack
from tests.helpers.drift_tasks import LABELS, START, Tasks

if TYPE_CHECKING:
    from models.drift.found import Found

SETTINGS = DriftSettings(least_span=240)
CHANGE, END = 300, 480


def alarms(tasks: Tasks, change: dict[str, Any], end: int = END) -> dict[str, Found]:
    """Give all that is told of streams in alarm, by the words of their keys."""
    table, found = DriftTable(SETTINGS), {}
    for at in range(end):
        looked = table.look(tasks.closed(at, **(change if at >= CHANGE else {})))
        found |= {each.key.replace("\x1f", " "): each for each in looked.found if each.alarm}
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_users_who_ask_for_other_things_are_no_change_of_the_agent(seed: int) -> None:
    """Four in five ask, then one in five: success and tools of the whole change by much, and none of either type.

    It is told as what it is, within minutes, and as no harm.
    """
    found = alarms(Tasks(seed), {"asks": 0.2})
    assert list(found) == ["task_mix task_success workflow desk"]
    (told,) = found.values()
    assert not told.is_worse
    assert told.words.startswith("the mix of tasks moved: ask 80")
    assert START + CHANGE < told.alarm <= START + CHANGE + 5


def test_runs_of_no_type_have_a_name_in_the_mix() -> None:
    """As they have it everywhere else: the page would say ", 5.0% to 5.2%"."""
    (told,) = [found for key, found in alarms(Tasks(typed=0.95), {"asks": 0.2}).items() if key.startswith("task_mix")]
    assert "other or none 5" in told.words
    assert {each["name"] for each in told.numbers["movers"]} <= {"ask", "book", "other or none", "others"}


def test_without_their_types_it_is_called_a_change_of_the_agent() -> None:
    """The same runs, of which one in two says its type: the whole is watched, and alarms."""
    found = alarms(Tasks(typed=0.5), {"asks": 0.2})
    assert {"own_rate task_success workflow desk", "tool_mix tool_success workflow desk"} <= set(found)


@pytest.mark.parametrize("asks", [0.8, 0.2])
def test_five_points_to_a_tool_within_a_type_are_told(asks: float) -> None:
    """Whatever users ask for meanwhile; with its type in words, and as an incident of it."""
    found = alarms(Tasks(), {"more": 0.05, "asks": asks})
    told = found.pop("tool_mix tool_success workflow desk task ask")
    assert told.words.startswith("task ask: the mix of tools moved:")
    assert {"search", "read"} <= {each["name"] for each in told.numbers["movers"]}
    assert (told.dimension, told.to, told.is_worse) == ("task", "ask", True)
    assert set(found) <= {"task_mix task_success workflow desk"}
    assert bool(found) == (asks != 0.8)


def test_success_of_one_type_is_told() -> None:
    """Five points more of those that ask fail: told of them, and of nothing else."""
    found = alarms(Tasks(), {"worse": 0.05})
    assert list(found) == ["own_rate task_success workflow desk task ask"]
    (told,) = found.values()
    assert "task ask: " in told.words


def test_a_mix_of_tasks_opens_no_incident() -> None:
    """A page is for what got worse; the record is in the topic."""
    table, fleet, tasks, told = DriftTable(SETTINGS), FleetTable(), Tasks(), []
    for at in range(CHANGE + 60):
        fleet.take("0", table.look(tasks.closed(at, **({"asks": 0.2} if at >= CHANGE else {}))))
        said = fleet.look(60 * (START + at + 1))
        told += [each for each in said.records if each["alarm"]]
        assert not said.incidents
    assert {(each["watch"], each["worse"]) for each in told} == {("task_mix", False)}


def test_a_state_that_is_cut_anywhere_goes_on_alike() -> None:
    """A dump in the midst of learning, and one of what is learnt."""
    whole, tasks = DriftTable(SETTINGS), Tasks(5)
    cut = DriftTable(SETTINGS)
    for at in range(320):
        closed = tasks.closed(at)
        whole.look(closed)
        cut.look(closed)
        if at in (100, 239, 290):
            cut = DriftTable.load(SETTINGS, cut.dump(), [])
    assert whole.streams == cut.streams > 10
    for name, bank in whole.banks.items():
        assert bank.streams == cut.banks[name].streams
        np.testing.assert_array_equal(bank.m, cut.banks[name].m)


def test_runs_that_say_no_type_are_a_type_of_their_own() -> None:
    """One run in twenty says none; fifteen points more of these fail, and of no type: it is told of them alone."""
    found = alarms(Tasks(typed=0.95, tasks=300), {"worse_untyped": 0.15})
    assert set(found) == {"own_rate task_success workflow desk task "}
    (told,) = found.values()
    assert told.words.startswith("tasks of type other or none: ")
    assert (told.dimension, told.to, told.is_worse) == ("task", "other or none", True)


def test_the_tools_of_runs_that_say_no_type_are_watched() -> None:
    """One in twenty says none, and these begin to read in place of searching; the others go on as ever."""
    found = alarms(Tasks(typed=0.95, tasks=300), {"more_untyped": 0.2})
    assert set(found) == {"tool_mix tool_success workflow desk task "}
    (told,) = found.values()
    assert told.words.startswith("tasks of type other or none: the mix of tools moved:")


def test_where_few_say_a_type_the_whole_is_watched_and_not_what_is_left() -> None:
    """Half of the runs say their type: what is left is in the whole."""
    found = alarms(Tasks(typed=0.5), {"worse_untyped": 0.2, "worse": 0.2})
    assert "own_rate task_success workflow desk" in found
    assert not [key for key in found if key.endswith("task ")]


def test_a_type_of_the_name_other_is_one_of_these() -> None:
    """One in five says `other`, which is also the name of what is beyond the bound: fifteen points more of it fail."""
    tasks, table, found = Tasks(tasks=300), DriftTable(SETTINGS), {}
    for at in range(END):
        how = {"worse_book": 0.15} if at >= CHANGE else {}
        named = [replace(label, group=_as_other(label.group)) for label in LABELS]
        looked = table.look(tasks.closed(at, **how)._replace(labels=named))
        found |= {each.key.replace("\x1f", " "): each for each in looked.found if each.alarm}
    assert set(found) == {"own_rate task_success workflow desk task "}


def _as_other(group: dict[str, str]) -> dict[str, str]:
    return {key: re.sub(r"^book\b", "other", value) for key, value in group.items()}


@pytest.mark.parametrize("typed", [1.0, 0.95])
def test_what_is_left_is_what_all_runs_have_less_those_of_a_type(typed: float) -> None:
    """By minute, success and tools; nothing where all say their type."""
    table, tasks = DriftTable(SETTINGS), Tasks(typed=typed)
    closed = tasks.closed(0)
    table.look(closed)
    (minute,) = table.shard.minutes(closed)
    group = {tuple(label.group.values()): at for at, label in enumerate(table.shard.roles.labels) if label.waits}
    left = int(minute.total[group["desk", ""]])
    assert left == closed.total[0] - closed.total[1:3].sum()
    assert (left == 0) == (typed == 1)
    tools = [at for at, label in enumerate(table.shard.roles.labels) if label.group.get("task_tool", "x")[0] == BETWEEN]
    assert minute.total[tools].sum() == 3 * left
    assert (minute.total[tools] - minute.bad[tools]).sum() == closed.good[6:9].sum() - closed.good[9:].sum()


def test_a_state_from_before_has_what_is_left_from_now_on() -> None:
    """Its series keep their numbers; those that are left come after them."""
    before, tasks = DriftTable(SETTINGS), Tasks(5, typed=0.95, tasks=300)
    closed = [tasks.closed(at) for at in range(END)]
    before.shard.roles.enter(LABELS)
    before.shard.untyped.counted = np.arange(len(LABELS))
    for each in closed[:60]:
        before.look(each._replace(first=len(LABELS), labels=[]))
    raw = before.dump()
    arrays = {name: array for name, array in unpack(raw[8:]).items() if not name.startswith("untyped.")}
    old = pack(arrays)
    table = DriftTable.load(SETTINGS, len(old).to_bytes(8, "little") + old, [])
    for each in closed[60:]:
        table.look(each)
    assert "" in {label.group.get("task") for label in table.shard.roles.labels[len(LABELS) :]}
    again = DriftTable.load(SETTINGS, table.dump(), [])
    assert again.shard.roles.labels == table.shard.roles.labels
    np.testing.assert_array_equal(again.shard.untyped.counted, np.arange(len(LABELS)))
    assert again.streams == table.streams > 10


def test_a_tool_within_a_type_is_told_beside_the_type() -> None:
    """So that the records of its tools, and of the type as a whole, are of streams of their own."""
    table, tasks = DriftTable(SETTINGS), Tasks()
    for at in range(SETTINGS.least_span):
        table.look(tasks.closed(at))
    bank, (own,) = table.banks["own_rate"], [each for each in WATCHES if each.name == "own_rate"]
    found = [found_of(table.shard, own, bank, place).record()["contrast"] for place in range(len(bank))]
    of = [(each["to"], each.get("tool")) for each in found if each["dimension"] == "task"]
    assert {("ask", "search"), ("ask", "read"), ("ask", None), ("book", "pay")} <= set(of)
    assert of.count(("ask", "search")) == 1
