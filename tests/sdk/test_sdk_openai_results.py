"""What the OpenAI Agents SDK tells of its calls: results belong to their run, and failures are seen as such."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest
from flyball_sdk import Guard, Policy, Tiers

agents = importlib.import_module("agents")
items = importlib.import_module("openai.types.responses")
adapter = importlib.import_module("flyball_sdk.adapters.openai_agents")


@pytest.fixture(autouse=True)
def _no_tracing() -> None:
    importlib.import_module("agents.tracing").set_trace_processors([])


@pytest.mark.parametrize("tracing_disabled", [True, False])
def test_equal_ids_of_calls_in_two_runs(openai_model: Any, tracing_disabled: bool) -> None:  # noqa: FBT001
    """Each call ends with its own result, though another run's call of the same id is under way."""
    guard = Guard(Policy(tiers=Tiers(default=0)), on_event=lambda event: None)
    ended: list[Any] = []
    tell = guard.result

    def result(decision: Any, said: Any = None, **more: Any) -> None:
        ended.append((decision.decision_id, said))
        tell(decision, said, **more)

    guard.result = result  # type: ignore[method-assign]

    async def wait(seconds: float) -> str:
        """Wait."""
        await asyncio.sleep(seconds)
        return str(seconds)

    tools = adapter.guarded_tools(guard, [agents.function_tool(wait)])
    config = agents.RunConfig(tracing_disabled=tracing_disabled)

    async def both() -> None:
        models = [openai_model([("wait", {"seconds": seconds})]) for seconds in (0.3, 0.1)]
        made = [agents.Agent(name="support", model=model, tools=tools) for model in models]
        await asyncio.gather(*(agents.Runner.run(each, "go", run_config=config) for each in made))

    asyncio.run(both())
    assert [said for _, said in ended] == ["0.1", "0.3"]
    assert guard._pending == {}


def test_a_tool_that_fails_and_says_so_has_failed(openai_model: Any) -> None:
    """The SDK makes a text of what a tool raises, for the model: it is the same error again and again all the same."""
    told: list[str] = []
    guard = Guard(Policy(tiers=Tiers(default=0)), on_event=lambda event: told.append(event.decision.reason_code))
    ran: list[str] = []

    def search(query: str) -> str:
        """Search."""
        ran.append(query)
        raise RuntimeError("the index is down")

    tools = adapter.guarded_tools(guard, [agents.function_tool(search)])
    model = openai_model([("search", {"query": str(number)}) for number in range(9)])
    agent = agents.Agent(name="support", model=model, tools=tools)
    asyncio.run(agents.Runner.run(agent, "go", max_turns=30))
    assert len(ran) == 5
    assert told == ["repeat.error"] * 4


def test_a_text_like_an_error_is_none(openai_model: Any) -> None:
    """What a tool answers is its result, whatever it says."""
    told: list[str] = []
    guard = Guard(Policy(tiers=Tiers(default=0)), on_event=lambda event: told.append(event.decision.reason_code))

    def search(query: str) -> str:
        """Search."""
        return "An error occurred while running the tool. Please try again. Error: no"

    tools = adapter.guarded_tools(guard, [agents.function_tool(search)])
    model = openai_model([("search", {"query": str(number)}) for number in range(9)])
    agent = agents.Agent(name="support", model=model, tools=tools)
    asyncio.run(agents.Runner.run(agent, "go", max_turns=30))
    assert told == []
