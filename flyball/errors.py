"""Errors that people are told in one line, without a traceback; any other is a mistake of ours and shows its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from flows.journal import JournalError
from flyball.config.problems import ConfigError
from streams.port import LogError

if TYPE_CHECKING:
    from collections.abc import Iterator

E = TypeVar("E", bound=BaseException)


class CommandError(Exception):
    """A command cannot do what it was asked; the message says what was found and what to do."""


def message_for_people(error: BaseException) -> str | None:
    """Give what to tell; None when the error is not of a kind that people can mend."""
    told = find_cause(error, (CommandError, ConfigError, JournalError, LogError, OSError))
    if isinstance(told, OSError) and told.filename is not None:
        return f"{told.filename}: {told.strerror}"
    return str(told) or type(told).__name__ if told else None


def find_cause(error: BaseException, kinds: type[E] | tuple[type[E], ...]) -> E | None:
    """Find the first error of some kinds among an error and its causes: the engine wraps what a step raises."""
    return next((cause for cause in _causes(error) if isinstance(cause, kinds)), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
