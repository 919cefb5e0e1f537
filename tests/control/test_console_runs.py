"""The console's index of runs: every search gives what a look at all records gives."""

from __future__ import annotations

import random
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from control.console.runs import ORDERS, Runs, Search

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS = ("workflow", "user", "tenant", "agent", "version", "outcome")


def record(number: int, revision: int = 0, dice: random.Random | None = None) -> dict[str, Any]:
    """Make a record; a second revision of a number differs in all but its id."""
    dice = dice or random.Random(number * 31 + revision)  # noqa: S311 -- to be repeated
    tools = {name: {"calls": 2, "errors": dice.randrange(2)} for name in dice.sample(["search", "refund", "mail"], 2)}
    return {
        "kind": "run",
        "run_id": f"{number * 7919:032x}",
        **{name: dice.choice(["a", "b", None]) for name in FIELDS[:5]},
        "outcome": dice.choice(["success", "failure"]),
        "started_at": "2026-01-01T00:00:00.000000Z",
        "ended_at": f"2026-01-01T00:{dice.randrange(60):02d}:00.000000Z",
        "duration_s": float(dice.randrange(5)),
        "llm_calls": dice.randrange(4),
        "tool_calls": 2,
        "tool_errors": sum(each["errors"] for each in tools.values()),
        "cost_usd": dice.choice([None, 0.5, 1.0]),
        "revision": revision,
        "tools": tools,
    }


def when(text: str) -> datetime:
    """Read a time: as moments, not as texts, are bounds looked at."""
    return datetime.fromisoformat(text)


def fits(row: dict[str, Any], wanted: Search) -> bool:
    """Tell whether a record is looked for."""
    tool = row["tools"].get(wanted.tool)
    failed = tool["errors"] if wanted.tool and tool else row["tool_errors"]
    return (
        all(row[name] == value for name, value in wanted.fields)
        and (not wanted.tool or tool is not None)
        and (not wanted.errors or failed > 0)
        and row["run_id"].startswith(wanted.text)
        and (not wanted.since or when(wanted.since) <= when(row["ended_at"]))
        and (not wanted.until or when(row["ended_at"]) < when(wanted.until))
    )


def place(row: dict[str, Any], order: str) -> tuple[Any, str]:
    """Give what rows are ordered by."""
    cost = -1 if row["cost_usd"] is None else row["cost_usd"]
    steps = row["llm_calls"] + row["tool_calls"]
    values = {"ended": row["ended_at"], "cost": cost, "steps": steps, "duration": row["duration_s"]}
    return values[order], row["run_id"]


@pytest.mark.parametrize("seed", range(60))
def test_a_search_gives_what_a_look_at_all_gives(seed: int) -> None:
    """Any conditions, any order, page by page: the same rows as by brute force, each once."""
    dice = random.Random(seed)  # noqa: S311 -- to be repeated
    told = [record(number, revision) for number in range(80) for revision in range(dice.randrange(1, 4))]
    dice.shuffle(told)
    runs = Runs()
    assert runs.put(told) == 0
    newest = {row["run_id"]: row for row in sorted(told, key=lambda row: row["revision"])}
    fields = tuple((name, dice.choice("ab")) for name in dice.sample(FIELDS[:5], dice.randrange(3)))
    wanted = Search(
        fields,
        dice.choice(["", "", "search", "refund"]),
        dice.random() < 0.3,
        dice.choice(["", "0" * 27]),
        dice.choice(["", "2026-01-01T00:20:00Z"]),
        dice.choice(["", "2026-01-01T00:50:00Z"]),
        dice.choice(list(ORDERS)),
    )
    expected = [row for row in newest.values() if fits(row, wanted)]
    expected.sort(key=lambda row: place(row, wanted.order), reverse=True)
    found: list[dict[str, Any]] = []
    while True:
        rows, after = runs.search(wanted, 7)
        found += rows
        if after is None:
            break
        wanted = wanted._replace(after=after)
    assert [row["run_id"] for row in found] == [row["run_id"] for row in expected]
    assert found == expected


def test_the_oldest_are_forgotten() -> None:
    """Beyond the bound the runs that ended first go, with their tools."""
    runs = Runs(most=100)
    rows = [record(number) | {"ended_at": f"2026-01-01T00:00:00.{number:06d}Z"} for number in range(1_101)]
    runs.put(rows)
    assert runs.count() == 100
    assert runs.get(rows[1_000]["run_id"]) is None
    assert runs.get(rows[1_001]["run_id"]) == rows[1_001]
    assert runs.search(Search(tool="search"), 2_000)[0] == [
        row for row in reversed(rows[1_001:]) if "search" in row["tools"]
    ]


@pytest.mark.parametrize(
    "said", ["10:00:00Z", "10:00:00.0Z", "10:00:00.500Z", "10:00:00.5Z", "10:00:00.500000Z", "10:00:01Z"]
)
def test_bounds_are_moments_however_they_are_written(said: str) -> None:
    """With any number of digits: a run of that second is within `since` and beyond `until` as its time says."""
    runs, bound = Runs(), "2026-01-01T" + said
    rows = [record(number) | {"ended_at": f"2026-01-01T10:00:{number / 10:09.6f}Z"} for number in range(12)]
    runs.put(rows)
    late = [row for row in reversed(rows) if when(row["ended_at"]) >= when(bound)]
    assert runs.search(Search(since=bound))[0] == late
    assert runs.search(Search(until=bound))[0] == [row for row in reversed(rows) if row not in late]
    assert len(runs.seen("product", "*", None, bound)) == len(late)


@pytest.mark.parametrize(
    "spoiled",
    [
        {"cost_usd": "much"},
        {"workflow": 7},
        {"llm_calls": None},
        {"duration_s": []},
        {"revision": 2**80},
        {"revision": 2**63},
        {"llm_calls": 2**63},
        {"llm_calls": 2**62, "tool_calls": 2**62},
        {"tool_errors": -(2**63) - 1},
        {"tools": {"search": {"calls": 1, "errors": 2**63}}},
        {"run_id": ["a"]},
        {"run_id": None},
        {"ended_at": None},
        {"ended_at": "yesterday"},
        {"ended_at": "2026-01-01T00:00:00"},
        {"user": "\ud800"},
    ],
)
def test_what_is_malformed_is_counted_and_nothing_else_is_lost(spoiled: dict[str, Any]) -> None:
    """A record that cannot be read is left out, before and after it all is taken; what was known of its run stays."""
    runs = Runs()
    assert runs.put([record(2)]) == 0
    assert runs.put([record(1), record(2, 1) | spoiled, {"run_id": "x"}, record(3)]) == 2
    assert runs.put([record(4)]) == 0
    rows = sorted((record(number) for number in range(1, 5)), key=lambda row: place(row, "ended"), reverse=True)
    assert runs.search(Search())[0] == rows
    for tool in ("search", "refund", "mail"):
        assert runs.search(Search(tool=tool))[0] == [row for row in rows if tool in row["tools"]]


def test_a_failure_ends_its_transaction() -> None:
    """Whatever goes wrong in one batch: it is told, none of it is half there, and the next is taken."""

    def told() -> Iterator[dict[str, Any]]:
        yield record(1)
        msg = "no more"
        raise MemoryError(msg)

    runs = Runs()
    with pytest.raises(MemoryError, match="no more"):
        runs.put(told())
    assert runs.count() == 0
    assert runs.put([record(1), record(2)]) == 0
    assert runs.count() == 2


def test_names_are_those_that_there_are() -> None:
    """Workflows, tenants and tools are listed for whoever types one."""
    runs = Runs()
    runs.put(record(number) | {"workflow": ("b", "a", None)[number % 3]} for number in range(9))
    assert runs.names()["workflow"] == ["a", "b"]
    assert runs.names()["tool"] == ["mail", "refund", "search"]
