"""Tiers: how much harm a tool can do, and what that means where signals are old or a part of the guard has no answer.

0 read, 1 reversible write, 2 destructive or spending, 3 irreversible.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from flyball_sdk.state import BOUNDED, FULL, HUMAN, STATIC

if TYPE_CHECKING:
    from collections.abc import Mapping

OPEN: Final = "open"
LAST_KNOWN_GOOD: Final = "last_known_good"
CLOSED: Final = "closed"
FAIL_MODES: Final = (OPEN, LAST_KNOWN_GOOD, CLOSED)

NORMAL: Final = "normal"
HELD: Final = "held"
STALE: Final = "stale"

HIGHEST_TIER: Final = 3
HIGHEST_FREE: Final = {FULL: 3, BOUNDED: 1, HUMAN: 1, STATIC: 0}
"""The highest tier that an agent uses by itself, by the level of its state."""
_MOST_REMEMBERED: Final = 4_096


@dataclass(frozen=True)
class Ladder:
    """Ages of the signals, in seconds: normal up to `normal_s`, then last known good, beyond `held_s` by tier."""

    normal_s: float = 5.0
    held_s: float = 60.0

    def __post_init__(self) -> None:
        """Check the order; NaN is none."""
        if not 0 < self.normal_s <= self.held_s:
            msg = f"ladder: expected 0 < normal_s <= held_s, found {self.normal_s}, {self.held_s}"
            raise ValueError(msg)

    def rung(self, age_s: float) -> str:
        """Tell where signals of an age stand."""
        if age_s <= self.normal_s:
            return NORMAL
        return HELD if age_s <= self.held_s else STALE


@dataclass(frozen=True)
class Tiers:
    """The tier of each tool, by name or glob (a name wins, then the first glob), and how each tier fails.

    `fail[tier]`: open, what has no answer is left out; last_known_good, old signals and rules hold; closed, the call
    does not run.
    """

    of: Mapping[str, int] = field(default_factory=dict)
    default: int = 2
    llm: int = 1
    """The tier of calls of a model, for how they fail."""
    fail: tuple[str, str, str, str] = (OPEN, LAST_KNOWN_GOOD, CLOSED, CLOSED)
    _known: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check tiers and fail modes."""
        for tool, tier in {**self.of, "default": self.default, "llm": self.llm}.items():
            if type(tier) is not int or not 0 <= tier <= HIGHEST_TIER:
                msg = f"tiers: expected 0 to {HIGHEST_TIER} for {tool!r}, found {tier!r}"
                raise ValueError(msg)
        if len(self.fail) != HIGHEST_TIER + 1 or not set(self.fail) <= set(FAIL_MODES):
            msg = f"tiers: expected 4 of {', '.join(FAIL_MODES)}, found {self.fail!r}"
            raise ValueError(msg)

    def tier(self, tool: str) -> int:
        """Give the tier of a tool."""
        tier = self.of.get(tool)
        return self._by_glob(tool) if tier is None else tier

    def _by_glob(self, tool: str) -> int:
        tier = self._known.get(tool)
        if tier is None:
            found = (tier for glob, tier in self.of.items() if fnmatchcase(tool, glob))
            tier = next(found, self.default)
            if len(self._known) < _MOST_REMEMBERED:
                self._known[tool] = tier
        return tier
