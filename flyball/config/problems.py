"""Problem: one thing that is wrong in the configuration, said so that it can be mended without reading code."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Problem:
    """`line` counts from 1, 0: none; `where` is the dotted key; without `expected`, `found` says it all."""

    file: str
    line: int
    where: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        """Say it in one line."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        said = f"found {self.found}, expected {self.expected}" if self.expected else self.found
        text = ": ".join(filter(None, (place, self.where, said))) + (f"; {self.hint}" if self.hint else "")
        return text.replace("\n", " ")  # what was found may be of several lines


class ConfigError(Exception):
    """The configuration cannot be used. Told to people as it is, one line a problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def suggestion(found: str, known: Iterable[str], nearness: float = 0.6) -> str:
    """Say which known name is meant, if one is near (1: the same); else nothing."""
    near = difflib.get_close_matches(found, list(known), 1, nearness)
    return f"did you mean {near[0]}?" if near else ""
