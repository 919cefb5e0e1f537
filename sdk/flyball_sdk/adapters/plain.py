"""Plain Python: a decorator for functions that are tools, and a context manager for calls that are not functions."""

from __future__ import annotations

import functools
import inspect
import weakref
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flyball_sdk.errors import FlyballError
from flyball_sdk.guard import NOT_RECORDED, Guard

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping

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
    with _recorded(guard, decision) as call:
        call.tool_input = decision.modified_input or tool_input
        yield call


def tool(guard: Guard, name: str | None = None) -> Callable[[F], F]:
    """Decorate a function, sync or async, so that it only runs if the guard lets it: else it raises StoppedError.

    The tool is called by the function's name, its input is the arguments by their names, defaults too. A generator is
    decided on when it is called, and has ended when it is at its end.
    """

    def decorate(function: F) -> F:
        called = name or function.__name__
        signature = inspect.signature(function)

        def decided(args: Any, kwargs: Any) -> tuple[Decision, inspect.BoundArguments]:
            bound, tool_input = _asked(signature, args, kwargs)
            return _passed(guard, guard.evaluate(called, tool_input), bound)

        @functools.wraps(function)
        def sync(*args: Any, **kwargs: Any) -> Any:
            decision, bound = decided(args, kwargs)
            with _recorded(guard, decision) as call:
                call.result = function(*bound.args, **bound.kwargs)
            return call.result

        @functools.wraps(function)
        async def unsync(*args: Any, **kwargs: Any) -> Any:
            bound, tool_input = _asked(signature, args, kwargs)
            decision, bound = _passed(guard, await guard.aevaluate(called, tool_input), bound)
            with _recorded(guard, decision) as call:
                call.result = await function(*bound.args, **bound.kwargs)
            return call.result

        @functools.wraps(function)
        def streaming(*args: Any, **kwargs: Any) -> Any:
            decision, bound = decided(args, kwargs)
            made = _streamed(guard, decision, function(*bound.args, **bound.kwargs))
            weakref.finalize(made, guard.result, decision).atexit = False  # should nobody begin to read it
            return made

        @functools.wraps(function)
        def unsync_streaming(*args: Any, **kwargs: Any) -> Any:
            decision, bound = decided(args, kwargs)
            made = _unsync_streamed(guard, decision, function(*bound.args, **bound.kwargs))
            weakref.finalize(made, guard.result, decision).atexit = False
            return made

        kinds = (
            (inspect.iscoroutinefunction, unsync),
            (inspect.isgeneratorfunction, streaming),
            (inspect.isasyncgenfunction, unsync_streaming),
        )
        return cast("F", next((made for is_one, made in kinds if is_one(function)), sync))

    return decorate


def _asked(signature: inspect.Signature, args: Any, kwargs: Any) -> tuple[inspect.BoundArguments, dict[str, Any]]:
    """Give the arguments, and the tool's input: them by name, those of `**` too.

    The object that a method belongs to is no argument of the tool.
    """
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    more = _rest_of(signature)
    named = {name: value for name, value in bound.arguments.items() if name not in ("self", "cls", more)}
    return bound, {**bound.arguments.get(more, {}), **named}


def _passed(guard: Guard, decision: Decision, bound: inspect.BoundArguments) -> tuple[Decision, inspect.BoundArguments]:
    """Raise unless the call may be made; with what it is to be made with, where rules have changed that."""
    if not decision.allowed:
        raise StoppedError(decision)
    changed = decision.modified_input
    if changed is not None:
        more = _rest_of(bound.signature)
        rest = dict(changed)
        for name in [name for name in bound.arguments if name not in ("self", "cls", more)]:
            if name in rest:
                bound.arguments[name] = rest.pop(name)
            else:
                del bound.arguments[name]  # then its default holds
        if rest and not more:
            msg = f"the guard's rules set {', '.join(sorted(rest))}, which the tool does not take"
            guard.result(decision, error=msg)
            raise TypeError(msg)
        if more:
            bound.arguments[more] = rest
    return decision, bound


def _rest_of(signature: inspect.Signature) -> str:
    """Give the name of the parameter that takes all other keywords; "": there is none."""
    kind = inspect.Parameter.VAR_KEYWORD
    return next((name for name, parameter in signature.parameters.items() if parameter.kind is kind), "")


@contextmanager
def _recorded(guard: Guard, decision: Decision) -> Iterator[Allowed]:
    """Make a call inside; what came of it is recorded."""
    call = Allowed(decision, {})
    try:
        yield call
    except GeneratorExit:  # nobody wants more of what is streamed: no error
        guard.result(decision)
        raise
    except BaseException as error:
        guard.result(decision, error=error)
        raise
    guard.result(decision, call.result, cost_usd=call.cost_usd)


def _streamed(guard: Guard, decision: Decision, parts: Iterator[Any]) -> Iterator[Any]:
    """Give the parts of a result; the call ends with the last of them, or when nobody wants more."""
    with _recorded(guard, decision):
        yield from parts


async def _unsync_streamed(
    guard: Guard, decision: Decision, parts: AsyncGenerator[Any, Any]
) -> AsyncGenerator[Any, Any]:
    """Give the parts, and hand on what their reader sends, throws and closes."""
    with _recorded(guard, decision):
        async with aclosing(parts):
            step = parts.asend(None)
            while True:
                try:
                    part = await step
                except StopAsyncIteration:
                    return
                try:
                    sent = yield part
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 -- theirs to take
                    step = parts.athrow(error)
                else:
                    step = parts.asend(sent)
