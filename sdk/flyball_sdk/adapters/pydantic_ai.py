"""Pydantic AI: a toolset around the agent's tools.

    agent = Agent(model, toolsets=[GuardedToolset(FunctionToolset([search, refund]), guard)])

A blocked call is answered by the reason; a killed run is ended by StoppedError. A call that a person must approve
raises ApprovalRequired: the run ends with DeferredToolRequests, and goes on when it is given the approval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import ApprovalRequired, CallDeferred
from pydantic_ai.toolsets import WrapperToolset

from flyball_sdk.adapters.plain import StoppedError
from flyball_sdk.context import current, run_id
from flyball_sdk.guard import Guard  # noqa: TC001 -- a field of a dataclass
from flyball_sdk.scope import Subject

if TYPE_CHECKING:
    from pydantic_ai import RunContext
    from pydantic_ai.toolsets import ToolsetTool


@dataclass
class GuardedToolset(WrapperToolset[Any]):
    """Asks the guard before each call of the tools it wraps."""

    guard: Guard

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        """Decide, run, record. What the tool raises goes on; it is its error, unless it waits for somebody."""
        subject = Subject(run=current().run or run_id(ctx.run_id), agent=getattr(ctx.agent, "name", None))
        decision = await self.guard.aevaluate(name, tool_args, subject)
        if decision.decision == "escalate" and ctx.tool_call_approved:
            # judged again, of the arguments as they are now: an approval lifts no block
            self.guard.approve(decision)
            decision = await self.guard.aevaluate(name, tool_args, subject)
        if decision.decision == "escalate":
            raise ApprovalRequired({"reason": decision.message, "rule": decision.reason_code})
        if decision.killed:
            raise StoppedError(decision)
        if not decision.allowed:
            return decision.message
        try:
            result = await super().call_tool(name, decision.modified_input or tool_args, ctx, tool)
        except ApprovalRequired:  # of the tool itself, which is called again then
            self.guard.put_off(decision)
            raise
        except CallDeferred:  # its result comes from elsewhere: it has not failed
            self.guard.result(decision)
            raise
        except BaseException as error:
            self.guard.result(decision, error=error)
            raise
        self.guard.result(decision, result)
        return result
