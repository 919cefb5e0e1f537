"""Who the calls belong to that are made here: said once by the host program, and followed.

Tasks and `asyncio.to_thread` take it along. Threads of one's own do not: as long as just one run is under way in the
process they belong to it; where there are several, give the thread `carried(function)`.
"""

from __future__ import annotations

import functools
import sys
import uuid
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flyball_sdk.scope import NOBODY, Subject, as_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_current: ContextVar[Subject] = ContextVar("flyball_subject", default=NOBODY)
_under_way: dict[object, Subject] = {}
"""One for each block that is entered."""
_MOST_NESTED = 16
F = TypeVar("F", bound="Callable[..., Any]")


@contextmanager
def running(
    run: str | None = None,
    *,
    user: str | None = None,
    agent: str | None = None,
    workflow: str | None = None,
    tenant: str | None = None,
) -> Iterator[Subject]:
    """Say that what is called inside is one run, and whose.

    Without an id the run is that of the trace it is in, else a new one. Inside another one only what is said here
    changes, and the run stays the same unless it is said.
    """
    outer = _current.get()
    run = run_id(run) or outer.run or trace_id() or uuid.uuid4().hex
    subject = Subject(run, user, agent, workflow, tenant).narrowed(outer)
    token, place = _current.set(subject), object()
    _under_way[place] = subject
    try:
        yield subject
    finally:
        del _under_way[place]
        with suppress(ValueError):  # left in another context than entered, as frameworks do: that one is gone with it
            _current.reset(token)


def carried(function: F) -> F:
    """Give a function that belongs, in whatever thread it is called, to whom the calls belong that are made here."""
    subject = current()

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        token = _current.set(subject)
        try:
            return function(*args, **kwargs)
        finally:
            _current.reset(token)

    return cast("F", run)


def _only() -> Subject:
    """Give whose the one run is that is under way in the process; NOBODY: there is none, or several."""
    known = list(_under_way.values()) if len(_under_way) <= _MOST_NESTED else []
    return known[-1] if known and len({subject.run for subject in known}) == 1 else NOBODY


def current() -> Subject:
    """Tell who calls made here belong to; what nobody said is None, but the run is then that of the trace."""
    subject = _current.get()
    if subject is NOBODY:
        subject = _only()
    if subject.run is None and (run := trace_id()) is not None:
        return subject._replace(run=run)
    return subject


def run_id(text: str | None) -> str | None:
    """Write an id of a run as traces do: a UUID becomes its 32 hex digits, what is none stays as it is."""
    return None if text is None else as_run(text)


def trace_id() -> str | None:
    """Give the id of the OpenTelemetry trace that is being recorded; None: there is none, or nobody loaded the API."""
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    number = api.get_current_span().get_span_context().trace_id
    return f"{number:032x}" if number else None
