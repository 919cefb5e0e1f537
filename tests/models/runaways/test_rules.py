"""Rules on runaways, on runs made by hand, and against plain counting."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.runaways import RULES
from models.runaways.base import NANO, Call, Ladder, OpenRun, Point, cap
from models.runaways.policy import RuleSetting, RunawayPolicy
from models.verdicts import Action

NAMES = {1: "search", 2: "book", 3: "pay", 11: "planner", 12: "writer"}
BY_ID = {rule.id: rule for rule in RULES}


def run(*calls: tuple[int, int, int, bool] | tuple[int, int, int], **more: object) -> OpenRun:
    """Give a run of calls (tool, arguments, result, failed), one a second."""
    made = [Call(at * NANO, *call[:3], bool(call[3:] and call[3])) for at, call in enumerate(calls)]
    growth = [Point(len(calls) * NANO, 0, 0, 0)]
    said = {"growth": growth, "find_text": NAMES.get} | more
    return OpenRun("r", "air", 0, made, **said)  # type: ignore[arg-type]


def counted(rule: str, of: OpenRun) -> list[tuple[int, float]]:
    """Give (second, count) of all that a rule counts."""
    return [(count.at_ns // NANO, count.number) for count in BY_ID[rule].counts(of)]


def test_identical_calls_in_a_row() -> None:
    """Five in a row count up to five; another call in between begins anew."""
    assert counted("repeat.identical", run(*[(1, 7, 9)] * 5)) == [(1, 2), (2, 3), (3, 4), (4, 5)]
    broken = run((1, 7, 9), (1, 7, 9), (2, 7, 9), (1, 7, 9), (1, 7, 9))
    assert counted("repeat.identical", broken) == [(1, 2), (4, 2)]


def test_polling_is_no_repetition() -> None:
    """A result that changes begins anew; one that was not recorded does not; a return to the first result does."""
    assert counted("repeat.identical", run((1, 7, 1), (1, 7, 2), (1, 7, 3))) == []
    assert counted("repeat.identical", run((1, 7, 1), (1, 7, 0), (1, 7, 1))) == [(1, 2), (2, 3)]
    assert counted("repeat.identical", run((1, 7, 1), (1, 7, 0), (1, 7, 2))) == [(1, 2)]
    assert counted("repeat.identical", run(*[(1, 7, 0)] * 3)) == [(1, 2), (2, 3)]


def test_missing_arguments_are_never_equal() -> None:
    """Calls without arguments are no loop, by any rule that compares calls."""
    nothing = run(*[(1, 0, 5)] * 20)
    for rule in ("repeat.identical", "repeat.no_progress", "cycle.sequence"):
        assert counted(rule, nothing) == []


CALLS = st.lists(st.tuples(st.integers(1, 2), st.integers(0, 2), st.integers(0, 2), st.booleans()), max_size=30)


@given(CALLS)
def test_identical_by_brute_force(calls: list[tuple[int, int, int, bool]]) -> None:
    """The count at a call is the longest stretch that ends there: one call, no two known results."""

    def alike(stretch: list[tuple[int, int, int, bool]]) -> bool:
        return len({call[:2] for call in stretch}) == 1 and len({call[2] for call in stretch} - {0}) <= 1

    told = dict(counted("repeat.identical", run(*calls)))
    start = 0  # a stretch begins where the one before broke: it is never begun again further back
    for at in range(len(calls)):
        if not alike(calls[start : at + 1]) or not calls[at][1]:
            start = at
        length = at - start + 1
        assert told.get(at, 1) == (length if calls[at][1] else 1)


@given(CALLS)
def test_same_error_by_brute_force(calls: list[tuple[int, int, int, bool]]) -> None:
    """The count at a failure is how many of the tool's last calls, in a row, failed with that error."""
    told = dict(counted("repeat.error", run(*calls)))
    for at, (tool, _, result, failed) in enumerate(calls):
        times = 0
        for other in reversed([call for call in calls[: at + 1] if call[0] == tool]):
            if not other[3] or other[2] != result:
                break
            times += 1
        assert told.get(at, 0) == (times if failed else 0)


@given(CALLS)
def test_circles_by_brute_force(calls: list[tuple[int, int, int, bool]]) -> None:
    """Whatever is told goes round that often, and of different calls."""
    for count in BY_ID["cycle.sequence"].counts(run(*calls)):
        at, rounds, names = count.at_ns // NANO, int(count.number), count.evidence["sequence"]
        period = len(names)
        tail = calls[at - period * rounds + 1 : at + 1]
        assert len(tail) == period * rounds
        for before, after in zip(tail, tail[period:], strict=False):
            assert before[:2] == after[:2]
            assert before[2] == after[2] or 0 in (before[2], after[2])
        assert len({call[:2] for call in tail}) > 1
        assert all(call[1] for call in tail[period:])


def test_circles() -> None:
    """A, B, A, B, A, B is three rounds of two; A, B, C twice is two rounds of three; A, A, A is none."""
    a, b, c = (1, 7, 9), (2, 7, 9), (3, 7, 9)
    (*_, last) = BY_ID["cycle.sequence"].counts(run(a, b, a, b, a, b))
    assert (last.number, last.evidence["sequence"], last.evidence["first_ns"]) == (3, ["search", "book"], 0)
    (*_, last) = BY_ID["cycle.sequence"].counts(run(c, a, b, c, a, b, c))
    assert (last.number, last.evidence["sequence"]) == (2, ["search", "book", "pay"])
    assert counted("cycle.sequence", run(*[a] * 9)) == []
    changing = run(a, b, (1, 7, 8), (2, 7, 8), (1, 7, 7), (2, 7, 7))
    assert counted("cycle.sequence", changing) == []


def test_no_progress() -> None:
    """The same answer to the same question, others in between, within 24 calls."""
    calls = [(1, 7, 9), (2, 1, 1), (2, 2, 2), (1, 7, 9), (2, 3, 3), (1, 7, 9)]
    assert [count for at, count in counted("repeat.no_progress", run(*calls)) if count > 1] == [2, 3]
    apart = [(1, 7, 9), *[(2, number, 1) for number in range(1, 25)], (1, 7, 9)]
    assert counted("repeat.no_progress", run(*apart))[-1] == (25, 1)


def test_unknown_tools() -> None:
    """Names outside those listed count each once; of learnt ones only those that failed; without any, none."""
    calls = [(1, 1, 1), (3, 1, 1), (3, 2, 2), (2, 1, 1, True)]
    listed = run(*calls, known_tools=frozenset({1}), tools_are_listed=True)
    assert counted("tool.unknown", listed) == [(1, 1), (2, 1), (3, 2)]
    assert counted("tool.unknown", run(*calls, known_tools=frozenset({1}))) == [(3, 1)]
    assert counted("tool.unknown", run(*calls)) == []


def test_pingpong() -> None:
    """A, B, A, B, A, B goes round three times; one agent called again and again does not."""
    assert [n for _, n in counted("pingpong.agents", run(agents=tuple(enumerate((11, 12) * 3))))] == [1, 2, 2, 3]
    assert counted("pingpong.agents", run(agents=tuple(enumerate((11,) * 9)))) == []


def test_caps_count_along_the_way() -> None:
    """The sums after each LLM call; steps are those and the tool calls so far; USD, not nano-USD."""
    growth = [Point(1 * NANO, 1, 100, NANO // 4), Point(3 * NANO, 2, 300, NANO)]
    of = run((1, 1, 1), (1, 2, 2), (1, 3, 3), growth=growth)
    assert counted("cap.llm_calls", of) == [(1, 1), (3, 2)]
    assert counted("cap.tokens", of) == [(1, 100), (3, 300)]
    assert counted("cap.cost", of) == [(1, 0.25), (3, 1.0)]
    assert counted("cap.wall", of) == [(1, 1), (3, 3)]
    assert counted("cap.tool_calls", of) == [(0, 1), (1, 2), (2, 3)]
    steps = counted("cap.steps", of)
    assert steps[-1] == (3, 5)
    assert all(before[1] <= after[1] for before, after in pairwise(steps))
    assert counted("cap.tool_calls", run((1, 1, 1), calls_beyond=300))[-1] == (1, 301)


def test_ladders() -> None:
    """Steps come in order of count; a cap warns at three quarters; a policy changes steps one by one."""
    assert Ladder(kill=10, warn=3, block=5).steps() == [(3, Action.WARN), (5, Action.BLOCK), (10, Action.KILL)]
    assert cap(50) == Ladder(warn=37.5, kill=50)
    rule = BY_ID["repeat.identical"]
    policy = RunawayPolicy(
        {"repeat.identical": RuleSetting(kill=20, block=0)}, {"air": {"repeat.identical": RuleSetting(mode="off")}}
    )
    assert policy.setting(rule, "rail") == ("enforce", Ladder(warn=3, kill=20))
    assert policy.setting(rule, "air") == ("off", Ladder(warn=3, kill=20))
    assert policy.setting(BY_ID["cap.cost"], None) == ("shadow", cap(20))
    with pytest.raises(ValueError, match=r"found rule 'repeat.identicle', expected one of .*repeat.identical"):
        RunawayPolicy({"repeat.identicle": RuleSetting()})


def test_ids_are_public() -> None:
    """Rule ids are stable: they stand in users' policies."""
    assert [rule.id for rule in RULES] == [
        "cap.steps",
        "cap.llm_calls",
        "cap.tool_calls",
        "cap.tokens",
        "cap.cost",
        "cap.wall",
        "repeat.identical",
        "repeat.no_progress",
        "repeat.error",
        "cycle.sequence",
        "tool.unknown",
        "pingpong.agents",
        "rate.replan",
        "baseline.steps",
        "baseline.tokens",
        "baseline.cost",
    ]
