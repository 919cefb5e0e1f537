"""What a rule of effect modify does to the input: set values, or clip numbers into bounds."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from flyball_sdk.rules.conditions import as_number
from flyball_sdk.rules.paths import EVERYWHERE, Path
from flyball_sdk.rules.problems import RuleError
from flyball_sdk.rules.reading import bounds, demand, members

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def compile_change(field: str, said: object) -> Callable[[Mapping[str, object]], dict[str, object]]:
    """Compile {set: {PATH: value}, clip: {PATH: {min, max}}}; raises RuleError."""
    parts = members(field, said, ("set", "clip"))
    steps: list[tuple[Path, Callable[[object], object]]] = []
    for name in parts:
        each = parts[name]
        inside = f"{field}.{name}"
        if not isinstance(each, dict) or not each:
            raise RuleError(inside, "an object that is not empty", each)
        for written, what in each.items():
            place = f"{inside}.{written}"
            demand(written != EVERYWHERE, place, "a path to one place", written)
            change = _set(what) if name == "set" else _clip(*bounds(place, what))
            steps.append((Path(place, written), change))
    if not steps:
        raise RuleError(field, "set, clip or both", said)

    def changed(tool_input: Mapping[str, object]) -> dict[str, object]:
        result = dict(tool_input)
        for path, change in steps:
            result = path.change(result, change)
        return result

    return changed


def _set(value: object) -> Callable[[object], object]:
    return lambda old: copy.deepcopy(value)


def _clip(least: float, most: float) -> Callable[[object], object]:
    def clipped(old: object) -> object:
        number = as_number(old)
        if number is None or number != number:  # noqa: PLR0124 -- NaN; the rules, asked again, decide what it means
            return old
        return old if least <= number <= most else min(max(number, least), most)

    return clipped
