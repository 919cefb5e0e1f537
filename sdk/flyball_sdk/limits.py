"""Limits of one run that the guard keeps by itself, in the agent's process. All can be set; None: no limit."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final

AUDIT: Final = "audit"
ENFORCE: Final = "enforce"
MODES: Final = (AUDIT, ENFORCE)

WARN_AT: Final = 0.75
"""Share of a cap at which the guard warns."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """How many times are too many: from `warn` on a warning, from `block` on it does not run, at `kill` nothing does.

    The counts include the call that is asked about, so with block=5 the fifth never runs.
    """

    warn: int
    block: int
    kill: int

    def __post_init__(self) -> None:
        """Check the order."""
        if not 1 < self.warn <= self.block <= self.kill <= MOST_REPEATS:
            msg = f"repeats: expected 1 < warn <= block <= kill <= {MOST_REPEATS}, found {self}"
            raise ValueError(msg)


MOST_REPEATS: Final = 16
MOST_IN_A_CYCLE: Final = 8
"""Calls in the longest cycle that is looked for."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of a run, and what is too much of the same. A cap warns at 75 % and stops what would go beyond 100 %."""

    steps: int | None = None
    llm_calls: int | None = 50
    tool_calls: int | None = 100
    tokens: int | None = None
    cost_usd: float | None = None
    wall_s: float | None = None
    identical: Repeats | None = Repeats(3, 5, 10)
    """The same call (tool and arguments) in a row, with a result that does not change or was not recorded."""
    cycle: Repeats | None = Repeats(3, 5, 10)
    """Rounds of the same sequence of 2 to 8 calls, with results that do not change."""
    error: Repeats | None = Repeats(3, 5, 10)
    """The same error of the same tool, with no success of it in between, whatever the arguments."""
    mode: str = ENFORCE

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.mode not in MODES:
            msg = f"limits: expected the mode audit or enforce, found {self.mode!r}"
            raise ValueError(msg)
        for field in fields(self)[:6]:
            value = getattr(self, field.name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                msg = f"limits: expected {field.name} to be None or a number from 0, found {value!r}"
                raise ValueError(msg)


NO_LIMITS: Final = Limits(llm_calls=None, tool_calls=None, identical=None, cycle=None, error=None)
"""Nothing is too much."""
