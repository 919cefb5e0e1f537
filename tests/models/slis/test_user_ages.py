"""Ages of users: compared with an oracle that reads all runs first; any order and batching; bounded; cut anywhere."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.digest import digest_of
from models.runs.changes import CALL, Changes
from models.runs.record import RUN
from models.slis.cells import Cells, cells_of
from models.slis.groups import USER_AGE, cohort_key
from models.slis.panes import PaneTable
from models.slis.settings import SliSettings
from models.slis.user_ages import KEPT, NAMES, UserAges

DAYS = 3
START = 20_000
"""Unix day."""
Run = tuple[int, int, int]
"""Day, workflow, user."""
WORKFLOWS, USERS = [digest_of(text) for text in ("airline", "retail")], [digest_of(text) for text in "abcdef"]
runs = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1), st.integers(0, 5)), max_size=40)
SLI = digest_of("task_success")


def cells(some: list[Run], count: int = 1) -> np.ndarray:  # type: ignore[type-arg]
    """Give a cell of each run, by user."""
    rows = [
        (WORKFLOWS[workflow], digest_of("user"), USERS[user], SLI, (START + day) * 1440 + 7, 1, count)
        for day, workflow, user in some
    ]
    return np.array(rows, np.int64).reshape(-1, 7).T.copy()


def oracle(some: list[Run]) -> Counter[tuple[int, str, int]]:
    """Count (workflow, age, day), knowing all runs."""
    found: Counter[tuple[int, str, int]] = Counter()
    for day, workflow, user in some:
        start = min(d for d, w, _ in some if w == workflow)
        first = min(d for d, w, u in some if (w, u) == (workflow, user))
        if day > start + DAYS:
            is_new = first >= start + DAYS and day - first < DAYS
            found[workflow, "new" if is_new else "existing", day] += 1
    return found


def told(ages: UserAges, some: list[Run]) -> Counter[tuple[int, str, int]]:
    """Count the cells that come out the same way."""
    found: Counter[tuple[int, str, int]] = Counter()
    for workflow, dimension, value, sli, minute, bin_, count in ages.aged(cells(some)).T.tolist():
        assert (dimension, sli, bin_) == (digest_of(USER_AGE), SLI, 1)
        found[WORKFLOWS.index(workflow), NAMES[value], minute // 1440 - START] += count
    return found


def batches(some: list[Run], size: int, late: int) -> list[list[Run]]:
    """Part runs into batches that come in a wild order, none `late` days or more after one that is newer."""
    chance = np.random.default_rng(len(some))
    order = sorted(some, key=lambda run: run[0] + chance.random() * (late - 1e-9))
    return [order[at : at + size] for at in range(0, len(order), size)]


@settings(max_examples=200, deadline=None)
@example([*[(0, 0, 0)] * 4, (6, 1, 0), (9, 1, 1), *[(0, 0, 0)] * 3, (8, 1, 1)], 1)  # the first run of a user is late
@given(runs, st.sampled_from([1, 3, 40]))
def test_ages_equal_the_oracle_in_any_order_and_batching(some: list[Run], size: int) -> None:
    """Whatever comes when, as long as it is late by a day at most."""
    ages = UserAges(DAYS, 100)
    found: Counter[tuple[int, str, int]] = Counter()
    for batch in batches(some, size, DAYS - 1):
        found += told(ages, batch)
    assert found == oracle(some)


@settings(max_examples=100, deadline=None)
@given(runs, st.integers(0, 40), st.booleans())
def test_cut_and_restored_anywhere_equals_uncut(some: list[Run], cut: int, by_delta: bool) -> None:  # noqa: FBT001
    """From everything, or from what was news since the last time."""
    whole, part = UserAges(DAYS, 8), UserAges(DAYS, 8)
    again = UserAges(DAYS, 8)
    for at, batch in enumerate(batches(some, 1, DAYS - 1)):
        if at == cut:
            part, again = again, part
            if not by_delta:
                part.fill(again.arrays())
        assert told(whole, batch) == told(part, batch)
        if by_delta and at < cut:
            again.fill(part.delta())
            part.clear()
    for name, array in whole.arrays().items():
        np.testing.assert_array_equal(array, part.arrays()[name])


def test_a_run_taken_back_takes_its_age_back() -> None:
    """The cells of a correction cancel out, in one batch or in two."""
    ages = UserAges(DAYS, 100)
    ages.aged(cells([(0, 0, 0)]))
    both = np.concatenate([cells([(5, 0, 1)]), cells([(5, 0, 1)], -1)], axis=1)
    assert ages.aged(both).shape == (7, 0)
    added, removed = ages.aged(cells([(5, 0, 1)])), ages.aged(cells([(5, 0, 1)], -1))
    assert added[:6].tolist() == removed[:6].tolist()
    assert added[6].tolist() == (-removed[6]).tolist() == [1]


def test_users_are_bounded_and_forgotten() -> None:
    """Beyond the bound nobody is remembered, and that is counted; who is not seen for long is new when back."""
    ages = UserAges(DAYS, 3)  # the workflow is one of them
    ages.aged(cells([(0, 0, 0)]))
    assert told(ages, [(5, 0, user) for user in range(4)]) == {(0, "existing", 5): 1, (0, "new", 5): 1}
    assert (len(ages), ages.refused) == (3, 2)
    assert told(ages, [(5 + KEPT - 1, 0, 0)]) == {(0, "existing", 5 + KEPT - 1): 1}
    assert len(ages) == 3
    assert told(ages, [(5 + KEPT, 0, 0)]) == {(0, "existing", 5 + KEPT): 1}
    assert len(ages) == 2
    assert told(ages, [(5 + KEPT, 0, 1)]) == {(0, "new", 5 + KEPT): 1}


def test_many_users_in_little_memory() -> None:
    """At most 64 bytes each."""
    ages, many = UserAges(DAYS, 10**6), 50_000
    rows = np.zeros((7, many), np.int64)
    rows[0], rows[2], rows[6] = 1, np.arange(1, many + 1), 1
    for day in range(2):
        rows[4] = (START + day) * 1440
        ages.aged(rows)
    assert len(ages) == many + 1
    assert ages.memory_bytes <= 64 * many


def changes(some: list[Run]) -> Changes:
    """Give runs that succeed, of one call each."""
    rows, calls = np.zeros(len(some), RUN), np.zeros(len(some), CALL)
    for at, (day, workflow, user) in enumerate(some):
        rows[at]["workflow"], rows[at]["user"], rows[at]["task"] = WORKFLOWS[workflow], USERS[user], 1
        rows[at]["ended_at"] = ((START + day) * 1440 + 7) * 60 * 10**9
        calls[at]["run"], calls[at]["tool"], calls[at]["calls"] = at, digest_of("search"), 2
        calls[at]["minute"] = (START + day) * 1440 + 6
    names = {digest_of(text): text for text in ("airline", "retail", "search", *"abcdef")}
    return Changes(rows, np.ones(len(some), np.int64), calls, rows[:0], names)


OF_RUNS = {
    ("airline", None, "task_success"): 6,
    ("retail", None, "task_success"): 2,
    ("airline", "new", "task_success"): 3,
    ("airline", "existing", "task_success"): 2,
    ("retail", "existing", "task_success"): 1,
}


@pytest.mark.parametrize("parts", [1, 2, 8])
def test_series_of_ages(parts: int) -> None:
    """SLIs of runs and calls by age, whatever the batches; users come to be no series; the whole is as without ages."""
    some = [(0, 0, 0), (0, 1, 1), (4, 0, 1), (4, 0, 0), (4, 0, 2), (4, 1, 1), (8, 0, 1), (4, 0, 1)]
    bounds = SliSettings(new_user_days=DAYS)
    table, size = PaneTable(bounds), len(some) // parts
    deltas = []
    for at in range(0, len(some), size):
        for part in cells_of([changes(some[at : at + size])], by_user=True).split().values():
            table.apply(part)
        deltas.append(table.take_delta())
    for each in (table, PaneTable.load(bounds, None, deltas), PaneTable.load(bounds, table.dump(), [])):
        found = {
            (gauge.group["workflow"], gauge.group.get(USER_AGE), gauge.sli): gauge.total
            for gauge in each.gauges((START + 8) * 86_400 * 10**9 + 3600 * 10**9)
            if gauge.window == "30d" and gauge.sli in {"task_success", "tool_success"} and gauge.total
            if not {"user", "tool"} & set(gauge.group)
        }
        of_calls = {(workflow, age, "tool_success"): 2 * total for (workflow, age, _), total in OF_RUNS.items()}
        assert found == of_calls | OF_RUNS
        assert each.counters["sli_users_refused"] == 0


def test_without_ages_nothing_is_by_user() -> None:
    """The cells of a batch are the same, but for those by user."""
    some = [(0, 0, 0), (4, 1, 1)]
    without, by_user = cells_of([changes(some)]), cells_of([changes(some)], by_user=True)
    assert without.users.shape == (7, 0)
    assert sorted(without.cols.T.tolist()) == sorted(by_user.cols.T.tolist())
    assert set(by_user.users[2].tolist()) == {USERS[0], USERS[1]}
    assert Cells.empty().split() == {}


def test_a_cohort_of_that_name_is_told_apart() -> None:
    """What an agent calls `user_age` is another group."""
    assert cohort_key(USER_AGE) == "cohort.user_age"
