"""What explains a drift: the one tool or slice that moved and nothing else, by runs that the model has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.drift.explaining import explained


def record(
    chance: np.random.Generator, number: int, *, booked: float = 0.2, version: str = "v1", slow: float = 1.0
) -> dict[str, Any]:
    """Make a run's record: it searches, books with this chance, and now and then asks."""
    calls = {"search": 1 + int(chance.poisson(2)), "ask": int(chance.poisson(0.5))}
    calls |= {"book": 1} if chance.random() < booked else {}
    tools = {name: {"calls": count, "errors": int(chance.random() < 0.1)} for name, count in calls.items() if count}
    return {
        "run_id": f"{number:032x}",
        "workflow": "airline",
        "version": version,
        "environment": "production",
        "tenant": ("acme", "globex")[int(chance.random() < 0.3)],
        "agent": "support",
        "user": f"u-{int(chance.integers(40))}",
        "ended_at": f"2026-01-01T10:{number // 60 % 60:02d}:{number % 60:02d}.000000Z",
        "llm_calls": 2 + int(chance.poisson(4)),
        "tool_calls": sum(calls.values()),
        "tool_errors": sum(each["errors"] for each in tools.values()),
        "input_tokens": 1_000 + int(chance.integers(500)),
        "output_tokens": 100,
        "duration_s": slow * float(chance.lognormal(2)),
        "cost_usd": 0.01 + 0.01 * float(chance.random()),
        "priced": "computed",
        "tools": tools,
    }


def side(chance: np.random.Generator, size: int, first: int = 0, **said: Any) -> list[dict[str, Any]]:
    """Make one side."""
    return [record(chance, first + number, **said) for number in range(size)]


def test_the_tool_that_moved_is_named_and_nothing_else() -> None:
    """Four in five book, not one in five: an ideal model has AUC .8 (.64 + .32 / 2); no slice tells them apart."""
    chance = np.random.default_rng(1)
    said = explained(side(chance, 300), side(chance, 300, 300, booked=0.8))
    behaviour = said["behaviour"]
    assert behaviour["verdict"] == "told apart"
    assert 0.74 < behaviour["auc"] < 0.86
    first = behaviour["by"][0]
    assert first["feature"] == "calls of book"
    assert (0.1 < first["before"] < 0.3, 0.7 < first["after"] < 0.9) == (True, True)
    assert first["loss"] > 5 * max([each["loss"] for each in behaviour["by"][1:]], default=0)
    assert said["slices"]["verdict"] != "told apart"
    books = {each: int(each, 16) >= 300 for of in said["examples"].values() for each in of}
    assert [books[each] for each in said["examples"]["before"]] == [False] * 3
    assert [books[each] for each in said["examples"]["after"]] == [True] * 3
    assert "calls of book" in said["summary"]


def test_the_slice_that_moved_is_named_and_hides_nothing() -> None:
    """With version 2 runs take three times as long: both are told, each as an answer to its question."""
    chance = np.random.default_rng(2)
    said = explained(side(chance, 200), side(chance, 200, 200, version="v2", slow=3))
    assert said["slices"]["auc"] == 1
    assert said["slices"]["by"][0]["feature"] in {"version v1", "version v2"}
    assert said["behaviour"]["by"][0]["feature"] == "duration"
    alone = explained(side(chance, 200), side(chance, 200, 200, version="v2"), "version")
    assert alone["slices"]["verdict"] != "told apart"


def test_what_differs_in_nothing_is_told_apart_as_seldom_as_is_said() -> None:
    """One in 200 a question: of 20 pairs, 40 questions, two at most (more by chance: 1 in 1,000)."""
    chance = np.random.default_rng(3)
    found = [explained(side(chance, 60), side(chance, 60, 60)) for _ in range(20)]
    assert sum(each[name]["verdict"] == "told apart" for each in found for name in ("slices", "behaviour")) <= 2


def test_few_runs_are_not_enough_and_it_is_said_how_many_more() -> None:
    """Below 20 a side nothing is asked; of 30 alike by Noether 3 (2.904 + .842)^2 / (6 .15^2) = 312."""
    chance = np.random.default_rng(4)
    few = explained(side(chance, 4), side(chance, 50, 50, booked=1))
    assert (few["behaviour"]["verdict"], few["behaviour"]["still_needed"]) == ("not enough evidence", 16)
    assert [len(each) for each in few["examples"].values()] == [3, 3]
    none = explained([], side(chance, 50))
    assert none["slices"]["still_needed"] == 20
    alike = explained(side(chance, 30), side(chance, 30, 30))
    assert alike["behaviour"]["verdict"] == "not enough evidence"
    assert alike["behaviour"]["still_needed"] == 312 - 30


def test_a_price_that_is_missing_is_no_difference() -> None:
    """And neither is a record without tools."""
    chance = np.random.default_rng(5)
    after = [each | {"cost_usd": None, "priced": "unpriced"} for each in side(chance, 200, 200)]
    said = explained(side(chance, 200), after)
    assert "cost" not in [each["feature"] for each in said["behaviour"]["by"]]
    bare = [{name: value for name, value in each.items() if name != "tools"} for each in side(chance, 50)]
    assert explained(bare, bare)["behaviour"]["verdict"] != "told apart"
