"""Loops and caps, against brute force, and with the numbers that are promised."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flyball_sdk.counters import RunBook
from flyball_sdk.limits import Limits, Repeats
from flyball_sdk.loops import Made, cycle, rounds
from hypothesis import given
from hypothesis import strategies as st

alike = st.none() | st.sampled_from([b"a", b"b", b"c"])
results = st.none() | st.sampled_from([b"1", b"2"])


def made(pairs: list[tuple[bytes | None, bytes | None]]) -> list[Made]:
    """Make a sequence of calls with results."""
    calls = []
    for call, result in pairs:
        calls.append(Made("t", call))
        calls[-1].result = result
    return calls


def count_by_force(calls: list[Made], length: int) -> int:
    """Count rounds by the definition, trying every number of them."""
    best = 0
    for n in range(1, len(calls) // length + 1):
        end = calls[-n * length :]
        columns = [end[at::length] for at in range(length)]
        same = all(len({c.alike for c in column}) == 1 and column[0].alike is not None for column in columns)
        steady = all(len({c.result for c in column} - {None}) <= 1 for column in columns)
        best = n if same and steady else best
    return best


@given(st.lists(st.tuples(alike, results), max_size=24), st.integers(1, 5))
def test_rounds_are_those_of_the_definition(pairs: Any, length: int) -> None:
    """Counting from the end in one pass gives what trying every number of rounds gives."""
    calls = made(pairs)
    assert rounds(calls, length, 99) == count_by_force(calls, length)
    assert rounds(calls, length, 2) == min(2, count_by_force(calls, length))


@given(st.lists(st.tuples(alike, results), max_size=24))
def test_the_cycle_found_is_the_shortest(pairs: Any) -> None:
    """The shortest sequence of two or more different calls with enough rounds, or none."""
    calls = made(pairs)
    found = (0, 0)
    for length in range(2, 6):
        times = count_by_force(calls, length)
        if times >= 3 and len({c.alike for c in calls[-length:]}) > 1:
            found = (length, times)
            break
    assert cycle(calls, 5, 3, 99) == found


def ask(book: RunBook, call: str | None, result: object = ..., run: str = "r", *, error: bool = False) -> list[str]:
    """Ask for one call and tell its result, if it may run; gives what was reached as rule:action."""
    digest = None if call is None else call.encode()
    it, hits = book.tool_call(run, "t" if call is None else call[0], digest, 0.0, whole=True)
    reached = [f"{hit.rule}:{hit.action}" for hit in hits]
    if result is not ... and not any(":block" in each or ":kill" in each for each in reached):
        book.outcome(run, it, str(result).encode(), failed=error)
    return reached


def test_the_same_call_is_warned_blocked_killed() -> None:
    """Warn at the 3rd, block at the 5th, kill at the 10th, and dead from then on, also for other calls."""
    book = RunBook(Limits())
    reached = [ask(book, "a", 1) for _ in range(10)]
    warned, blocked, killed = (["repeat.identical:" + action] for action in ("warn", "block", "kill"))
    assert reached == [[], [], warned, warned, blocked, blocked, blocked, blocked, blocked, killed]
    assert ask(book, "b", 1) == killed
    assert ask(book, "b", 1, run="other") == []


def test_the_evidence_can_be_checked() -> None:
    """A hit carries the count, the limit it reached, the tool, and what the run has used so far."""
    book = RunBook(Limits())
    book.spent("r", 0.0, tokens=70, cost_usd=0.25)
    hits = [book.tool_call("r", "t", b"x", 0.0, whole=True)[1] for _ in range(5)][-1]
    assert dict(hits[0].evidence) == {
        "count": 5,
        "limit": 5,
        "tool": "t",
        "calls_so_far": 5,
        "tokens_so_far": 70,
        "cost_usd_so_far": 0.25,
    }


def test_polling_is_no_loop_and_a_stuck_poll_is() -> None:
    """A result that changes each time is never stopped below the cap; once it stands still the count begins there."""
    book = RunBook(Limits(tool_calls=None))
    assert [ask(book, "poll", at) for at in range(60)] == [[]] * 60
    reached = [ask(book, "poll", 59) for _ in range(4)]
    assert reached == [[], ["repeat.identical:warn"], ["repeat.identical:warn"], ["repeat.identical:block"]]


def test_a_result_nobody_recorded_leaves_a_loop_one() -> None:
    """Without results the 5th identical call is blocked all the same."""
    book = RunBook(Limits())
    assert [bool(ask(book, "a")) for _ in range(5)] == [False, False, True, True, True]


def test_missing_arguments_are_never_equal() -> None:
    """Calls of which the arguments are not known make no loop."""
    book = RunBook(Limits(tool_calls=None))
    assert [ask(book, None, 1) for _ in range(50)] == [[]] * 50


@pytest.mark.parametrize("sequence", ["ab", "abc", "abcd", "aab", "abcdefgh"])
def test_a_cycle_of_any_length_is_stopped(sequence: str) -> None:
    """A sequence of calls is warned of in its 3rd round, and its 5th round does not end."""
    book = RunBook(Limits(tool_calls=None))
    reached = [ask(book, call, 1) for _ in range(10) for call in sequence]
    first = next(at for at, each in enumerate(reached) if each == ["cycle.sequence:warn"])
    blocked = next(at for at, each in enumerate(reached) if "cycle.sequence:block" in each)
    assert first == 3 * len(sequence) - 1
    assert blocked == 5 * len(sequence) - 1
    assert "cycle.sequence:kill" in reached[10 * len(sequence) - 1]


@pytest.mark.parametrize("sequence", ["ab", "abc", "aab", "abcdefgh"])
@pytest.mark.parametrize("times", [2, 3, 4])
def test_asking_again_is_no_way_out_of_a_cycle(sequence: str, times: int) -> None:
    """Who is refused a call asks for it again, as models do: it never runs, and the run ends."""
    book, ran, killed = RunBook(Limits(tool_calls=None)), 0, False
    for call in sequence * 20:
        for _ in range(times):
            reached = ask(book, call, 1)
            killed = killed or any(":kill" in each for each in reached)
            if not any(":block" in each or ":kill" in each for each in reached):
                ran += 1
                break
    assert ran == 5 * len(sequence) - 1
    assert killed


def test_something_else_is_a_way_out_of_a_cycle() -> None:
    """After another call the one that was refused may be made: it is not the same round any more."""
    book = RunBook(Limits(tool_calls=None))
    for call in "ababababa":
        ask(book, call, 1)
    assert ask(book, "b", 1) == ["cycle.sequence:block"]
    assert ask(book, "b", 1) == ["cycle.sequence:block"]
    assert ask(book, "c", 1) == []
    assert ask(book, "b", 1) == []
    assert ask(book, "b", 2) == []  # it has run: asked for again it is itself


def test_a_cycle_whose_results_change_is_work() -> None:
    """Reading and acting in turns, with other results each time, is no cycle."""
    book = RunBook(Limits(tool_calls=None))
    assert not any(ask(book, call, at) for at in range(20) for call in "ab")


def test_the_same_error_again_and_again_is_stopped() -> None:
    """Other arguments, same error: warned after 3, blocked after 5, killed if it goes on; a success ends the count."""
    book = RunBook(Limits())
    reached = [ask(book, f"t{at}", "boom", error=True) for at in range(11)]
    assert reached[3] == ["repeat.error:warn"]
    assert reached[5] == ["repeat.error:block"]
    assert reached[10] == ["repeat.error:kill"]
    for at in range(20):
        assert ask(book, f"t{at}", "boom", run="mostly fine", error=at % 3 != 2) == []


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        (Limits(tool_calls=4), "cap.tool_calls"),
        (Limits(steps=4), "cap.steps"),
        (Limits(tokens=40), "cap.tokens"),
        (Limits(cost_usd=0.4), "cap.cost"),
        (Limits(wall_s=40), "cap.wall"),
    ],
)
def test_a_cap_warns_and_stops(limits: Limits, rule: str) -> None:
    """Each cap warns from 75 %, lets all through that fits, and nothing beyond."""
    book = RunBook(limits)
    reached = []
    for at in range(6):
        hits = book.tool_call("r", "t", str(at).encode(), at * 10.0, whole=True)[1]
        reached.append([f"{hit.rule}:{hit.action}" for hit in hits])
        book.spent("r", 0.0, tokens=10, cost_usd=0.1)
    assert reached[:2] == [[], []]
    assert [f"{rule}:warn"] in reached[2:4]
    assert reached[4] == reached[5] == [f"{rule}:kill"]


def test_calls_of_models_are_capped() -> None:
    """50 calls of a model are let through by default, the 51st ends the run."""
    book = RunBook(Limits())
    reached = [[hit.action for hit in book.llm_call("r", 0.0, whole=True)] for _ in range(51)]
    assert reached[36:38] == [[], ["warn"]]
    assert reached[49:] == [["warn"], ["kill"]]
    assert ask(book, "t", 1) == ["cap.llm_calls:kill"]


def test_strangers_in_one_process_do_not_kill_each_other() -> None:
    """Calls of which nobody said the run have no caps and no kills; a loop among them is still blocked."""
    book = RunBook(Limits(tool_calls=3))
    reached = [[h.action for h in book.tool_call("~", "t", b"x", 0.0, whole=False)[1]] for _ in range(30)]
    assert reached[4:] == [["block"]] * 26
    assert book.tool_call("~", "t", b"other", 0.0, whole=False)[1] == []


def test_audited_limits_kill_nothing() -> None:
    """In audit mode a kill is said each time, and the run's other calls are judged as ever."""
    book = RunBook(Limits(mode="audit"))
    assert [ask(book, "a") for _ in range(10)][-1] == ["repeat.identical:kill"]
    assert ask(book, "b") == []


def test_memory_is_bounded_and_the_dead_stay_dead() -> None:
    """The run that was idle longest is forgotten, and one that was killed stays killed all the same."""
    book = RunBook(Limits(), most_runs=10)
    for _ in range(10):
        ask(book, "a", run="looping")
    for at in range(1000):
        ask(book, "a", run=str(at))
    assert len(book) == 10
    assert ask(book, "b", run="looping") == ["repeat.identical:kill"]
    book.forget("looping")
    assert ask(book, "b", run="looping") == []


def test_of_many_threads_just_four_get_through() -> None:
    """64 threads that make the same call at once: 4 run, whatever the interleaving."""
    book = RunBook(Limits())
    start, through = threading.Barrier(64), []

    def call() -> None:
        start.wait()
        if not any(hit.action in ("block", "kill") for hit in book.tool_call("r", "t", b"x", 0.0, whole=True)[1]):
            through.append(1)

    threads = [threading.Thread(target=call) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(through) == 4


@pytest.mark.parametrize("numbers", [(1, 5, 10), (5, 3, 10), (3, 5, 4), (3, 5, 99)])
def test_nonsense_in_repeats_is_refused(numbers: tuple[int, int, int]) -> None:
    """Thresholds must rise."""
    with pytest.raises(ValueError, match="repeats"):
        Repeats(*numbers)


@pytest.mark.parametrize("wrong", [{"tokens": -1}, {"cost_usd": float("nan")}, {"wall_s": float("inf")}])
def test_nonsense_in_limits_is_refused(wrong: Any) -> None:
    """A cap that is not a number from 0 is refused: NaN would be above and below nothing."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)
    with pytest.raises(ValueError, match="spent"):
        RunBook(Limits()).spent("r", 0.0, cost_usd=float("nan"))
