"""The hooks of Claude Code and of the Claude Agent SDK: what comes in and what goes out, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball_sdk.context import current, run_id
from flyball_sdk.scope import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyball_sdk.adapters.pending import Pending
    from flyball_sdk.decision import Decision
    from flyball_sdk.guard import Guard


def before_tool(guard: Guard, pending: Pending, said: Mapping[str, Any]) -> dict[str, Any]:
    """Answer PreToolUse. Raises KeyError for what is none; whoever calls must make that a block."""
    return _answered(guard.evaluate(*_asked(said)), pending, said)


async def abefore_tool(guard: Guard, pending: Pending, said: Mapping[str, Any]) -> dict[str, Any]:
    """Answer PreToolUse, as `before_tool`, and leave the event loop free meanwhile."""
    return _answered(await guard.aevaluate(*_asked(said)), pending, said)


def _asked(said: Mapping[str, Any]) -> tuple[str, dict[str, Any] | None, Subject]:
    tool_input = said["tool_input"]
    return said["tool_name"], tool_input if isinstance(tool_input, dict) else None, subject_of(said)


def _answered(decision: Decision, pending: Pending, said: Mapping[str, Any]) -> dict[str, Any]:
    if decision.allowed and said.get("tool_use_id"):
        pending.put(said["tool_use_id"], decision)
    return output_of(decision)


def after_tool(guard: Guard, pending: Pending, said: Mapping[str, Any]) -> None:
    """Record PostToolUse or PostToolUseFailure."""
    decision = pending.take(said.get("tool_use_id"))
    if decision is not None:
        error = said.get("error")
        guard.result(decision, said.get("tool_response"), error=None if error is None else str(error))


def output_of(decision: Decision) -> dict[str, Any]:
    """Give the hook's output. An allow says nothing, so that the user's own permission rules still count."""
    if decision.decision == "allow":
        return {}
    specific: dict[str, Any] = {"hookEventName": "PreToolUse"}
    if decision.decision == "modify":
        specific |= {"permissionDecision": "allow", "updatedInput": decision.modified_input}
    else:
        specific["permissionDecision"] = "ask" if decision.decision == "escalate" else "deny"
        specific["permissionDecisionReason"] = decision.message
    output: dict[str, Any] = {"hookSpecificOutput": specific}
    if decision.killed:
        output |= {"continue": False, "stopReason": decision.message}
    return output


def subject_of(said: Mapping[str, Any]) -> Subject:
    """Tell whose call it is: the session is the run unless `running` says another."""
    session = said.get("session_id")
    run = current().run or (run_id(session) if isinstance(session, str) and session else None)
    agent = said.get("agent_type")
    return Subject(run=run, agent=agent if isinstance(agent, str) and agent else None)
