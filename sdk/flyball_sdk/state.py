"""State: what is asked of a scope, absolute, and how states of overlapping scopes are merged: the strictest wins.

The merge is commutative, associative and idempotent, with NEUTRAL as its unit, so it does not matter in which order
signals arrive or which of a call's scopes is looked at first.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final, NamedTuple

from flyball_sdk.checks import a_count, a_flag, an_object, one_of, texts

if TYPE_CHECKING:
    from collections.abc import Iterable

FULL: Final = "full"
BOUNDED: Final = "bounded"
HUMAN: Final = "human"
STATIC: Final = "static"
LEVELS: Final = (FULL, BOUNDED, HUMAN, STATIC)
"""How much an agent may do by itself, from everything to reading only."""
_RANK: Final = {level: rank for rank, level in enumerate(LEVELS)}

_MEMBERS: Final = frozenset({"kill", "level", "tools", "deny", "throttle"})
_THROTTLE: Final = frozenset({"calls_per_minute", "concurrency"})


class Throttle(NamedTuple):
    """How fast: tool calls a minute and at the same time; None: no limit. 0 lets nothing through."""

    calls_per_minute: int | None = None
    concurrency: int | None = None


class State(NamedTuple):
    """What is asked of a scope. `tools`: the only ones allowed (None: all); `deny`: those that are not."""

    kill: bool = False
    level: str = FULL
    tools: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    throttle: Throttle | None = None
    """Never Throttle(None, None): that is None."""

    def to_json(self) -> dict[str, object]:
        """Give the object of the contract; equal states give equal objects."""
        return {
            "kill": self.kill,
            "level": self.level,
            "tools": None if self.tools is None else sorted(self.tools),
            "deny": sorted(self.deny),
            "throttle": None if self.throttle is None else self.throttle._asdict(),
        }

    @classmethod
    def from_json(cls, value: object, where: str = "state") -> State:
        """Read the object of the contract; raises MalformedError. A member nobody knows is an error, never ignored."""
        said = an_object(where, value, _MEMBERS)
        kill = a_flag(f"{where}.kill", said["kill"])
        level = one_of(f"{where}.level", said["level"], LEVELS)
        tools = None if said["tools"] is None else texts(f"{where}.tools", said["tools"])
        deny = texts(f"{where}.deny", said["deny"])
        return cls(kill, level, tools, deny, _throttle(f"{where}.throttle", said["throttle"]))


NEUTRAL: Final = State()
"""Asks nothing."""


def merge(one: State, other: State) -> State:
    """Merge what two scopes (or two sources) ask: the most restrictive of each member."""
    if one == NEUTRAL:
        return other
    if other == NEUTRAL:
        return one
    return State(
        one.kill or other.kill,
        one.level if _RANK[one.level] >= _RANK[other.level] else other.level,
        _both(one.tools, other.tools),
        one.deny | other.deny,
        _slower(one.throttle, other.throttle),
    )


def merged(states: Iterable[State]) -> State:
    """Merge any number of states; none: neutral."""
    return reduce(merge, states, NEUTRAL)


def at_least_as_strict(one: State, other: State) -> bool:
    """Tell whether `one` asks all that `other` asks: merging `other` into it changes nothing."""
    return merge(one, other) == one


def rank(level: str) -> int:
    """Give 0 for full to 3 for static."""
    return _RANK[level]


def _throttle(where: str, value: object) -> Throttle | None:
    if value is None:
        return None
    said = an_object(where, value, _THROTTLE, optional=_THROTTLE)
    rate, at_once = (
        None if said.get(name) is None else a_count(f"{where}.{name}", said[name]) for name in Throttle._fields
    )
    return None if rate is at_once is None else Throttle(rate, at_once)


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _slower(one: Throttle | None, other: Throttle | None) -> Throttle | None:
    if one is None or other is None:
        return other if one is None else one
    return Throttle(
        _smaller(one.calls_per_minute, other.calls_per_minute), _smaller(one.concurrency, other.concurrency)
    )


def _smaller(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
