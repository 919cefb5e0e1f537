"""OpenAI Agents SDK: guardrails on function tools.

    tools = guarded_tools(guard, [search, refund])
    mcp_servers = guarded_servers(guard, [files])

A blocked call is answered by the reason; a killed run is halted by ToolInputGuardrailTripwireTriggered. The SDK lets a
guardrail not change arguments: a call that rules would modify is answered by the arguments to call with instead. It has
no such guardrails for handoffs, hosted tools, computer, shell and patch tools: those are not guarded.
"""

from __future__ import annotations

import dataclasses
import json
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from agents import FunctionTool, ToolGuardrailFunctionOutput, ToolInputGuardrail, ToolOutputGuardrail
from agents.tracing import get_current_trace

from flyball_sdk.adapters.pending import Pending
from flyball_sdk.context import current, run_id
from flyball_sdk.scope import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents import ToolInputGuardrailData, ToolOutputGuardrailData
    from agents.mcp import MCPServer

    from flyball_sdk.guard import Guard

S = TypeVar("S", bound="MCPServer")
_HANDLED = "_function_tool_default_failure_handled"
"""What the SDK notes in a call's context where it has made a text of what the tool raised, by its own formatter."""


def guarded_tools(guard: Guard, tools: Iterable[FunctionTool]) -> list[FunctionTool]:
    """Give the tools with guardrails. Tools of another kind are refused by TypeError: they would run unguarded."""
    pending = Pending()
    before, after = _guardrails(guard, pending)
    guarded = []
    for tool in tools:
        if not isinstance(tool, FunctionTool):
            msg = f"{tool!r} is no function tool: the Agents SDK has no guardrails for it"
            raise TypeError(msg)
        guarded.append(
            dataclasses.replace(
                tool,
                on_invoke_tool=_invoking(guard, pending, tool.on_invoke_tool),
                tool_input_guardrails=[*(tool.tool_input_guardrails or []), before],
                tool_output_guardrails=[after, *(tool.tool_output_guardrails or [])],
            )
        )
    return guarded


def guarded_servers(guard: Guard, servers: Iterable[S]) -> list[S]:
    """Put guardrails on all tools of MCP servers of the agent's process, and give the servers.

    The SDK asks for no more than this: what a tool of theirs raises is its result, a text for the model.
    """
    guarded = []
    for server in servers:
        before, after = _guardrails(guard, Pending())
        server.tool_input_guardrails = [*(server.tool_input_guardrails or []), before]
        server.tool_output_guardrails = [after, *(server.tool_output_guardrails or [])]
        guarded.append(server)
    return guarded


def _guardrails(guard: Guard, pending: Pending) -> tuple[ToolInputGuardrail[Any], ToolOutputGuardrail[Any]]:
    return (
        ToolInputGuardrail(guardrail_function=_before(guard, pending), name="flyball"),
        ToolOutputGuardrail(guardrail_function=_after(guard, pending), name="flyball"),
    )


def _before(guard: Guard, pending: Pending) -> Any:
    async def flyball(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        call = data.context
        if (earlier := pending.take(_named(call))) is not None:
            guard.put_off(earlier)  # asked for before a person approved it (`pre_approval_tool_input_guardrails`)
        decision = await guard.aevaluate(call.tool_name, _arguments(call.tool_arguments), _subject(data))
        if decision.decision == "allow":
            pending.put(_named(call), decision)
            return ToolGuardrailFunctionOutput.allow(decision.to_json())
        if decision.decision == "modify":
            guard.result(decision)
            said = f"{decision.message} Call {call.tool_name} with {json.dumps(decision.modified_input)} instead."
            return ToolGuardrailFunctionOutput.reject_content(said, decision.to_json())
        if decision.killed:
            return ToolGuardrailFunctionOutput.raise_exception(decision.to_json())
        return ToolGuardrailFunctionOutput.reject_content(decision.message, decision.to_json())

    return flyball


def _invoking(guard: Guard, pending: Pending, invoke: Any) -> Any:
    """Tell of a call that raises: the SDK asks no guardrail then, or one that cannot tell it from a result."""

    async def invoked(context: Any, arguments: str) -> Any:
        try:
            result = await invoke(context, arguments)
        except BaseException as error:
            end(context, error)
            raise
        if getattr(context, _HANDLED, False):
            end(context, str(result))
        return result

    def end(context: Any, error: BaseException | str) -> None:
        decision = pending.take(_named(context))
        if decision is not None:
            guard.result(decision, error=error)

    return invoked


def _after(guard: Guard, pending: Pending) -> Any:
    async def flyball(data: ToolOutputGuardrailData) -> ToolGuardrailFunctionOutput:
        decision = pending.take(_named(data.context))
        if decision is not None:
            guard.result(decision, data.output)
        return ToolGuardrailFunctionOutput.allow()

    return flyball


def _arguments(text: str) -> dict[str, Any] | None:
    """Read what the model wrote; what is no JSON object is not known, and the tool will refuse it too."""
    try:
        said = json.loads(text or "{}")
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _subject(data: ToolInputGuardrailData) -> Subject:
    """Tell whose call it is. Without `running` the run is the SDK's own trace, else goes by its usage counter."""
    run = current().run
    if run is None and (trace := get_current_trace()) is not None:
        name = run_id(trace.trace_id.removeprefix("trace_"))
        run = None if name == "no-op" else name
    if run is None:
        run = _own_run(data.context)
    return Subject(run=run, agent=data.agent.name)


def _own_run(context: Any) -> str:
    """Give an id of the run by its usage counter: one object a run, and the only one that all its calls share."""
    return str(context.usage.__dict__.setdefault("_flyball_run", uuid.uuid4().hex))


def _named(context: Any) -> tuple[str, str]:
    """Name a call: some models begin their ids anew in each run."""
    return _own_run(context), context.tool_call_id
