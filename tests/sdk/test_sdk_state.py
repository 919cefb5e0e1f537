"""States: the merge is a semilattice with the neutral state as its unit, and what is read is what was written."""

from __future__ import annotations

from typing import Any

import pytest
from flyball_sdk.errors import MalformedError
from flyball_sdk.scope import Scope, Subject
from flyball_sdk.state import LEVELS, NEUTRAL, State, Throttle, at_least_as_strict, merge, merged
from hypothesis import given
from hypothesis import strategies as st

tools = st.frozensets(st.sampled_from(["read", "write", "pay", "delete"]))
limits = st.none() | st.integers(0, 5)
throttles = st.builds(Throttle, limits, limits).map(lambda t: None if t == Throttle() else t)
states = st.builds(State, st.booleans(), st.sampled_from(LEVELS), st.none() | tools, tools, throttles)


def allows(state: State, tool: str, tier: int, rate: int, at_once: int) -> bool:
    """Say by the words of the contract whether a state lets a call through, without the merge."""
    if state.kill or tool in state.deny or (state.tools is not None and tool not in state.tools):
        return False
    if tier > {"full": 3, "bounded": 1, "human": 1, "static": 0}[state.level]:
        return False
    most, most_at_once = state.throttle or (None, None)
    return (most is None or rate <= most) and (most_at_once is None or at_once <= most_at_once)


@given(states, states, states)
def test_the_merge_is_a_semilattice(one: State, other: State, third: State) -> None:
    """The merge is commutative, associative and idempotent, and neutral is its unit."""
    assert merge(one, other) == merge(other, one)
    assert merge(merge(one, other), third) == merge(one, merge(other, third))
    assert merge(one, one) == one
    assert merge(one, NEUTRAL) == one == merge(NEUTRAL, one)
    assert merged([one, other, third]) == merge(one, merge(other, third))


@given(
    states,
    states,
    st.sampled_from(["read", "write", "pay", "new"]),
    st.integers(0, 3),
    st.integers(0, 6),
    st.integers(0, 6),
)
def test_merged_is_what_both_let_through(
    one: State, other: State, tool: str, tier: int, rate: int, at_once: int
) -> None:
    """A call passes the merged state just if it passes both: nothing is ever gained by one more scope."""
    both = allows(one, tool, tier, rate, at_once) and allows(other, tool, tier, rate, at_once)
    assert allows(merge(one, other), tool, tier, rate, at_once) == both


@given(states, states, states)
def test_the_merge_is_monotone(one: State, other: State, third: State) -> None:
    """What is stricter before a merge is stricter after it."""
    stricter = merge(one, other)
    assert at_least_as_strict(stricter, one)
    assert at_least_as_strict(merge(stricter, third), merge(one, third))


@given(states)
def test_a_state_is_read_as_written(state: State) -> None:
    """JSON and back is the same state."""
    assert State.from_json(state.to_json()) == state


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("kill", 1),
        ("kill", None),
        ("level", "FULL"),
        ("level", None),
        ("tools", "read"),
        ("tools", [1]),
        ("deny", None),
        ("throttle", 5),
        ("throttle", {"calls_per_minute": 1.5}),
        ("throttle", {"calls_per_minute": -1}),
        ("throttle", {"calls_per_minute": True}),
        ("throttle", {"per_hour": 5}),
        ("pause", True),
    ],
)
def test_a_wrong_state_is_refused_by_name(member: str, value: object) -> None:
    """What is not of the contract's form is refused, and the message names the member; unknown ones too."""
    with pytest.raises(MalformedError, match=member):
        State.from_json(NEUTRAL.to_json() | {member: value})


@pytest.mark.parametrize("member", ["kill", "level", "tools", "deny", "throttle"])
def test_a_state_is_absolute(member: str) -> None:
    """A state with a member missing is refused: a gap is no 'as before'."""
    said = {name: value for name, value in NEUTRAL.to_json().items() if name != member}
    with pytest.raises(MalformedError, match=member):
        State.from_json(said)


@pytest.mark.parametrize(
    "value",
    [
        {"level": "team", "id": "a"},
        {"level": "user", "id": ""},
        {"level": "user", "id": "a\nuser:b:9:9"},
        {"level": "run", "id": "a"},
        {"level": "product", "id": "a"},
        {"level": "user"},
        "user:a",
    ],
)
def test_a_wrong_scope_is_refused(value: Any) -> None:
    """Scopes have a known level, and an id that cannot forge a line of a view."""
    with pytest.raises(MalformedError):
        Scope.from_json(value)


def test_a_subject_knows_its_scopes() -> None:
    """A call is in one scope for each id that is known, and always in the product."""
    run = "ab" * 16
    assert Subject().scopes() == [Scope("product", "*")]
    assert Subject(run=run, tenant="t1").scopes() == [
        Scope("run", run),
        Scope("tenant", "t1"),
        Scope("product", "*"),
    ]
    assert Subject(user="u").narrowed(Subject(user="other", agent="a")) == Subject(user="u", agent="a")
