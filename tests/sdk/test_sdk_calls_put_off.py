"""Calls that a framework puts off for a person: they are no failures, and one that is asked for again counts once."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest
from flyball_sdk import Guard, Policy, Tiers, running

langchain_agents = importlib.import_module("langchain.agents")
messages = importlib.import_module("langchain_core.messages")
fake_models = importlib.import_module("langchain_core.language_models.fake_chat_models")
pydantic_ai = importlib.import_module("pydantic_ai")
types = importlib.import_module("langgraph.types")


class Watched(Guard):
    """A guard that notes what it tells."""

    def __init__(self) -> None:
        self.told: list[str] = []
        super().__init__(Policy(tiers=Tiers(default=0)), on_event=lambda event: self.told.append(event.name))


@pytest.mark.parametrize("name", ["CallDeferred", "ApprovalRequired"])
def test_pydantic_tools_that_wait_for_somebody_have_not_failed(name: str) -> None:
    """Ten questions to people in one run: none is stopped as if the tool had failed again and again."""
    adapter = importlib.import_module("flyball_sdk.adapters.pydantic_ai")
    said = importlib.import_module("pydantic_ai.messages")
    function = importlib.import_module("pydantic_ai.models.function")
    toolsets = importlib.import_module("pydantic_ai.toolsets")
    guard, numbers = Watched(), iter(range(10**6))

    def ask(question: str) -> str:
        raise getattr(pydantic_ai, name)

    def answer(history: Any, info: Any) -> Any:
        return said.ModelResponse(parts=[said.ToolCallPart("ask", {"question": str(next(numbers))}, "c")])

    toolset = adapter.GuardedToolset(toolsets.FunctionToolset([ask]), guard)
    agent = pydantic_ai.Agent(
        function.FunctionModel(answer), toolsets=[toolset], output_type=[str, pydantic_ai.DeferredToolRequests]
    )
    with running() as run:
        for _ in range(10):
            output = asyncio.run(agent.run("go")).output
            assert len(output.calls) + len(output.approvals) == 1
        assert guard.usage(run).tool_calls == (10 if name == "CallDeferred" else 0)
    assert guard.told == []
    assert guard._pending == {}


@pytest.mark.parametrize("is_async", [False, True])
def test_langgraph_tools_that_pause_are_one_call(is_async: bool) -> None:  # noqa: FBT001
    """A tool that asks a person twelve times is run anew after each answer: it was one call of the model."""
    memory = importlib.import_module("langgraph.checkpoint.memory")
    adapter = importlib.import_module("flyball_sdk.adapters.langchain")
    guard = Watched()

    def form(name: str) -> str:
        """Fill in a form with a person."""
        return str([types.interrupt("age?") for _ in range(12)])

    class Fake(fake_models.GenericFakeChatModel):  # type: ignore[misc, name-defined]
        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            return self

    call = {"name": "form", "args": {"name": "x"}, "id": "1", "type": "tool_call"}
    model = Fake(messages=iter([messages.AIMessage("", tool_calls=[call]), messages.AIMessage("done")]))
    agent = langchain_agents.create_agent(
        model, [form], middleware=[adapter.FlyballMiddleware(guard)], checkpointer=memory.InMemorySaver()
    )

    def invoke(said: Any) -> Any:
        config = {"configurable": {"thread_id": "t"}}
        return asyncio.run(agent.ainvoke(said, config)) if is_async else agent.invoke(said, config)

    with running() as run:
        out = invoke({"messages": [("user", "go")]})
        while "__interrupt__" in out:
            out = invoke(types.Command(resume="7"))
        assert out["messages"][-1].content == "done"
        assert guard.usage(run).tool_calls == 1
    assert guard.told == []
    assert guard._pending == {}


def test_what_is_put_off_holds_nothing() -> None:
    """No place, no budget, and it counts for no loop."""
    settled: list[tuple[str, float | None]] = []
    reserving = importlib.import_module("flyball_sdk.reserving")

    class Reserver:
        def reserve(self, request: Any) -> Any:
            return reserving.Reserved("res_1")

        def settle(self, token: str, cost_usd: float | None) -> None:
            settled.append((token, cost_usd))

    guard = Guard(Policy(tiers=Tiers(default=0)), reserver=Reserver(), on_event=lambda event: None)
    with running() as run:
        for _ in range(20):
            decision = guard.evaluate("form", {"a": 1})
            assert decision.decision == "allow"
            guard.put_off(decision)
            guard.put_off(decision)
        assert guard.usage(run).tool_calls == 0
    assert settled == [("res_1", 0.0)] * 20
