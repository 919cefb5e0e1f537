"""The second person: two people are two, whatever way a name was written on a key."""

from __future__ import annotations

import pytest

from control.second import SecondPerson

KILL = (1, 7)


@pytest.mark.parametrize("again", ["ann", "Ann", " ann ", "ANN", "\uff41nn", "a\u200bnn"])
def test_one_person_with_two_keys_is_one(again: str) -> None:
    """Case, blanks and width of a name make nobody else of them."""
    second = SecondPerson()
    assert second.ask(None, "ann", KILL, 0.0) == ""
    assert second.ask(None, again, KILL, 1.0) == ""
    assert second.ask(None, "bob", KILL, 2.0) in ("ann", again)


def test_who_asks_again_has_asked_now() -> None:
    """The time in which the second must ask runs from the last time that the first did."""
    second = SecondPerson(600.0)
    assert second.ask(None, "ann", KILL, 0.0) == ""
    assert second.ask(None, "ann", KILL, 590.0) == ""
    assert second.ask(None, "bob", KILL, 700.0) == "ann"
