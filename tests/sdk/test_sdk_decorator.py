"""The decorator: arguments of every kind are judged and changed, streams are calls, cancelled calls hold nothing."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from flyball_sdk import Guard, StoppedError, running, tool
from flyball_sdk.reserving import Denied, Request, Reserved
from flyball_sdk.rules import RuleBook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

RULES = """
- id: dry
  version: 1
  match: {tools: [deploy, refund, plain]}
  when: {field: amount, in: [9000]}
  effect: modify
  modify: {set: {dry_run: true}, clip: {amount: {max: 500}}}
  mode: enforce
  severity: high
  message: clipped
  tests: {block: [{amount: 9000}], allow: [{amount: 5}]}
- id: noall
  version: 1
  match: {tools: [refund]}
  when: {field: order_id, in: [all]}
  effect: block
  mode: enforce
  severity: high
  message: not all of them
  tests: {block: [{order_id: all}], allow: [{order_id: "7"}]}
"""


def test_keywords_are_judged_and_changed_by_their_names(tmp_path: Path) -> None:
    """Those that `**` takes too; what rules set that the tool does not take is an error, never lost."""
    (tmp_path / "rules.yaml").write_text(RULES)
    guard, got = Guard(rules=RuleBook(tmp_path), on_event=lambda event: None), list[Any]()

    @tool(guard)
    def deploy(amount: int, **more: Any) -> None:
        got.append((amount, more))

    @tool(guard)
    def refund(**all_: Any) -> None:
        got.append(all_)

    @tool(guard)
    def plain(amount: int) -> None:
        got.append(amount)

    with running():
        deploy(9000, x=1)
        refund(amount=9000)
        with pytest.raises(StoppedError, match="not all of them"):
            refund(amount=5, order_id="all")
        with pytest.raises(TypeError, match="dry_run"):
            plain(9000)
        plain(amount=7)
    assert got == [(500, {"x": 1, "dry_run": True}), {"amount": 500, "dry_run": True}, 7]


def test_streams_are_calls_like_any_other() -> None:
    """The fifth identical one does not run, whether the parts are read to the end or not."""
    guard, ran = Guard(on_event=lambda event: None), list[str]()

    @tool(guard)
    def lines(query: str) -> Iterator[str]:
        ran.append(query)
        yield "a"
        yield "b"

    @tool(guard)
    async def unsync_lines(query: str) -> AsyncIterator[str]:
        ran.append(query)
        yield "a"

    async def read() -> None:
        async for _ in unsync_lines("other"):
            pass

    kept = []
    with running():
        for _ in range(4):
            kept.append(lines("same"))
            next(kept[-1])
        with pytest.raises(StoppedError):
            lines("same")
    with running():
        for _ in range(4):
            asyncio.run(read())
        with pytest.raises(StoppedError):
            asyncio.run(read())
    assert ran == ["same"] * 4 + ["other"] * 4
    assert len(guard._pending) == 4  # the four that nobody has read to their end
    for each in kept:
        each.close()
    assert not guard._pending


def test_values_without_structure_are_equal_to_nothing() -> None:
    """Two functions, two locks, an object whose own code fails: neither one call nor one result."""

    class Broken:
        __slots__ = ()

        def __repr__(self) -> str:
            raise KeyError("its own fault")

    guard = Guard(on_event=lambda event: None)
    with running():
        for number in range(12):
            assert guard.evaluate("map", {"f": lambda x, n=number: x + n}).allowed
        decision = guard.evaluate("read", {"n": 1})
        guard.result(decision, Broken())
        results = [guard.evaluate("poll", {}) for _ in range(5)]
        for each in results:
            guard.result(each, threading.Lock())
    assert [each.allowed for each in results] == [True] * 4 + [False]


class Slow:
    """A reserver that answers when it is let."""

    def __init__(self) -> None:
        self.may_go, self.settled = threading.Event(), threading.Event()

    def reserve(self, request: Request) -> Reserved | Denied:
        """Wait, then reserve."""
        self.may_go.wait(10)
        return Reserved("token")

    def settle(self, token: str, cost_usd: float | None) -> None:
        """Note it."""
        self.settled.set()


def test_a_task_that_is_cancelled_while_it_is_decided_holds_nothing() -> None:
    """What it had reserved is given back when the answer is there."""
    slow = Slow()
    guard = Guard(reserver=slow, on_event=lambda event: None)

    async def scenario() -> None:
        task = asyncio.ensure_future(guard.aevaluate("pay", {"amount": 5}))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        slow.may_go.set()
        await asyncio.to_thread(slow.settled.wait, 10)

    asyncio.run(scenario())
    assert slow.settled.is_set()
    assert not guard._pending
