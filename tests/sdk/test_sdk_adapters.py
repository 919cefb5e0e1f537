"""Adapters, each against the real package and its own fake models: loops are stopped, arguments changed, kills end."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from flyball_sdk import Guard, Policy, StoppedError, Tiers
from flyball_sdk.rules import RuleSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

agents = importlib.import_module("agents")
claude = importlib.import_module("claude_agent_sdk")
langchain_agents = importlib.import_module("langchain.agents")
messages = importlib.import_module("langchain_core.messages")
fake_models = importlib.import_module("langchain_core.language_models.fake_chat_models")
pydantic_ai = importlib.import_module("pydantic_ai")

CLIP = {
    "id": "refund.clip",
    "version": 1,
    "match": {"tools": ["refund", "shop.refund"]},
    "when": {"field": "amount", "not_between": {"max": 50}, "optional": True},
    "effect": "modify",
    "modify": {"clip": {"amount": {"max": 50}}},
    "mode": "enforce",
    "message": "At most 50.",
    "tests": {"block": [{"amount": 51}], "allow": [{"amount": 50}]},
}
ASK = CLIP | {
    "id": "pay.ask",
    "match": {"tools": ["pay"]},
    "effect": "escalate",
    "message": "A person must approve this.",
}
del ASK["modify"]


def make() -> Guard:
    """Make a guard with a rule that clips refunds and one that asks for payments."""

    class Fixed:
        current = RuleSet([("t", CLIP), ("t", ASK)])

    return Guard(Policy(tiers=Tiers(default=0)), rules=Fixed(), on_event=lambda event: None)


class Ran(list[Any]):
    """The calls that ran. Its methods are tools."""

    def search(self, query: str) -> str:
        """Search for something."""
        self.append(query)
        return "nothing"

    def refund(self, amount: int) -> str:
        """Refund an amount."""
        self.append(amount)
        return f"refunded {amount}"

    def pay(self, amount: int) -> str:
        """Pay an amount."""
        self.append(amount)
        return f"paid {amount}"


# OpenAI Agents SDK ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tracing_disabled", [True, False])
def test_openai_agents_stop_a_loop(openai_model: Any, tracing_disabled: bool) -> None:  # noqa: FBT001
    """The tool runs four times; the model reads why; at the tenth call the run is halted."""
    adapter = importlib.import_module("flyball_sdk.adapters.openai_agents")
    importlib.import_module("agents.tracing").set_trace_processors([])
    ran, guard = Ran(), make()
    tools = adapter.guarded_tools(guard, [agents.function_tool(ran.search)])
    config = agents.RunConfig(tracing_disabled=tracing_disabled)

    def run(times: int) -> Any:
        model = openai_model([("search", {"query": "x"})] * times)
        agent = agents.Agent(name="support", model=model, tools=tools)
        return asyncio.run(agents.Runner.run(agent, "go", max_turns=30, run_config=config)), model

    result, model = run(6)
    assert result.final_output == "done"
    assert ran == ["x"] * 4
    assert "This is call 6 in a row of search" in str(model.seen)
    with pytest.raises(agents.ToolInputGuardrailTripwireTriggered):
        run(12)
    assert ran == ["x"] * 8


def test_openai_agents_are_told_what_to_call_with(openai_model: Any) -> None:
    """The SDK cannot change arguments, so the model is told which ones would do; other tools are refused."""
    adapter = importlib.import_module("flyball_sdk.adapters.openai_agents")
    ran = Ran()
    tools = adapter.guarded_tools(make(), [agents.function_tool(ran.refund)])
    model = openai_model([("refund", {"amount": 900}), ("refund", {"amount": 50})])
    agent = agents.Agent(name="support", model=model, tools=tools)
    asyncio.run(agents.Runner.run(agent, "go", run_config=agents.RunConfig(tracing_disabled=True)))
    assert ran == [50]
    assert 'Call refund with {"amount": 50} instead' in json.dumps(model.seen).replace('\\"', '"')
    with pytest.raises(TypeError, match="guardrails"):
        adapter.guarded_tools(make(), [agents.WebSearchTool()])


def test_openai_agents_tell_of_a_tool_that_raises(openai_model: Any) -> None:
    """Where the SDK lets its error through there is no output to guard: the call has ended all the same."""
    adapter, guard, ran = importlib.import_module("flyball_sdk.adapters.openai_agents"), make(), Ran()
    ran.search = lambda query: 1 / 0  # type: ignore[method-assign, assignment]
    broken = agents.function_tool(ran.search, name_override="search", failure_error_function=None)
    model = openai_model([("search", {"query": "x"})])
    agent = agents.Agent(name="support", model=model, tools=adapter.guarded_tools(guard, [broken]))
    with pytest.raises(Exception, match="zero"):
        asyncio.run(agents.Runner.run(agent, "go", run_config=agents.RunConfig(tracing_disabled=True)))
    assert not guard._pending


# LangChain ------------------------------------------------------------------------------------------------------------


def langchain_agent(guard: Guard, tools: list[Any], calls: list[tuple[str, dict[str, Any]]], **more: Any) -> Any:
    """Make an agent whose model calls tools as told."""
    adapter = importlib.import_module("flyball_sdk.adapters.langchain")
    said = [
        messages.AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"c{at}", "type": "tool_call"}])
        for at, (name, args) in enumerate(calls)
    ]

    class Fake(fake_models.GenericFakeChatModel):  # type: ignore[misc, name-defined]
        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            return self

    model = Fake(messages=iter([*said, messages.AIMessage("done")]))
    ask = more.pop("ask", False)
    return langchain_agents.create_agent(model, tools, middleware=[adapter.FlyballMiddleware(guard, ask=ask)], **more)


@pytest.mark.parametrize("is_async", [False, True])
def test_langchain_agents_stop_a_loop(is_async: bool) -> None:  # noqa: FBT001
    """The tool runs four times an invocation, the rest is answered with the reason; the tenth call ends the run."""
    ran, guard = Ran(), make()

    def run(times: int) -> Any:
        agent = langchain_agent(guard, [ran.search], [("search", {"query": "x"})] * times)
        said = {"messages": [("user", "go")]}
        config = {"recursion_limit": 60}
        return asyncio.run(agent.ainvoke(said, config)) if is_async else agent.invoke(said, config)

    answers = [each for each in run(6)["messages"] if each.type == "tool"]
    assert [each.status for each in answers] == ["success"] * 4 + ["error"] * 2
    assert "call 6 in a row" in answers[-1].content
    assert ran == ["x"] * 4
    with pytest.raises(StoppedError):
        run(12)
    assert ran == ["x"] * 8


def test_langchain_arguments_are_changed() -> None:
    """A rule that clips an amount clips what the tool is called with."""
    ran = Ran()
    langchain_agent(make(), [ran.refund], [("refund", {"amount": 900})]).invoke({"messages": [("user", "go")]})
    assert ran == [50]


def test_langchain_pauses_for_a_person() -> None:
    """With a checkpointer the graph waits; approved it runs once, refused it does not."""
    types = importlib.import_module("langgraph.types")
    memory = importlib.import_module("langgraph.checkpoint.memory")
    for answer, expected in ((True, [900]), (False, []), ("yes", [])):
        ran = Ran()
        agent = langchain_agent(
            make(), [ran.pay], [("pay", {"amount": 900})], ask=True, checkpointer=memory.InMemorySaver()
        )
        config = {"configurable": {"thread_id": "t"}}
        paused = agent.invoke({"messages": [("user", "go")]}, config)
        assert paused["__interrupt__"][0].value["reason"] == "A person must approve this."
        assert ran == []
        agent.invoke(types.Command(resume=answer), config)
        assert ran == expected


# Pydantic AI ----------------------------------------------------------------------------------------------------------


def pydantic_agent(guard: Guard, tools: list[Any], calls: list[tuple[str, dict[str, Any]]], **more: Any) -> Any:
    """Make an agent whose model calls tools as told."""
    adapter = importlib.import_module("flyball_sdk.adapters.pydantic_ai")
    said = importlib.import_module("pydantic_ai.messages")
    function = importlib.import_module("pydantic_ai.models.function")
    toolsets = importlib.import_module("pydantic_ai.toolsets")
    todo = list(calls)

    def answer(history: Any, info: Any) -> Any:
        if not todo:
            return said.ModelResponse(parts=[said.TextPart("done")])
        name, args = todo.pop(0)
        return said.ModelResponse(parts=[said.ToolCallPart(name, args, f"c{len(todo)}")])

    toolset = adapter.GuardedToolset(toolsets.FunctionToolset(tools), guard)
    return pydantic_ai.Agent(function.FunctionModel(answer), toolsets=[toolset], **more)


def test_pydantic_agents_stop_a_loop() -> None:
    """The tool runs four times a run, the rest is answered with the reason; the tenth call ends the run."""
    ran, guard = Ran(), make()
    done = asyncio.run(pydantic_agent(guard, [ran.search], [("search", {"query": "x"})] * 6).run("go"))
    assert ran == ["x"] * 4
    assert "call 6 in a row" in str(done.all_messages())
    with pytest.raises(StoppedError):
        asyncio.run(pydantic_agent(guard, [ran.search], [("search", {"query": "x"})] * 12).run("go"))
    assert ran == ["x"] * 8


def test_pydantic_arguments_are_changed() -> None:
    """A rule that clips an amount clips what the tool is called with."""
    ran = Ran()
    asyncio.run(pydantic_agent(make(), [ran.refund], [("refund", {"amount": 900})]).run("go"))
    assert ran == [50]


def test_pydantic_runs_wait_for_a_person() -> None:
    """The run ends with the request; with the approval it goes on, and the tool runs once."""
    tools = importlib.import_module("pydantic_ai.tools")
    ran = Ran()
    agent = pydantic_agent(make(), [ran.pay], [("pay", {"amount": 900})], output_type=[str, tools.DeferredToolRequests])
    first = asyncio.run(agent.run("go"))
    (call,) = first.output.approvals
    assert first.output.metadata[call.tool_call_id]["reason"] == "A person must approve this."
    assert ran == []
    results = tools.DeferredToolResults(approvals={call.tool_call_id: True})
    asyncio.run(agent.run(message_history=first.all_messages(), deferred_tool_results=results))
    assert ran == [900]


# Claude ---------------------------------------------------------------------------------------------------------------


def pre(tool: str, tool_input: Any, call: str = "u1", session: str = "s1") -> dict[str, Any]:
    """Make what a PreToolUse hook is given."""
    return {
        "hook_event_name": "PreToolUse",
        "session_id": session,
        "cwd": "/",
        "transcript_path": "/t",
        "tool_name": tool,
        "tool_input": tool_input,
        "tool_use_id": call,
    }


def test_claude_hooks_stop_a_loop() -> None:
    """The hooks deny the fifth call, end the session at the tenth, change input, ask, and block when they fail."""
    adapter = importlib.import_module("flyball_sdk.adapters.claude_agent")
    made = claude.ClaudeAgentOptions(hooks=adapter.hooks(make())).hooks
    (before,), (after,) = made["PreToolUse"], made["PostToolUse"]
    assert before.on_failure == "block"

    def ask(said: Any, matcher: Any = before) -> Any:
        return asyncio.run(matcher.hooks[0](said, said["tool_use_id"], {"signal": None}))

    answers = []
    for at in range(10):
        said = pre("Bash", {"command": "ls"}, f"u{at}")
        answers.append(ask(said))
        if not answers[-1]:
            assert ask(said | {"hook_event_name": "PostToolUse", "tool_response": "a"}, after) == {}
    assert answers[:4] == [{}] * 4
    assert [answer["hookSpecificOutput"]["permissionDecision"] for answer in answers[4:]] == ["deny"] * 6
    assert "continue" not in answers[8]
    assert answers[9]["continue"] is False
    assert ask(pre("refund", {"amount": 900}, session="s2"))["hookSpecificOutput"] == {
        "hookEventName": "PreToolUse",
        "permissionDecision": "allow",
        "updatedInput": {"amount": 50},
    }
    assert ask(pre("pay", {"amount": 900}, session="s2"))["hookSpecificOutput"]["permissionDecision"] == "ask"
    with pytest.raises(KeyError):
        ask({"tool_use_id": "u"})


def test_claude_hooks_let_polling_go_on() -> None:
    """Results that change, told by PostToolUse, make the same call no loop."""
    adapter = importlib.import_module("flyball_sdk.adapters.claude_agent")
    made = adapter.hooks(make())

    async def poll() -> None:
        for at in range(20):
            said = pre("Bash", {"command": "date"}, f"u{at}")
            assert await made["PreToolUse"][0].hooks[0](said, f"u{at}", {"signal": None}) == {}
            await made["PostToolUse"][0].hooks[0](said | {"tool_response": str(at)}, f"u{at}", {"signal": None})

    asyncio.run(poll())


def test_claude_permission_callback() -> None:
    """can_use_tool allows, changes and denies, and interrupts a killed run."""
    adapter = importlib.import_module("flyball_sdk.adapters.claude_agent")
    running = importlib.import_module("flyball_sdk").running
    callback = adapter.can_use_tool(make())

    async def ask(times: int) -> list[Any]:
        with running("ab" * 16):
            return [await callback("refund", {"amount": 900}, claude.ToolPermissionContext()) for _ in range(times)]

    answers = asyncio.run(ask(10))
    assert answers[0] == claude.PermissionResultAllow(updated_input={"amount": 50})
    assert [type(answer) for answer in answers[4:]] == [claude.PermissionResultDeny] * 6
    assert [answer.interrupt for answer in answers[4:]] == [False] * 5 + [True]


@pytest.fixture
def hook(tmp_path: Path) -> Callable[..., Any]:
    """Give a function that runs the command hook as Claude Code does: gives exit code and output."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump([CLIP]))
    env = {
        "FLYBALL_HOOK_DIR": str(tmp_path / "hooks"),
        "FLYBALL_RULES": str(tmp_path / "rules.yaml"),
        "PATH": "/usr/bin:/bin",
    }

    def run(said: Any, **more: str) -> tuple[int, Any]:
        command = [sys.executable, "-m", "flyball_sdk.adapters.claude_code"]
        text = said if isinstance(said, str) else json.dumps(said)
        done = subprocess.run(command, input=text, env=env | more, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    return run


def test_claude_code_hook_stops_a_loop_over_processes(hook: Any, tmp_path: Path) -> None:
    """Each call is a process of its own, and the fifth is denied all the same; another session is not concerned."""
    for at in range(4):
        said = pre("Bash", {"command": "secret-command"}, f"u{at}")
        assert hook(said) == (0, None)
        assert hook(said | {"hook_event_name": "PostToolUse", "tool_response": "same"}) == (0, None)
    code, output = hook(pre("Bash", {"command": "secret-command"}, "u9"))
    assert (code, output["hookSpecificOutput"]["permissionDecision"]) == (0, "deny")
    assert hook(pre("Bash", {"command": "secret-command"}, "u1", session="other")) == (0, None)
    (kept, _) = (tmp_path / "hooks").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "secret-command" not in kept.read_text()


def test_claude_code_hook_changes_input(hook: Any) -> None:
    """A rule that clips gives updatedInput."""
    code, output = hook(pre("refund", {"amount": 900}))
    assert (code, output["hookSpecificOutput"]["updatedInput"]) == (0, {"amount": 50})


@pytest.mark.parametrize(
    ("said", "env"),
    [
        ("", {}),
        ("{", {}),
        ("[]", {}),
        ("{}", {}),
        (json.dumps(pre("Bash", {})), {"FLYBALL_RULES": "/not/there"}),
        (json.dumps(pre("Bash", {})), {"FLYBALL_HOOK_DIR": "/proc/no"}),
        (json.dumps(pre("Bash", {})), {"FLYBALL_URL": "http://127.0.0.1:1"}),
        (json.dumps(pre("Bash", {})), {"FLYBALL_MODE": "of"}),
    ],
    ids=["empty", "cut", "list", "nothing", "no rules", "no folder", "no key", "no mode"],
)
def test_claude_code_hook_blocks_when_it_fails(hook: Any, said: str, env: dict[str, str]) -> None:
    """Whatever fails gives exit code 2, which blocks; 1 would let the call run."""
    assert hook(said, **env) == (2, None)


# MCP ------------------------------------------------------------------------------------------------------------------


def test_mcp_calls_are_guarded_between_client_and_server() -> None:
    """A real client and a real server with the proxy between: changed arguments, an error for a loop, lists pass."""
    anyio = importlib.import_module("anyio")
    mcp = importlib.import_module("mcp")
    server_module = importlib.import_module("mcp.server.mcpserver")
    memory = importlib.import_module("mcp.shared.memory")
    shared = importlib.import_module("mcp.shared.message")
    wire = importlib.import_module("mcp_types.jsonrpc")
    adapter = importlib.import_module("flyball_sdk.adapters.mcp_proxy")
    pydantic = importlib.import_module("pydantic")
    subject = importlib.import_module("flyball_sdk").Subject
    ran = Ran()
    server = server_module.MCPServer("shop")
    server.tool()(ran.refund)
    server.tool()(ran.search)
    proxy = adapter.McpProxy(make(), subject(run="ab" * 16), server="shop")
    reader = pydantic.TypeAdapter(wire.JSONRPCMessage)

    def as_json(message: Any) -> Any:
        return message.message.model_dump(mode="json", by_alias=True, exclude_none=True)

    def as_message(said: Any) -> Any:
        return shared.SessionMessage(reader.validate_python(said))

    async def main() -> list[Any]:
        async with (
            memory.create_client_server_memory_streams() as (client, proxy_client),
            memory.create_client_server_memory_streams() as (proxy_server, served),
            anyio.create_task_group() as tasks,
        ):

            async def up() -> None:
                async for message in proxy_client[0]:
                    said = proxy.request(as_json(message))
                    await (proxy_client[1] if "error" in said else proxy_server[1]).send(as_message(said))

            async def down() -> None:
                async for message in proxy_server[0]:
                    await proxy_client[1].send(as_message(proxy.response(as_json(message))))

            low = server._lowlevel_server
            tasks.start_soon(up)
            tasks.start_soon(down)
            tasks.start_soon(lambda: low.run(served[0], served[1], low.create_initialization_options()))
            async with mcp.ClientSession(*client) as session:
                await session.initialize()
                tools = await session.list_tools()
                answers: list[Any] = [[tool.name for tool in tools.tools]]
                answers.append(await session.call_tool("refund", {"amount": 900}))
                for _ in range(6):
                    try:
                        answers.append(await session.call_tool("search", {"query": "x"}))
                    except mcp.MCPError as error:
                        answers.append(error)
            tasks.cancel_scope.cancel()
            return answers

    names, refunded, *searched = asyncio.run(main())
    assert names == ["refund", "search"]
    assert ran == [50, *["x"] * 4]
    assert "refunded 50" in str(refunded)
    assert [isinstance(answer, mcp.MCPError) for answer in searched] == [False] * 4 + [True] * 2
    assert "call 6 in a row" in str(searched[-1])
    assert searched[-1].error.code == -32001


@pytest.mark.parametrize("params", [None, [], {}, {"name": None}, {"name": ["x"]}])
def test_mcp_calls_without_a_tool_are_errors(params: Any) -> None:
    """A call that names no tool is answered, never passed on."""
    adapter = importlib.import_module("flyball_sdk.adapters.mcp_proxy")
    said = adapter.McpProxy(make()).request({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    assert said["error"]["code"] == -32602


def test_no_adapter_is_imported_unless_used() -> None:
    """Importing the package, and a guard with its decorator, loads no framework and few modules."""
    program = (
        "import sys; before = set(sys.modules); import flyball_sdk; light = set(sys.modules) - before;"
        "import flyball_sdk.guard, flyball_sdk.adapters.plain;"
        "print(*sorted(light)); print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    lines = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert [name for name in lines[0].split() if name.startswith("flyball_sdk")] == ["flyball_sdk"]
    assert len(lines[0].split()) <= 6
    roots = set(lines[1].split()) - set(sys.stdlib_module_names)
    assert roots <= {"flyball_sdk", "__mp_main__"}
