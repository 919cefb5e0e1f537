"""UserMinutes against plain dictionaries, whatever comes when, and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.spend import user_minutes
from models.spend.user_minutes import UserMinutes

if TYPE_CHECKING:
    import pytest

Row = tuple[int, int, int, int]
ROWS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(0, 3), st.integers(1, 9)),
    max_size=8,
    unique_by=lambda row: row[:3],
)


def add(to: UserMinutes, rows: list[Row]) -> list[int]:
    """Add (user, tenant, minute, calls)."""
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return to.add(*columns).tolist()


@given(st.lists(ROWS, max_size=8))
def test_minutes_are_those_of_plain_dictionaries(batches: list[list[Row]]) -> None:
    """Each user's newest minute alone counts, in every batch minutes in order; those that end are learnt from."""
    of, newest, over = UserMinutes(), {}, []
    for rows in batches:
        expected: dict[Row, int] = {}
        for row in sorted(rows, key=lambda row: row[2]):
            user, tenant, minute, calls = row
            held = newest.setdefault((user, tenant), [minute, 0])
            if minute > held[0]:
                over.append(held[1])
                held[:] = minute, 0
            held[1] += calls if minute == held[0] else 0
            expected[row] = held[1] if minute == held[0] else 0
        assert add(of, rows) == [expected[row] for row in rows]
    assert sorted(np.concatenate([np.zeros(0, int), *of._learnt]).tolist()) == sorted(over)


def test_the_usual_is_a_nearest_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 1 to 200 calls the 99th percentile is 198, and it stays."""
    monkeypatch.setattr(user_minutes, "LEARNT", 200)
    of = UserMinutes()
    for minute, calls in enumerate([*range(1, 201), 5000, 6000, 1], 1):
        assert of.usual == (0 if minute <= 201 else 198)
        add(of, [(1, 0, minute, calls)])


def test_users_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The half that was active longest ago goes; the others keep their minute."""
    monkeypatch.setattr(user_minutes, "MOST", 10)
    of = UserMinutes()
    for user in range(1, 11):
        add(of, [(user, 0, user, user)])
    assert add(of, [(11, 0, 11, 1)]) == [1]
    assert len(of._slots) == 6
    assert add(of, [(10, 0, 10, 1), (6, 0, 6, 1), (5, 0, 12, 3)]) == [11, 7, 3]
