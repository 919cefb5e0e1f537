"""LangChain and LangGraph: middleware around each tool call.

    agent = create_agent(model, tools, middleware=[FlyballMiddleware(guard)])

Put it last, so that it sees what other middleware made of the call. A blocked call is answered by the reason, as an
error of the tool; a killed run is ended by StoppedError, which the agent's caller gets. A call that a person must
approve pauses the graph by `interrupt` if `ask=True` (it needs a checkpointer); else it is answered like a blocked one.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import ToolMessage
from langgraph.errors import GraphInterrupt
from langgraph.types import interrupt

from flyball_sdk.adapters.plain import StoppedError
from flyball_sdk.context import current
from flyball_sdk.scope import Subject

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langgraph.prebuilt.tool_node import ToolCallRequest

    from flyball_sdk.decision import Decision
    from flyball_sdk.guard import Guard


class _State(AgentState[Any]):
    """What is kept with the agent's state."""

    flyball_run: NotRequired[Annotated[str, PrivateStateAttr]]


class FlyballMiddleware(AgentMiddleware[Any, Any]):
    """Asks the guard before each tool call. `ask`: pause for a person on escalate, and go on if resumed with True."""

    state_schema = _State

    def __init__(self, guard: Guard, *, ask: bool = False) -> None:
        super().__init__()
        self._guard = guard
        self._ask = ask

    def before_agent(self, state: Any, runtime: Any) -> dict[str, Any]:
        """Begin a run, once an invocation; one that was paused goes on."""
        return {"flyball_run": uuid.uuid4().hex}

    async def abefore_agent(self, state: Any, runtime: Any) -> dict[str, Any]:
        """Begin a run."""
        return self.before_agent(state, runtime)

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Any]) -> Any:
        """Decide, run, record. What the tool raises is recorded as its error and goes on."""
        call = request.tool_call
        decision = self._guard.evaluate(call["name"], call["args"], _subject(request))
        if self._is_approved(decision, request):
            decision = self._guard.evaluate(call["name"], call["args"], _subject(request))
        if not decision.allowed:
            return _refused(decision, call)
        try:
            result = handler(_changed(request, decision))
        except BaseException as error:
            self._failed(decision, error)
            raise
        self._record(decision, result)
        return result

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> Any:
        """Decide, run, record, for agents that run asynchronously."""
        call = request.tool_call
        decision = await self._guard.aevaluate(call["name"], call["args"], _subject(request))
        if self._is_approved(decision, request):
            decision = await self._guard.aevaluate(call["name"], call["args"], _subject(request))
        if not decision.allowed:
            return _refused(decision, call)
        try:
            result = await handler(_changed(request, decision))
        except BaseException as error:
            self._failed(decision, error)
            raise
        self._record(decision, result)
        return result

    def _is_approved(self, decision: Decision, request: ToolCallRequest) -> bool:
        """Ask a person where that is wanted. What is approved is to be judged again: an approval lifts no block."""
        if decision.decision != "escalate" or not self._ask:
            return False
        call = request.tool_call
        if interrupt({"tool": call["name"], "args": call["args"], "reason": decision.message}) is not True:
            return False
        self._guard.approve(decision)
        return True

    def _failed(self, decision: Decision, error: BaseException) -> None:
        """Record what a call raised; one that pauses the graph for a person is made anew when it goes on."""
        if isinstance(error, GraphInterrupt):
            self._guard.put_off(decision)
        else:
            self._guard.result(decision, error=error)

    def _record(self, decision: Decision, result: Any) -> None:
        if isinstance(result, ToolMessage):
            failed = result.status == "error"
            self._guard.result(decision, result.content, error=str(result.content) if failed else None)
        else:
            self._guard.result(decision)


def _changed(request: ToolCallRequest, decision: Decision) -> ToolCallRequest:
    if decision.modified_input is None:
        return request
    return request.override(tool_call={**request.tool_call, "args": decision.modified_input})


def _refused(decision: Decision, call: Any) -> ToolMessage:
    if decision.killed:
        raise StoppedError(decision)
    return ToolMessage(decision.message, tool_call_id=call["id"], name=call["name"], status="error")


def _subject(request: ToolCallRequest) -> Subject:
    """Tell whose call it is. Without `running` or a trace the run is the invocation of the agent."""
    run = current().run
    if run is None and isinstance(request.state, dict):
        run = request.state.get("flyball_run")
    return Subject(run=run)
