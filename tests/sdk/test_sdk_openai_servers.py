"""The OpenAI Agents SDK with MCP servers, and with guardrails that are asked before a person approves a call."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest
from flyball_sdk import Guard, Policy, Tiers

agents = importlib.import_module("agents")
items = importlib.import_module("openai.types.responses")
adapter = importlib.import_module("flyball_sdk.adapters.openai_agents")
mcp = importlib.import_module("agents.mcp")
mcp_types = importlib.import_module("mcp.types")


@pytest.fixture(autouse=True)
def _no_tracing() -> None:
    importlib.import_module("agents.tracing").set_trace_processors([])


class Files(mcp.MCPServer):  # type: ignore[misc, name-defined]
    """A server with one tool, `read`, whose answer changes where `path` is a log."""

    name = "files"

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[str] = []

    async def connect(self) -> None:
        """It is there."""

    async def cleanup(self) -> None:
        """Nothing is left."""

    async def list_tools(self, *args: Any) -> Any:
        """List it."""
        schema = {"type": "object", "properties": {"path": {"type": "string"}}}
        return [mcp_types.Tool(name="read", inputSchema=schema)]

    async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> Any:
        """Run it."""
        self.ran.append(arguments["path"])
        text = str(len(self.ran)) if arguments["path"] == "log" else "same"
        return mcp_types.CallToolResult(content=[mcp_types.TextContent(type="text", text=text)])

    async def list_prompts(self) -> Any:
        """It has none."""

    async def get_prompt(self, name: str, arguments: Any = None) -> Any:
        """It has none."""


@pytest.mark.parametrize(("path", "runs"), [("a", 4), ("log", 12)])
def test_tools_of_a_server_are_guarded(openai_model: Any, path: str, runs: int) -> None:
    """A loop is stopped at its fifth call and polling goes on, as with any other tool; each call has ended."""
    guard = Guard(Policy(tiers=Tiers(default=0)), on_event=lambda event: None)
    (server,) = adapter.guarded_servers(guard, [Files()])
    model = openai_model([("read", {"path": path})] * 12)
    agent = agents.Agent(name="support", model=model, mcp_servers=[server])
    try:
        asyncio.run(agents.Runner.run(agent, "go", max_turns=30))
        ended = True
    except agents.exceptions.ToolInputGuardrailTripwireTriggered:
        ended = False
    assert (len(server.ran), ended) == (runs, runs == 12)
    assert guard._pending == {}


@pytest.mark.parametrize("before_approval", [False, True])
def test_a_call_that_is_asked_for_before_its_approval_too_is_one(
    openai_model: Any,
    before_approval: bool,  # noqa: FBT001
) -> None:
    """It counts once and holds nothing in the end, though the SDK asks again when it is made."""
    guard = Guard(Policy(tiers=Tiers(default=0)), on_event=lambda event: None)
    ran: list[str] = []

    def pay(to: str) -> str:
        """Pay."""
        ran.append(to)
        return "paid"

    (tool,) = adapter.guarded_tools(guard, [agents.function_tool(pay, needs_approval=True)])
    execution = importlib.import_module("agents.run_config").ToolExecutionConfig(
        pre_approval_tool_input_guardrails=before_approval
    )
    config = agents.RunConfig(tool_execution=execution)

    async def approved() -> Any:
        agent = agents.Agent(name="support", model=openai_model([("pay", {"to": "bob"})] * 4), tools=[tool])
        result = await agents.Runner.run(agent, "go", run_config=config)
        while result.interruptions:
            state = result.to_state()
            for each in result.interruptions:
                state.approve(each)
            result = await agents.Runner.run(agent, state, run_config=config)
        return result.final_output

    assert asyncio.run(approved()) == "done"
    assert ran == ["bob"] * 4
    assert guard._pending == {}
    assert guard.counted["blocked"] == 0
