"""Reading members of a rule strictly; what is wrong is a RuleError that names the field."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from flyball_sdk.rules.problems import RuleError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_DEEPEST: Final = 40


def members(field: str, value: object, known: Collection[str], needed: Collection[str] = ()) -> Mapping[str, object]:
    """Take an object with members of `known`, and all of `needed`."""
    if not isinstance(value, dict):
        raise RuleError(field, "an object", value)
    for name in value:
        if name not in known:
            raise RuleError(f"{field}.{name}" if field else str(name), f"one of {', '.join(known)}", name)
    for name in needed:
        if name not in value:
            raise RuleError(f"{field}.{name}" if field else name, "to be there", None)
    return value


def demand(holds: object, field: str, expected: str, found: object) -> None:  # what holds is a plain comparison
    """Raise unless it holds."""
    if not holds:
        raise RuleError(field, expected, found)


def text(field: str, value: object, longest: int = 500) -> str:
    """Take a text that is not empty."""
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise RuleError(field, f"a text of 1 to {longest} characters", value)
    return value


def choice(field: str, value: object, known: Collection[str]) -> str:
    """Take one of some words."""
    if not isinstance(value, str) or value not in known:
        raise RuleError(field, f"one of {', '.join(known)}", value)
    return value


def items(field: str, value: object) -> list[object]:
    """Take a list that is not empty: an empty one would match nothing, or everything, by accident."""
    if not isinstance(value, list) or not value:
        raise RuleError(field, "a list that is not empty", value)
    return value


def texts(field: str, value: object) -> tuple[str, ...]:
    """Take a list of texts that is not empty."""
    return tuple(text(f"{field}[{at}]", item) for at, item in enumerate(items(field, value)))


def whole(field: str, value: object, least: int, most: int) -> int:
    """Take an integer within bounds."""
    if type(value) is not int or not least <= value <= most:
        raise RuleError(field, f"an integer from {least} to {most}", value)
    return value


def number(field: str, value: object) -> float:
    """Take a number that is one: NaN and infinity compare to nothing as one expects."""
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise RuleError(field, "a finite number", value)
    return value  # type: ignore[return-value]


def bounds(field: str, value: object) -> tuple[float, float]:
    """Take {min, max}, one of them at least."""
    said = members(field, value, ("min", "max"))
    least = number(f"{field}.min", said["min"]) if "min" in said else -math.inf
    most = number(f"{field}.max", said["max"]) if "max" in said else math.inf
    if not said or least > most:
        raise RuleError(field, "min, max or both, with min <= max", value)
    return least, most


def finite(field: str, value: object, depth: int = 0) -> None:
    """Refuse NaN and infinity anywhere in a value, what JSON does not have, and what never ends."""
    demand(depth <= _DEEPEST, field, f"at most {_DEEPEST} levels", "more")
    if isinstance(value, dict):
        for name, item in value.items():
            finite(f"{field}.{name}" if field else str(name), item, depth + 1)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            finite(f"{field}[{at}]", item, depth + 1)
    elif isinstance(value, float):
        number(field, value)
    elif not (value is None or isinstance(value, (str, int))):
        raise RuleError(field, "a text, number, true, false, list or object", value)
