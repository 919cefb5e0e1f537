"""Plain Python: a decorator for functions that are tools, and a context manager for calls that are not functions."""

from __future__ import annotations

import functools
import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flyball_sdk.errors import FlyballError
from flyball_sdk.guard import NOT_RECORDED, Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flyball_sdk.decision import Decision
    from flyball_sdk.scope import Subject

F = TypeVar("F", bound="Callable[..., Any]")


class StoppedError(FlyballError):
    """The guard did not let a call through. Its text is safe to show the model; `decision` says all.

    For a decision of escalate a person may `guard.approve(decision)`, and the same call may be made again.
    """

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.message)
        self.decision = decision


class Allowed:
    """A call that may be made, with these arguments. Set `result` to what came of it."""

    def __init__(self, decision: Decision, tool_input: Mapping[str, Any]) -> None:
        self.decision = decision
        self.tool_input = tool_input
        self.result: object = NOT_RECORDED
        self.cost_usd: float | None = None


@contextmanager
def guarded(
    guard: Guard, tool: str, tool_input: Mapping[str, Any], subject: Subject | None = None
) -> Iterator[Allowed]:
    """Make one call inside, with `tool_input` of what is given; raises StoppedError instead if it may not be made.

    What the call raises is recorded as its error, and goes on.
    """
    decision = guard.evaluate(tool, tool_input, subject)
    if not decision.allowed:
        raise StoppedError(decision)
    call = Allowed(decision, decision.modified_input or tool_input)
    try:
        yield call
    except BaseException as error:
        guard.result(decision, error=error)
        raise
    guard.result(decision, call.result, cost_usd=call.cost_usd)


def tool(guard: Guard, name: str | None = None) -> Callable[[F], F]:
    """Decorate a function, sync or async, so that it only runs if the guard lets it: else it raises StoppedError.

    The tool is called by the function's name, its input is the arguments by their names, defaults too.
    """

    def decorate(function: F) -> F:
        called = name or function.__name__
        signature = inspect.signature(function)

        def asked(args: Any, kwargs: Any) -> tuple[inspect.BoundArguments, dict[str, Any]]:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            # the object that a method belongs to is no argument of the tool
            return bound, {name: value for name, value in bound.arguments.items() if name not in ("self", "cls")}

        @functools.wraps(function)
        def sync(*args: Any, **kwargs: Any) -> Any:
            bound, tool_input = asked(args, kwargs)
            with guarded(guard, called, tool_input) as call:
                bound.arguments.update(call.tool_input)
                call.result = function(*bound.args, **bound.kwargs)
            return call.result

        @functools.wraps(function)
        async def unsync(*args: Any, **kwargs: Any) -> Any:
            bound, tool_input = asked(args, kwargs)
            decision = await guard.aevaluate(called, tool_input)
            if not decision.allowed:
                raise StoppedError(decision)
            bound.arguments.update(decision.modified_input or {})
            try:
                result = await function(*bound.args, **bound.kwargs)
            except BaseException as error:
                guard.result(decision, error=error)
                raise
            guard.result(decision, result)
            return result

        return cast("F", unsync if inspect.iscoroutinefunction(function) else sync)

    return decorate
