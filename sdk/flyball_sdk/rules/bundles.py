"""Bundles: rules that ask the same kind of thing of the same member, looked at together.

Of a thousand rules hardly one fires on a call. So a tool's rules are put together by member and kind, and one look at
the value tells that none of them can fire: a number within all their bounds, a text in none of their lists, or in which
none of their expressions is found. Only where that look is not sure is each rule asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball_sdk.rules.expressions import groups_of
from flyball_sdk.rules.globs import allowing, forbidding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Simple(NamedTuple):
    """What a condition of one member asks: it can be put into a bundle with others of the same kind and member."""

    kind: str
    member: str
    fires_on_none: bool
    said: Any
    """Of not_between (min, max), of in and not_in the patterns, of matches the expression."""


def quick_of(conditions: Sequence[Simple]) -> Callable[[object], bool]:
    """Make the test of a value that is true only if none of the conditions, all of one kind, fires on it."""
    said = [each.said for each in conditions]
    return _MAKERS[conditions[0].kind](said)


def _within_all(bounds: list[tuple[float, float]]) -> Callable[[object], bool]:
    least, most = (
        max((low for low, _ in bounds), default=-math.inf),
        min((high for _, high in bounds), default=math.inf),
    )
    return lambda value: (type(value) is int or type(value) is float) and least <= value <= most


def _in_none(lists: list[tuple[str, ...]]) -> Callable[[object], bool]:
    forbidden = forbidding({pattern for patterns in lists for pattern in patterns})
    return lambda value: type(value) is str and not forbidden(value)


def _in_all(lists: list[tuple[str, ...]]) -> Callable[[object], bool]:
    allowed = [allowing(patterns) for patterns in set(lists)]
    return lambda value: type(value) is str and all(test(value) for test in allowed)


def _found_nowhere(patterns: list[str]) -> Callable[[object], bool]:
    searches = groups_of(patterns)
    if searches is None:
        return lambda value: False
    return lambda value: type(value) is str and not any(search(value) for search in searches)


_MAKERS: dict[str, Callable[[list[Any]], Callable[[object], bool]]] = {
    "not_between": _within_all,
    "in": _in_none,
    "not_in": _in_all,
    "matches": _found_nowhere,
}
KINDS = frozenset(_MAKERS)
