"""Reading members of JSON objects strictly: each returns the value or raises MalformedError naming member and value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyball_sdk.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_SHOWN: Final = 60
LARGEST_INT: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 8785, section 3.2.2.3)."""


def shown(value: object) -> str:
    """Show a value in a message, cut."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def wrong(where: str, expected: str, found: object) -> MalformedError:
    """Make the error that `where` holds something else."""
    return MalformedError(f"{where}: expected {expected}, found {shown(found)}")


def an_object(
    where: str, value: object, members: frozenset[str], optional: frozenset[str] = frozenset()
) -> dict[str, object]:
    """Take an object that has exactly `members`; those of `optional` may be missing."""
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    names = set(value)
    if unknown := sorted(map(str, names - members)):
        raise wrong(where, f"only the members {', '.join(sorted(members))}", unknown)
    if missing := sorted(members - optional - names):
        raise wrong(where, f"the members {', '.join(missing)}", sorted(map(str, names)))
    return value


def demand(holds: object, where: str, expected: str, found: object) -> None:
    """Raise unless it holds."""
    if not holds:
        raise wrong(where, expected, found)


def a_flag(where: str, value: object) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise wrong(where, "true or false", value)
    return value


def one_of(where: str, value: object, choices: Iterable[str]) -> str:
    """Take one of some texts."""
    if not isinstance(value, str) or value not in choices:
        raise wrong(where, f"one of {', '.join(choices)}", value)
    return value


def a_text(where: str, value: object, *, empty: bool = False) -> str:
    """Take a string, not empty unless `empty`."""
    if not isinstance(value, str) or not (value or empty):
        raise wrong(where, "a text" if empty else "a text that is not empty", value)
    return value


def a_count(where: str, value: object, least: int = 0) -> int:
    """Take an integer from `least` to 2^53 - 1; true and false are none."""
    if type(value) is not int or not least <= value <= LARGEST_INT:
        raise wrong(where, f"an integer from {least} to 2^53 - 1", value)
    return value


def texts(where: str, value: object) -> frozenset[str]:
    """Take a list of texts, as a set."""
    if not isinstance(value, list):
        raise wrong(where, "a list of texts", value)
    return frozenset(a_text(f"{where}[{at}]", item) for at, item in enumerate(value))
