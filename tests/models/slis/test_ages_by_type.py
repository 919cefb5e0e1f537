"""Ages of users by type of task, beside an oracle that knows all runs: any order and batches, cuts, corrections."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.digest import digest_of
from models.runs.changes import CALL, Changes
from models.runs.record import RUN
from models.slis.cells import Cells, cells_of
from models.slis.groups import BETWEEN, USER
from models.slis.panes import PaneTable
from models.slis.settings import SliSettings
from models.slis.user_types import of_type

DAYS = 2
SETTINGS = SliSettings(new_user_days=DAYS, waits=(0, 0))
START = 20_000
"""Unix day."""
TYPES = ("", "ask", "user", "new")
"""Of runs; "": they say none. One is called as the dimension of users is, one as an age."""
Run = tuple[int, int, int, int]
"""Day, user (0: none), type, seconds that it took."""
Key = tuple[str, str, str]
"""SLI, dimension, value."""
runs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, 3), st.integers(1, 9)), max_size=25)


def changes(some: list[Run], weight: int = 1) -> Changes:
    """Give runs, of two calls each; those that took an odd number of seconds failed."""
    rows, calls = np.zeros(len(some), RUN), np.zeros(len(some), CALL)
    for row, call, at, (day, user, kind, took) in zip(rows, calls, range(len(some)), some, strict=True):
        minute = (START + day) * 1440 + 7
        row["workflow"], row["user"] = digest_of("desk"), digest_of(f"u{user}") if user else 0
        row["ended_at"] = minute * 60 * 10**9
        row["started_at"], row["task"] = row["ended_at"] - took * 10**9, 1 + took % 2
        call["run"], call["tool"], call["calls"], call["minute"] = at, digest_of("search"), 2 * weight, minute
        if TYPES[kind]:
            row["cohort_name"][2], row["cohort_value"][2] = digest_of("task"), digest_of(TYPES[kind])
    texts = ("desk", "task", "search", *TYPES[1:], *(f"u{user}" for user in range(1, 5)))
    names = {digest_of(text): text for text in texts}
    return Changes(rows, np.full(len(some), weight, np.int64), calls, rows[:0], names)


def oracle(some: list[Run]) -> Counter[Key]:
    """Count runs, failures and calls by age, and by age and type, knowing all runs."""
    found: Counter[Key] = Counter()
    for day, user, kind, took in some:
        start = min((d for d, u, *_ in some if u), default=0)
        first = min((d for d, u, *_ in some if u == user), default=0)
        if not user or day <= start + DAYS:
            continue
        age = "new" if first >= start + DAYS and day - first < DAYS else "existing"
        groups = [("user_age", age), *([("task_user_age", f"{TYPES[kind]}{BETWEEN}{age}")] if TYPES[kind] else [])]
        for group in groups:
            found["escalation_rate", *group] += 1
            found["time_to_resolution", *group] += 1
            found["task_success", *group] += took % 2
            found["tool_success", *group] += 2
    return found


def counted(table: PaneTable) -> Counter[Key]:
    """Count the same in all minutes: of success what failed."""
    closed = table.close()
    found: Counter[Key] = Counter()
    if closed is None:
        return found
    for series, total, good in zip(closed.series.tolist(), closed.total.tolist(), closed.good.tolist(), strict=True):
        label = closed.labels[series - closed.first]
        for dimension, value in label.group.items():
            if dimension in {"user_age", "task_user_age"}:
                found[label.sli, dimension, value] += total - good if label.sli == "task_success" else total
    for row, _, count in closed.bins.tolist():
        label = closed.labels[int(closed.series[row]) - closed.first]
        for dimension, value in label.group.items():
            if label.sli == "time_to_resolution" and dimension in {"user_age", "task_user_age"}:
                found[label.sli, dimension, value] += count
    of = {"escalation_rate", "time_to_resolution", "task_success", "tool_success"}
    return Counter({key: count for key, count in found.items() if key[0] in of and count})


def take(table: PaneTable, *batch: Changes) -> None:
    """Count a batch."""
    for part in cells_of(batch, by_user=True).split().values():
        table.apply(part)


@settings(max_examples=150, deadline=None)
@given(runs, st.sampled_from([1, 3, 40]), st.integers(0, 25), st.booleans())
def test_panes_equal_the_oracle(some: list[Run], size: int, cut: int, by_delta: bool) -> None:  # noqa: FBT001
    """In any order within a day, in any batches, cut and restored anywhere."""
    order = sorted(some, key=lambda run: run[0])
    table, deltas = PaneTable(SETTINGS), list[bytes]()
    for at in range(0, len(order), size):
        take(table, changes(order[at : at + size]))
        deltas.append(table.take_delta())
        if at <= cut < at + size:
            whole = None if by_delta else table.dump()
            table = PaneTable.load(SETTINGS, whole, [each for each in deltas if each] if by_delta else [])
    expected = oracle(some)
    assert counted(table) == Counter({key: count for key, count in expected.items() if count})


def test_runs_that_say_no_type_have_cells_as_ever() -> None:
    """Of the dimension of users, beside others that say one."""
    cells = cells_of([changes([(0, 1, 0, 2), (0, 2, 1, 2), (0, 0, 1, 2), (0, 3, 2, 2)])], by_user=True)
    dimensions = dict(zip(cells.users[2].tolist(), cells.users[1].tolist(), strict=True))
    types = {"u1": 0, "u2": digest_of("ask"), "u3": digest_of("user")}
    assert dimensions == {digest_of(user): of_type(np.int64(task)) for user, task in types.items()}
    assert dimensions[digest_of("u1")] == USER


def test_each_run_is_counted_for_its_user_once() -> None:
    """As many cells by user with types as without."""
    typed, untyped = ([(0, 1, kind, 2), (0, 2, 0, 3)] for kind in (1, 0))
    of_typed, of_untyped = (cells_of([changes(some)], by_user=True).users for some in (typed, untyped))
    assert sorted(of_typed[2:].T.tolist()) == sorted(of_untyped[2:].T.tolist())


@pytest.mark.parametrize("parts", [1, 2])
def test_a_run_whose_user_is_corrected_changes_its_age_within_its_type(parts: int) -> None:
    """All else cancels out: the type has its name all the same, and the age that it had has no events."""
    table = PaneTable(SETTINGS)
    take(table, changes([(0, 1, 0, 2), (4, 2, 1, 2)]))
    taken_back, told = changes([(4, 2, 1, 2)], -1), changes([(4, 1, 1, 2)])
    for batch in ([taken_back, told],) if parts == 1 else ([taken_back], [told]):
        take(table, *batch)
    assert counted(table) == oracle([(0, 1, 0, 2), (4, 1, 1, 2)]) - Counter()


def test_types_have_their_names_where_all_else_cancels_out() -> None:
    """Shards hear of them by the cells of users alone."""
    (part,) = cells_of([changes([(4, 2, 1, 2)], -1), changes([(4, 1, 1, 2)])], by_user=True).split().values()
    assert len(part) == 0
    assert part.names == {digest_of("ask"): "ask"}
    assert Cells.empty().split() == {}
