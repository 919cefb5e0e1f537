"""Approvals: what a person has approved is made as it would be without the question, counts once, and is bound."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from flyball_sdk import Guard, Limits, Policy, StoppedError, Tiers, running, tool
from flyball_sdk.reserving import Denied, Request, Reserved
from flyball_sdk.rules import RuleBook
from flyball_sdk.scope import NOBODY, THE_PRODUCT, Subject
from flyball_sdk.signals import Held
from flyball_sdk.state import HUMAN, State, Throttle

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
- id: refund.ask
  version: 1
  match: {tools: [refund]}
  when: {field: amount, not_between: {min: 0, max: 100}}
  effect: escalate
  mode: enforce
  severity: high
  message: a person must look
  tests: {block: [{amount: 501}], allow: [{amount: 5}]}
- id: refund.clip
  version: 1
  match: {tools: [refund]}
  when: {field: amount, not_between: {min: 0, max: 500}}
  effect: modify
  modify: {clip: {amount: {max: 500}}}
  mode: enforce
  severity: high
  message: clipped
  tests: {block: [{amount: 501}], allow: [{amount: 5}]}
"""


class Signals:
    """Signals that ask these states of the product."""

    position, subject = (1, 1), NOBODY

    def __init__(self, *states: State) -> None:
        self.states = states

    def of(self, subject: Subject) -> list[Held]:
        """List them."""
        return [Held(THE_PRODUCT, state, "", "") for state in self.states]

    def age_s(self) -> float:
        """Give none."""
        return 0.0


def silent(*states: State, **more: Any) -> Guard:
    """Make a guard that hears these states; everything needs a person at the level `human`."""
    policy = Policy(tiers=Tiers(default=2), limits=more.pop("limits", Limits()))
    return Guard(policy, signals=Signals(*states), on_event=lambda event: None, **more)


ASKS = State(level=HUMAN)


def test_what_rules_change_is_changed_in_an_approved_call_too(tmp_path: Path) -> None:
    """Escalated and clipped: after the yes it is made with the amount that the rules let through."""
    (tmp_path / "rules.yaml").write_text(RULES)
    guard, paid = Guard(rules=RuleBook(tmp_path), on_event=lambda event: None), list[int]()

    @tool(guard)
    def refund(amount: int) -> None:
        paid.append(amount)

    with running(user="u1"):
        with pytest.raises(StoppedError) as stopped:
            refund(9000)
        guard.approve(stopped.value.decision)
        refund(9000)
    assert paid == [500]


def test_an_approval_is_bound_to_all_arguments_that_can_be_read() -> None:
    """One without structure beside the others does not make of a yes to 5 one to 5 million."""
    guard, paid = silent(ASKS), list[int]()
    connection = sqlite3.connect(":memory:")

    @tool(guard)
    def wire(conn: Any, amount: int) -> None:
        paid.append(amount)

    with running():
        with pytest.raises(StoppedError) as stopped:
            wire(connection, 5)
        guard.approve(stopped.value.decision)
        with pytest.raises(StoppedError):
            wire(connection, 5_000_000)
        wire(connection, 5)
    connection.close()
    assert paid == [5]


def test_a_call_that_is_asked_for_counts_when_it_is_made() -> None:
    """Three questions and answers are three calls, not six or nine; asked again and again it is a loop."""
    guard = silent(ASKS)
    with running():
        for number in range(1, 4):
            for _ in range(2):  # as frameworks do that begin a step anew once they have the answer
                decision = guard.evaluate("pay", {"amount": 5})
                assert decision.decision == "escalate"
            guard.approve(decision)
            made = guard.evaluate("pay", {"amount": 5})
            assert made.allowed
            guard.result(made, {"paid": number})
            assert guard.usage().tool_calls == number
        refused = [guard.evaluate("pay", {"amount": 6}).decision for _ in range(6)]
    assert refused == ["escalate"] * 4 + ["block"] * 2


def test_an_approval_that_was_of_no_use_is_kept() -> None:
    """Approved, but too many calls at once: once there is room it is made without another question."""
    guard = silent(ASKS._replace(throttle=Throttle(None, 1)))
    with running():
        for amount in (1, 2):
            guard.approve(guard.evaluate("pay", {"amount": amount}))
        first = guard.evaluate("pay", {"amount": 1})
        assert first.allowed
        assert guard.evaluate("pay", {"amount": 2}).reason_code == "throttle.concurrency"
        guard.result(first)
        assert guard.evaluate("pay", {"amount": 2}).allowed


class Remote:
    """The guard of the control plane, which asks for a person by the same signal, and hears of no answer."""

    def __init__(self, effect: str) -> None:
        self.effect = effect

    def reserve(self, request: Request) -> Reserved | Denied:
        """Refuse."""
        return Denied("level.human", self.effect, "no")

    def settle(self, token: str, cost_usd: float | None) -> None:
        """Take a cost."""


@pytest.mark.parametrize(("effect", "allowed"), [("escalate", True), ("block", False)])
def test_the_same_question_of_another_guard_is_answered_too(effect: str, *, allowed: bool) -> None:
    """Its question is; what it blocks is not lifted."""
    guard = silent(ASKS, reserver=Remote(effect))
    with running():
        guard.approve(guard.evaluate("pay", {"amount": 5}))
        assert guard.evaluate("pay", {"amount": 5}).allowed is allowed


def test_a_throttle_of_everybody_and_of_a_tenant_on_one_scope_is_one() -> None:
    """The smaller of each number holds, and a call is counted once."""
    guard = silent(State(throttle=Throttle(10, None)), State(throttle=Throttle(20, 3)), limits=Limits(identical=None))
    with running():
        found = []
        for number in range(12):
            decision = guard.evaluate("read", {"n": number})
            found.append(decision.allowed)
            guard.result(decision, number)
    assert found == [True] * 10 + [False] * 2
