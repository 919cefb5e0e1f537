"""Paths into a tool's input: `amount`, `order.total`, `items[*].price`, and `**` for every text and number in it."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, Final

from flyball_sdk.rules.problems import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

EVERYWHERE: Final = "**"
_STEP: Final = re.compile(r"([^.\[\]*]+)((?:\[\*\])*)")
_EACH: Final = object()


class Path:
    """A path. `find` gives all values that it leads to."""

    def __init__(self, field: str, written: object) -> None:
        """Read a path; `field` names where it stands in the rule."""
        if not isinstance(written, str) or not written:
            raise RuleError(field, "a path as order.items[*].price", written)
        self.written = written
        self._steps: list[Any] = []
        if written == EVERYWHERE:
            return
        for part in written.split("."):
            match = _STEP.fullmatch(part)
            if match is None:
                raise RuleError(field, "a path as order.items[*].price", written)
            self._steps += [match[1], *[_EACH] * (len(match[2]) // 3)]

    @property
    def first(self) -> str | None:
        """The member of the input that the path begins with; None: it goes everywhere."""
        return self._steps[0] if self._steps else None

    @property
    def only(self) -> str | None:
        """The member of the input that the path is; None: it goes further."""
        return self._steps[0] if len(self._steps) == 1 else None

    def find(self, tool_input: Mapping[str, object]) -> list[object]:
        """Give the values at the path; none: nothing is there."""
        found: list[Any] = [tool_input]
        if not self._steps:
            return list(leaves(tool_input))
        for step in self._steps:
            if step is _EACH:
                found = [item for value in found if isinstance(value, (list, tuple)) for item in value]
            else:
                found = [value[step] for value in found if isinstance(value, dict) and step in value]
        return found

    def change(self, tool_input: Mapping[str, object], change: Callable[[object], object]) -> dict[str, object]:
        """Give a copy in which the value at the path is changed; where there is none, `change` is given None.

        Nothing is made but the last member: an object that is missing on the way stays missing.
        """
        changed: dict[str, object] = copy.deepcopy(dict(tool_input))
        places: list[Any] = [changed]
        for step in self._steps[:-1]:
            if step is _EACH:
                places = [item for place in places if isinstance(place, list) for item in place]
            else:
                places = [place[step] for place in places if isinstance(place, dict) and step in place]
        last = self._steps[-1]
        for place in places:
            if last is _EACH and isinstance(place, list):
                place[:] = map(change, place)
            elif last is not _EACH and isinstance(place, dict):
                place[last] = change(place.get(last))
        return changed


def leaves(value: object) -> Iterator[object]:
    """Give every value inside that holds no others; names of members too, for they reach the tool as well."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)
    else:
        yield value
