"""Problem: one thing that is wrong in the configuration, said so that it can be mended without reading code."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Problem:
    """`line` counts from 1, 0 where there is none; `where` is the dotted key."""

    file: str
    line: int
    where: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        """Say it in one line."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        parts = [place, *([self.where] if self.where else []), f"found {self.found}, expected {self.expected}"]
        return ": ".join(parts) + (f"; {self.hint}" if self.hint else "")


class ConfigError(Exception):
    """The configuration cannot be used. Told to people as it is, one line a problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def suggestion(found: str, known: Iterable[str]) -> str:
    """Say which known name is meant, if one is near; else nothing."""
    near = difflib.get_close_matches(found, list(known), 1)
    return f"did you mean {near[0]}?" if near else ""
