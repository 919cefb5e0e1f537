"""Contributions: whatever the order, the batches and the number of times, between commands the state is the same."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import orjson
from flyball_sdk.scope import Scope
from flyball_sdk.state import NEUTRAL, State, Throttle, merged
from hypothesis import given, settings
from hypothesis import strategies as st

from control.contributions import Book, Place, Rules
from control.verdicts import ACTIONS, Verdict, asked, read

RUN = Scope("run", "ab" * 16)
PLACES = [Place(RUN, None), Place(RUN, "t1"), Place(Scope("user", "u"), None)]
LIFTER = "may.lift"
RULES = Rules(frozenset({LIFTER}))
EVIDENCE: list[dict[str, Any]] = [{}, {"tool": "a"}, {"tool": "b"}, {"tools": ["a"]}, {"calls_per_minute": 5}]


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    """Make one of few verdicts, so that they meet."""
    place = draw(st.sampled_from(PLACES))
    return Verdict(
        id=str(draw(st.integers(0, 10**6))),
        scope=place.scope,
        tenant=place.tenant,
        action=draw(st.sampled_from(ACTIONS)),
        rule=draw(st.sampled_from(["r1", LIFTER])),
        reason=draw(st.sampled_from(["x", "y"])),
        generation=draw(st.integers(0, 5)),
        evidence=draw(st.sampled_from(EVIDENCE)),
    )


def oracle(told: list[Verdict], floors: dict[tuple[Place, str], int]) -> dict[Place, State]:
    """Work out the states from the set of all verdicts, as the contract says it."""
    by_source: dict[tuple[Place, str], list[Verdict]] = defaultdict(list)
    for each in told:
        key = (Place(each.scope, each.tenant), each.rule)
        if each.action != "warn" and each.generation > floors.get(key, -1):
            by_source[key].append(each)
    asks: dict[Place, list[State]] = defaultdict(list)
    for (place, rule), those in by_source.items():
        others = [each for each in those if each.action != "kill"]
        newest = max((each.generation for each in others), default=-1)
        asks[place] += [asked(each, RULES.throttle) for each in others if each.generation == newest]
        lifted = max((each.generation for each in those if each.action == "clear" and rule == LIFTER), default=-1)
        kills = [each for each in those if each.action == "kill" and each.generation >= lifted]
        asks[place] += [State(kill=True) for _ in kills]
    return {place: merged(asks[place]) for place in PLACES}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_order_duplicates_and_replays_do_not_matter(data: st.DataObject) -> None:
    """Shuffled and repeated verdicts give the oracle's states; after a resume, replays give nothing back."""
    told = data.draw(st.lists(verdicts(), max_size=12))
    again = data.draw(
        st.permutations(told + data.draw(st.lists(st.sampled_from(told), max_size=5) if told else st.just([])))
    )
    one, other = Book(RULES), Book(RULES)
    for each in told:
        one.apply(each)
    for each in again:
        other.apply(each)
    expected = oracle(told, {})
    assert {place: one.state(place) for place in PLACES} == expected
    assert {place: other.state(place) for place in PLACES} == expected
    assert {place: one.why(place) for place in PLACES} == {place: other.why(place) for place in PLACES}

    one.resume(RUN, None, everybody=True)
    floors: dict[tuple[Place, str], int] = defaultdict(lambda: -1)
    for each in told:
        if each.scope == RUN and each.action != "warn":
            key = (Place(each.scope, each.tenant), each.rule)
            floors[key] = max(floors[key], each.generation)
    for each in again:
        one.apply(each)
    later = data.draw(st.lists(verdicts(), max_size=6))
    for each in later:
        one.apply(each)
    assert {place: one.state(place) for place in PLACES} == oracle(told + later, floors)


@settings(max_examples=150, deadline=None)
@given(st.lists(verdicts(), max_size=20))
def test_nothing_but_a_resume_or_the_named_rule_ends_a_kill(told: list[Verdict]) -> None:
    """Once killed by a rule that may not lift, a place stays killed whatever else is told."""
    book, killed = Book(RULES), set()
    for each in told:
        book.apply(each)
        place = Place(each.scope, each.tenant)
        if each.action == "kill" and each.rule != LIFTER:
            killed.add(place)
        assert all(book.state(one).kill for one in killed)


def one(action: str, generation: int = 1, rule: str = "r", **evidence: Any) -> Verdict:
    """Make a verdict on the run."""
    return Verdict("v", RUN, None, action, rule, "why", generation, evidence)


def test_what_each_action_contributes() -> None:
    """The table of docs/governor.md, row by row."""
    rows = {
        "warn": (one("warn"), NEUTRAL),
        "throttle": (one("throttle", calls_per_minute=7, concurrency=1), State(throttle=Throttle(7, 1))),
        "throttle as configured": (one("throttle"), State(throttle=Throttle(30, 2))),
        "bound": (one("bound", tools=["a"]), State(level="bounded", tools=frozenset({"a"}))),
        "block": (one("block", tool="t"), State(deny=frozenset({"t"}))),
        "block without a tool": (one("block"), State(level="static")),
        "kill": (one("kill"), State(kill=True)),
        "clear": (one("clear"), NEUTRAL),
    }
    for name, (verdict, expected) in rows.items():
        book = Book(RULES)
        book.apply(verdict)
        assert (name, book.state(PLACES[0])) == (name, expected)


def test_people_set_states_and_do_not_lift_their_own_kill_by_it() -> None:
    """`set` replaces what people asked for, not their kill; a resume takes both."""
    book, place = Book(RULES), PLACES[0]
    book.set(place, State(level="human"), 1)
    book.kill(place, 2)
    book.set(place, State(level="bounded"), 3)
    assert book.state(place) == State(kill=True, level="bounded")
    book.resume(RUN, None, everybody=False)
    assert book.state(place) == NEUTRAL
    book.kill(place, 4)
    assert book.state(place).kill


def test_runs_are_dropped_48_hours_after_the_last_word() -> None:
    """A run's contributions go when nothing was heard of it for long; those of a user stay."""
    book = Book(RULES)
    book.apply(one("kill"), up_s=0)
    book.apply(one("block", 2, "other"), up_s=100)
    book.apply(one("kill")._replace(scope=Scope("user", "u")), up_s=0)
    assert book.expire(100 + 48 * 3600, 48 * 3600) == []
    assert book.expire(101 + 48 * 3600, 48 * 3600) == [PLACES[0]]
    assert book.state(PLACES[0]) == NEUTRAL
    assert book.state(PLACES[2]).kill


def test_a_rule_on_trial_only_warns() -> None:
    """What a rule in shadow decides asks for nothing."""
    record = {
        "kind": "verdict",
        "id": "v1",
        "scope": {"level": "run", "id": "a" * 32},
        "action": "kill",
        "rule": "cap.cost",
        "reason": "too much",
        "evidence": {"mode": "shadow"},
        "generation": 1,
    }
    assert read(orjson.dumps(record)).action == "warn"
    assert read(orjson.dumps(record | {"evidence": {"mode": "enforce"}})).action == "kill"


def test_globs_name_the_rules_that_may_lift() -> None:
    """Budgets lift at a new period; nothing else does unless it is named."""
    rules = Rules(frozenset({"spend.*", "cap.cost"}))
    assert [rules.lifts(rule) for rule in ("spend.daily", "cap.cost", "cap.wall", "spend")] == [
        True,
        True,
        False,
        False,
    ]
