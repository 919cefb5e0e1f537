"""Runs shown beside an alarm: of the right side, of the right time, and bounded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from models.digest import digest_of
from models.drift.examples import HOURS, MAX_GROUPS, Example, Examples, examples_of
from models.drift.found import Found
from models.runs.changes import CALL, Changes
from models.runs.record import RUN
from models.spans.columns import Outcome

HOUR, MINUTE = 3_600_000_000_000, 60_000_000_000
START = 490_000 * HOUR
NAMES = {digest_of(text): text for text in ("support", "v1", "v2", "search", "plan", "free", "task")}


def found(dimension: str, from_: str, to: str, since: int, until: int = 100) -> Found:
    """Describe a stream that changed at hour `since`, as seen at hour `until`."""
    at = (START + since * HOUR) // MINUTE
    is_worse = True
    said = dimension, from_, to, "up", is_worse, {}, "", 1.0, 1, at, at, (START + until * HOUR) // MINUTE
    return Found("k", "support", "task_success", "d", *said, rolled_out=[])


def example(hour: float, number: int, *, bad: bool = False, group: tuple[str, str] = ("", "")) -> Example:
    """Give a run that ended at this hour."""
    return Example("support", *group, int(START + hour * HOUR), f"{number:032x}", bad)


def ids(*numbers: int) -> list[str]:
    """Give run ids."""
    return [f"{number:032x}" for number in numbers]


def told(*runs: dict[str, Any], calls: tuple[tuple[int, str, int], ...] = (), weight: int = 1) -> Changes:
    """Give a batch of runs; `calls` are (run, tool, errors)."""
    rows = np.zeros(len(runs), RUN)
    for row, said in zip(rows, runs, strict=True):
        row["workflow"], row["ended_at"] = digest_of("support"), START
        for name, value in said.items():
            row[name] = digest_of(value) if isinstance(value, str) else value
    made = np.zeros(len(calls), CALL)
    for row, (run, tool, errors) in zip(made, calls, strict=True):
        row["run"], row["tool"], row["calls"], row["errors"] = run, digest_of(tool), 1, errors
    return Changes(rows, np.full(len(rows), weight), made, rows[:0], NAMES)


def test_a_run_is_an_example_of_each_of_its_groups() -> None:
    """The workflow alone, what is rolled out, its cohorts, and the tools that failed in it."""
    run = {"trace_lo": 7, "version": "v2", "outcome": Outcome.FAILURE}
    batch = told(run, calls=((0, "search", 1), (0, "plan", 0)))
    batch.runs["cohort_name"][0, 0], batch.runs["cohort_value"][0, 0] = digest_of("plan"), digest_of("free")
    groups = {(each.dimension, each.value) for each in examples_of([batch])}
    assert groups == {("", ""), ("version", "v2"), ("plan", "free"), ("tool", "search")}
    assert {(each.workflow, each.run_id, each.is_bad) for each in examples_of([batch])} == {
        ("support", ids(7)[0], True)
    }
    assert examples_of([told(run, weight=-1)]) == []


def test_a_run_that_says_no_type_of_task_is_an_example_of_these_where_others_say_theirs() -> None:
    """Of its own workflow alone; where none says a type, there is no such group."""
    batch = told({"trace_lo": 1}, {"trace_lo": 2}, {"trace_lo": 3, "workflow": "plan"})
    assert not [each for each in examples_of([batch]) if each.dimension == "task"]
    batch.runs["cohort_name"][0, 0], batch.runs["cohort_value"][0, 0] = digest_of("task"), digest_of("free")
    found = {(each.value, each.run_id) for each in examples_of([batch]) if each.dimension == "task"}
    assert found == {("free", ids(1)[0]), ("other or none", ids(2)[0])}


def test_of_a_large_batch_the_latest_of_each_group_is_taken() -> None:
    """A good and a bad one each, of small groups too, whichever part of the batch they came in."""
    runs = [{"trace_lo": n, "ended_at": START + n, "escalated": n % 4 == 0} for n in range(4000)]
    runs[7] |= {"version": "v1"}
    runs[8] |= {"version": "v1"}
    runs[11] |= {"version": "v1"}
    calls = ((5, "search", 1), (9, "search", 1), (3, "search", 2))
    parts = [told(*runs[2000:]), told(*runs[:2000], calls=calls), told(weight=1)]
    found_ = {(each.dimension, each.value, each.is_bad): int(each.run_id, 16) for each in examples_of(parts)}
    assert found_ == {
        ("", "", True): 3996,
        ("", "", False): 3999,
        ("version", "v1", True): 8,
        ("version", "v1", False): 11,
        ("tool", "search", True): 9,
    }


def test_of_very_many_groups_the_latest_are_taken() -> None:
    """No batch can fill the memory, nor the time of who remembers them."""
    runs = [{"trace_lo": n, "ended_at": START + n, "tenant": n + 1} for n in range(2 * MAX_GROUPS)]
    batch = told(*runs)
    batch.names.update({n + 1: str(n) for n in range(2 * MAX_GROUPS)})
    values = [int(each.value) for each in examples_of([batch]) if each.dimension]
    assert values == list(range(MAX_GROUPS + 1, 2 * MAX_GROUPS))


def test_before_and_after_a_change_in_time() -> None:
    """Against its own past: the latest before it changed, and since then the bad ones first."""
    examples = Examples()
    examples.take([example(hour + 0.5, hour, bad=hour % 2 == 1) for hour in range(10)])
    examples.take([example(8.9, 89)])
    assert examples.beside(found("time", "baseline", "now", since=7)) == (ids(6, 5), ids(9, 7, 89))


def test_none_is_shown_that_ended_later_than_what_was_looked_at() -> None:
    """A replay reads hours at once, and says what a live service would have said."""
    examples = Examples()
    old, new = ("version", "v1"), ("version", "v2")
    examples.take([example(hour, hour, group=old) for hour in range(10)])
    examples.take([example(hour + 0.1, 10 + hour, group=new) for hour in range(3, 10)])
    examples.take([example(hour + 0.2, 20 + hour) for hour in range(10)])
    assert examples.beside(found("version", "v1", "v2", since=4, until=6)) == (ids(6, 5), ids(15, 14))
    assert examples.beside(found("time", "baseline", "now", since=4, until=6)) == (ids(23, 22), ids(25, 24))


def test_one_value_against_another() -> None:
    """The old version's runs, whenever they were, and the new one's since the change."""
    examples = Examples()
    old, new = ("version", "v1"), ("version", "v2")
    examples.take([example(hour, hour, group=old) for hour in range(6)])
    examples.take([example(hour + 0.1, 10 + hour, bad=True, group=new) for hour in range(3, 6)])
    assert examples.beside(found("version", "v1", "v2", since=4)) == (ids(5, 4), ids(15, 14))
    assert examples.beside(found("version", "the rest", "v2", since=4)) == (ids(5, 4), ids(15, 14))
    assert examples.beside(found("tool", "baseline", "search", since=4)) == ([], [])


def test_what_is_kept_is_bounded() -> None:
    """Two days of hours a group, and the groups heard of last; of one hour the latest run, in any order."""
    examples = Examples()
    for hour in range(HOURS + 100):
        examples.take([example(hour, hour), example(hour, hour, bad=True)])
    assert len(examples._runs("support", ("", ""))) == 2 * HOURS
    for n in range(MAX_GROUPS + 10):
        examples.take([example(0, n, group=("tenant", str(n)))])
    assert len(examples._groups) == MAX_GROUPS
    assert examples._runs("support", ("", "")) == []
    for order in ([1, 2, 3], [3, 1, 2]):
        some = Examples()
        some.take([example(n / 10, n) for n in order])
        assert some._runs("support", ("", "")) == [(False, int(START + 0.3 * HOUR), ids(3)[0])]


def test_runs_of_what_is_named_other_are_found() -> None:
    """A version, tenant or tool of that name is told apart from what is beyond the bound; its runs are its examples."""
    names = {**NAMES, digest_of("other"): "other"}
    changes = replace(told({"version": "other"}, calls=((0, "other", 1),)), names=names)
    shown = {(each.dimension, each.value) for each in examples_of([changes])}
    assert {("version", "other (so named)"), ("tool", "other (so named)")} <= shown
