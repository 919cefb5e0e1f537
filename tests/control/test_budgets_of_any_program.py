"""Budgets are asked for whatever a program calls its runs and agents, and whatever it gives its tools."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from flyball_sdk import Guard, Limits, Policy, Subject
from flyball_sdk.remote import RemoteReserver
from flyball_sdk.settings import Settings
from flyball_sdk.signing import KeyRing
from flyball_sdk.wire import input_of, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def served(planes: Any, tmp_path: Path) -> Iterator[Any]:
    """Give a control plane where each call costs a quarter, and u1 may spend one dollar today."""
    with planes.Served(tmp_path, costs={"*": 0.25}) as plane:
        today = dt.datetime.now(dt.UTC).date().isoformat()
        whose = {"scope": {"level": "user", "id": "u1"}, "tenant": "t1", "period": "day", "start": today}
        spent = {"cost_usd": 0.0, "tokens": 0, "runs": 1, "limit_usd": 1.0, "revision": 1}
        plane.tell({"kind": "spend", "at": f"{today}T00:00:00Z"} | whose | spent, topic=planes.SPEND)
        planes.until(lambda: plane.plane.spend.usage("user", "u1", "t1"))
        yield plane


def guarded(served: Any) -> tuple[Guard, RemoteReserver]:
    """Make a guard that asks for budgets by the key of agent a1."""
    keys = KeyRing([served.plane.signing.public()])
    reserver = RemoteReserver(Settings(f"http://127.0.0.1:{served.port}", served.agent, keys), 2.0)
    return Guard(reserver=reserver, on_event=lambda event: None), reserver


@pytest.mark.parametrize(
    "who",
    [Subject(run="order-42"), Subject(run="x" * 700), Subject(agent="helper"), Subject(agent="a1"), Subject(agent="")],
    ids=["own run", "long run", "sub-agent", "agent", "no agent"],
)
def test_who_calls_is_no_reason_for_no_answer(served: Any, who: Subject) -> None:
    """A run by its own name, or an agent of another name than the key's, spends the budget like any other."""
    guard, reserver = guarded(served)
    with closing(reserver):
        answers = [guard.evaluate("pay", {"n": n}, who._replace(user="u1")).reason_code for n in range(5)]
    assert answers == [""] * 4 + ["spend.reserved"]


def test_nobody_is_no_user(served: Any) -> None:
    """A user without a name has no budget."""
    guard, reserver = guarded(served)
    with closing(reserver):
        assert guard.evaluate("pay", {}, Subject(user="")).allowed


@pytest.mark.parametrize(
    "argument",
    [
        dt.date(2026, 1, 1),
        Decimal("1.5"),
        {1, 2},
        b"x",
        float("nan"),
        "\ud800",
        "x" * 300_000,
        object(),
        iter([]),
    ],
    ids=["date", "decimal", "set", "bytes", "nan", "half", "long", "object", "iterator"],
)
def test_what_json_does_not_know_is_reserved_for_too(served: Any, argument: Any) -> None:
    """Functions take more than JSON can say; that is no reason to make no call of them."""
    guard, reserver = guarded(served)
    with closing(reserver):
        answers = [guard.evaluate("pay", {"n": n, "it": argument}, Subject(user="u1")).reason_code for n in range(5)]
    assert answers == [""] * 4 + ["spend.reserved"]


def test_runs_by_their_own_names_are_told_apart() -> None:
    """Each has its own counters at the control plane, where a run has 32 hex digits."""
    assert run_of("order-42") == run_of("order-42") != run_of("order-43")
    assert run_of("ab" * 16) == "ab" * 16
    assert run_of(None) is run_of("") is None


def test_arguments_are_sent_as_they_are() -> None:
    """What JSON knows is not changed; a date is its class and text."""
    plain = {"a": [1, 2.5, None, True], "b": {"c": "é"}}
    assert input_of(plain) == plain
    assert input_of({"d": dt.date(2026, 1, 1)}) == {"d": ["date", "datetime.date(2026, 1, 1)"]}


def test_what_the_guard_counts_is_not_counted_again(served: Any) -> None:
    """Polling that gets on is no loop, and an agent's own caps hold: only the budget is the control plane's."""
    keys = KeyRing([served.plane.signing.public()])
    reserver = RemoteReserver(Settings(f"http://127.0.0.1:{served.port}", served.agent, keys), 2.0)
    policy = Policy(limits=Limits(tool_calls=130, llm_calls=70))
    guard = Guard(policy, reserver=reserver, on_event=lambda event: None)
    with closing(reserver):
        for number in range(12):
            decision = guard.evaluate("poll", {}, Subject(run="ab" * 16))
            assert decision.allowed
            guard.result(decision, f"{number} %")
        calls = [guard.evaluate("read", {"n": n}, Subject(run="cd" * 16)).reason_code for n in range(131)]
        assert calls == [""] * 130 + ["cap.tool_calls"]
        models = [guard.evaluate_llm("m", Subject(run="ef" * 16)).reason_code for _ in range(71)]
        assert models == [""] * 70 + ["cap.llm_calls"]
    looped = {"tool": {"name": "read"}, "tool_input": {}, "trace": {"run_id": "ab" * 16}}
    agents = [served.ask("POST", "/v1/guard/evaluate", looped, served.agent)[1]["decision"] for _ in range(5)]
    assert agents == ["allow"] * 4 + ["block"]  # of one without a guard they are counted there


def test_a_throttle_is_one_whoever_counts(served: Any, planes: Any) -> None:
    """Two calls a minute are two, of agents with and without a guard together."""
    state = {"kill": False, "level": "full", "tools": None, "deny": []}
    state |= {"throttle": {"calls_per_minute": 2, "concurrency": None}}
    served.ask("POST", "/v1/set", {"scope": {"level": "tenant", "id": "t1"}, "state": state}, served.admin)
    calls = [{"tool": {"name": "read"}, "tool_input": {"n": n}, "counted": bool(n % 2)} for n in range(4)]
    said = [served.ask("POST", "/v1/guard/evaluate", call, served.agent)[1]["reason_code"] for call in calls]
    assert said == ["", "", "throttle.calls_per_minute", "throttle.calls_per_minute"]
    assert served.ask("POST", "/v1/guard/evaluate", calls[0] | {"counted": 1}, served.agent)[0] == 400
