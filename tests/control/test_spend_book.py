"""What was spent is kept as long as in the flow: in memory and in the file."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from flyball_sdk.errors import MalformedError
from flyball_sdk.scope import Scope
from hypothesis import given, settings
from hypothesis import strategies as st

from control.plane import Plane, PlaneSettings
from control.usage import SpendBook, read

if TYPE_CHECKING:
    from pathlib import Path

FIRST = date(2026, 1, 1)


def record(day: int, revision: int = 1, name: str = "u1", period: str = "day") -> bytes:
    """Make a record of the day that is so many after the first."""
    said: dict[str, Any] = {
        "kind": "spend", "scope": {"level": "user", "id": name}, "tenant": "t1", "period": period,
        "start": (FIRST + timedelta(days=day)).isoformat(), "cost_usd": day, "limit_usd": 1, "revision": revision,
    }  # fmt: skip
    return orjson.dumps(said)


def kept(plane: Plane) -> list[bytes]:
    """List the records in the file."""
    return sorted(row[2] for row in plane.store.spend())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 150), st.integers(1, 3), st.sampled_from("ab"), st.sampled_from(["day", "month"]))
    ),
    st.integers(1, 9),
)
def test_what_is_kept_does_not_depend_on_order(told: list[Any], size: int) -> None:
    """Told in any order and in pieces: the newest revisions of periods that began at most 62 days before the newest."""
    book = SpendBook()
    for at, each in enumerate(told):
        book.take(read(record(*each)))
        if at % size == 0:
            book.forget()
    book.forget()
    least = max((day for day, *_ in told), default=0) - 62
    for name in "ab":
        expected = {(each[3], each[0]) for each in told if each[2] == name and each[0] >= least}
        found = {
            (each["period"], (date.fromisoformat(each["start"]) - FIRST).days)
            for each in book.usage("user", name, "t1")
        }
        assert found == expected
        newest: dict[str, Any] = {}
        for day, revision, whose, period in told:
            if whose == name and day >= least:
                newest[period] = max(newest.get(period, (0, 0)), (day, revision))
        current = {each.key[3]: (each.cost, each.revision) for each in book.current(Scope("user", name), "t1")}
        assert current == {period: (day * 10**9, revision) for period, (day, revision) in newest.items()}


def test_the_file_forgets_too(tmp_path: Path) -> None:
    """What is forgotten is not in the file any more, nor taken when it is told again, in this life or the next."""
    old, last, new = record(0, name="gone"), record(1), record(63)
    for messages in ([old, last], [new], [old]):
        plane = Plane(PlaneSettings(tmp_path), say=lambda _: None)
        plane.take_spend("flyball.spend", 0, list(enumerate(messages)))
        assert old not in kept(plane) or messages == [old, last]
        plane.stop()
    plane = Plane(PlaneSettings(tmp_path), say=lambda _: None)
    assert kept(plane) == sorted([last, new])
    assert plane.spend.usage("user", "gone", "t1") == []
    plane.take_spend("flyball.spend", 0, [(0, record(64)), (1, last)])
    assert kept(plane) == sorted([new, record(64)])
    plane.take_spend("flyball.spend", 0, [(2, last)])
    assert kept(plane) == sorted([new, record(64)])
    plane.stop()


def test_a_day_that_there_is_not_is_refused() -> None:
    """It could not be told how old it is."""
    with pytest.raises(MalformedError):
        read(record(0).replace(b"2026-01-01", b"2026-02-30"))


@pytest.mark.parametrize(
    ("spent", "near"),
    [
        ({"u1": (("day", 31, 0.75),), "u2": (("day", 31, 0.74),)}, 1),
        ({"u1": (("day", 31, 0.9), ("month", 31, 1.5)), "u2": (("month", 31, 2.0),)}, 2),  # one each, whatever is near
        ({"u1": (("day", 30, 5.0),), "u2": (("month", 0, 5.0),)}, 0),  # of yesterday, of last month
        ({"u1": (("day", 31, None),)}, 0),
    ],
)
def test_who_is_near_a_budget(spent: dict[str, Any], near: int) -> None:
    """On 1 February: users who have used 75 % or more of a budget of the day or month that it is."""
    book = SpendBook()
    for name, said in spent.items():
        for period, day, cost in said:
            row = orjson.loads(record(day, name=name, period=period)) | {"cost_usd": cost}
            book.take(read(orjson.dumps(row)))
    assert book.near("2026-02-01") == ({"user": near} if near else {})
