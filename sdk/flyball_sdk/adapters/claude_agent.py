"""Claude Agent SDK: hooks before and after each tool call, or a permission callback.

    options = ClaudeAgentOptions(hooks=hooks(guard))

Hooks see every call and every result, and a hook that fails blocks the call. `can_use_tool(guard)` is the other way:
it only sees calls that no permission rule has allowed before, and no results. Use one of the two: each counts calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from claude_agent_sdk import HookMatcher, PermissionResultAllow, PermissionResultDeny

from flyball_sdk.adapters.hook_output import abefore_tool, after_tool
from flyball_sdk.adapters.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from claude_agent_sdk import CanUseTool, PermissionResult, ToolPermissionContext

    from flyball_sdk.guard import Guard


def hooks(guard: Guard) -> dict[Any, list[HookMatcher]]:
    """Give the hooks for ClaudeAgentOptions. A failure in one blocks: the SDK would go on otherwise."""
    pending = Pending()

    async def before(said: Any, tool_use_id: str | None, context: Any) -> Any:
        return await abefore_tool(guard, pending, said)

    async def after(said: Any, tool_use_id: str | None, context: Any) -> Any:
        after_tool(guard, pending, said)
        return {}

    told = [HookMatcher(hooks=[after])]
    return {
        "PreToolUse": [HookMatcher(hooks=[before], on_failure="block")],
        "PostToolUse": told,
        "PostToolUseFailure": told,
    }


def can_use_tool(guard: Guard) -> CanUseTool:
    """Give the permission callback for ClaudeAgentOptions; a killed run is interrupted."""

    async def flyball(name: str, tool_input: dict[str, Any], context: ToolPermissionContext) -> PermissionResult:
        decision = await guard.aevaluate(name, tool_input)
        if decision.allowed:
            return PermissionResultAllow(updated_input=decision.modified_input)
        return PermissionResultDeny(message=decision.message, interrupt=decision.killed)

    typed: Callable[[str, dict[str, Any], ToolPermissionContext], Awaitable[PermissionResult]] = flyball
    return typed
