"""Runs by the age of their user: the latest of each workflow, age, side and hour, in any order; bounded; asked once."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.digest import digest_of
from models.drift.settings import DriftSettings
from models.drift.table import DriftTable
from models.runs.changes import CALL, Changes
from models.runs.record import RUN
from models.slis.cells import cells_of
from models.slis.panes import PaneTable
from models.slis.settings import SliSettings
from models.slis.user_runs import MOST, LatestRuns, UserRun, rows_of_users
from models.spans.columns import Outcome

HOUR = 3_600_000_000_000
START = 490_008 * HOUR
"""Midnight."""
WORKFLOWS, AGES = ("support", "billing"), ("new", "existing")
NAMES = {digest_of(text): text for text in (*WORKFLOWS, "ann", "bob", "eve")}

some_runs = st.lists(
    st.builds(
        UserRun,
        st.sampled_from(WORKFLOWS),
        st.sampled_from(AGES),
        st.integers(0, 3 * HOUR).map(lambda after: START + after - after % (HOUR // 4)),
        st.integers(0, 9).map(lambda number: f"{number:032x}"),
        st.booleans(),
    ),
    max_size=30,
)


def added(latest: LatestRuns, some: list[UserRun]) -> None:
    """Take in runs, whose ages are known."""
    rows = [(digest_of(r.workflow), 7, r.ended_ns, 0, int(r.run_id, 16), r.is_bad) for r in some]
    ages = np.array([digest_of(run.age) for run in some], np.int64)
    latest.add(np.array(rows, np.int64).reshape(-1, 6).T.copy(), ages, NAMES)


@settings(max_examples=200, deadline=None)
@given(some_runs, st.sampled_from([1, 3, 30]))
def test_the_latest_of_each_hour_and_side_are_kept(some: list[UserRun], size: int) -> None:
    """Whatever came in which batch; they are given once."""
    latest = LatestRuns()
    for at in range(0, len(some), size):
        added(latest, some[at : at + size])
    expected: dict[tuple[Any, ...], UserRun] = {}
    for run in some:
        group = run.workflow, run.age, run.is_bad, run.ended_ns // HOUR
        expected[group] = max(expected.get(group, run), run, key=lambda each: (each.ended_ns, each.run_id))
    told = latest.take()
    assert sorted(told) == sorted(expected.values())
    assert [run.ended_ns for run in told] == sorted(run.ended_ns for run in told)
    assert latest.take() == []


def test_what_is_kept_is_bounded_where_nobody_asks() -> None:
    """The latest, with the names of their workflows."""
    latest = LatestRuns()
    for hour in range(MOST + 20):
        added(latest, [UserRun("support", "new", START + hour * HOUR, f"{hour:032x}", is_bad=False)])
    assert len(latest) == MOST
    told = latest.take()
    assert (told[0].ended_ns, told[-1].ended_ns) == (START + 20 * HOUR, START + (MOST + 19) * HOUR)


def changes(*said: tuple[str, str, int, int], weight: int = 1) -> Changes:
    """Give runs of `support`: (user, outcome, day, number)."""
    runs = np.zeros(len(said), RUN)
    for row, (user, outcome, day, number) in zip(runs, said, strict=True):
        row["workflow"], row["user"] = digest_of("support"), digest_of(user) if user else 0
        row["outcome"], row["trace_lo"] = Outcome[outcome], number
        row["ended_at"] = START + 24 * HOUR * day
        row["task"] = 2 - (outcome == "SUCCESS")
    return Changes(runs, np.full(len(runs), weight), np.empty(0, CALL), runs[:0], NAMES)


def test_only_what_is_told_as_it_is_now_and_has_a_user_counts() -> None:
    """What a run was before a correction is no example, and who has no user has no age."""
    now = changes(("ann", "FAILURE", 0, 1), ("", "SUCCESS", 0, 2), ("bob", "SUCCESS", 0, 3))
    workflow = np.full(3, digest_of("support"))
    rows = rows_of_users(now.runs, workflow, now.weight)
    assert rows[3:].tolist() == [[0, 0], [1, 3], [1, 0]]
    assert rows_of_users(now.runs, workflow, -now.weight).shape == (6, 0)


def test_minutes_that_are_over_come_with_runs_of_both_ages() -> None:
    """By the age the user had on the day of the run; nobody has one in the first days; a look hands them on."""
    table = PaneTable(SliSettings(new_user_days=1))
    first = changes(("ann", "SUCCESS", 0, 1))
    later = [("ann", "FAILURE", 2, 2), ("bob", "SUCCESS", 2, 3), ("eve", "FAILURE", 3, 4), ("bob", "SUCCESS", 3, 5)]
    for batch in (first, changes(*later)):
        for part in cells_of([batch], by_user=True).split().values():
            table.apply(part)
    closed = table.close()
    assert closed is not None
    expected = [
        ("support", "existing", START + 48 * HOUR, f"{2:032x}", True),
        ("support", "new", START + 48 * HOUR, f"{3:032x}", False),
        ("support", "existing", START + 72 * HOUR, f"{5:032x}", False),
        ("support", "new", START + 72 * HOUR, f"{4:032x}", True),
    ]
    assert sorted(closed.runs) == sorted(expected)
    looked = DriftTable(DriftSettings()).look(closed)
    assert {(each.dimension, each.value) for each in looked.examples} == {("user_age", "new"), ("user_age", "existing")}
    assert not PaneTable.load(SliSettings(new_user_days=1), table.dump(), []).close().runs  # type: ignore[union-attr]
