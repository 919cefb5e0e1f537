"""What a rule on runaways is: it counts something along a run, and a ladder says what each count leads to.

A rule is one file with a `Rule` and one line in `models/runaways/__init__.py`. Rules look at runs that have been picked
out by columns of pulses (`suspects`), so they may be plain Python: few runs are looked at twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from models.runaways.baselines import NO_BASELINE, Baseline
from models.runaways.sifting import NOWHERE
from models.verdicts import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

Mode = Literal["off", "shadow", "enforce"]
NANO = 1_000_000_000


class Call(NamedTuple):
    """A tool call that has ended: Unix ns, digests (0: not recorded), whether it failed.

    Of a call that failed `result` is its error type, where one was said.
    """

    at_ns: int
    tool: int
    arguments: int
    result: int
    failed: bool

    def is_as(self, other: Call) -> bool:
        """Say whether this is the other call made again. Missing arguments are never equal."""
        return self.arguments != 0 and self.tool == other.tool and self.arguments == other.arguments

    def ended_as(self, other: Call) -> bool:
        """Say whether nothing tells that the results differ."""
        return self.result in (0, other.result) or other.result == 0


class Point(NamedTuple):
    """How a run stood after an LLM call: sums so far, cost in nano-USD."""

    at_ns: int
    llm_calls: int
    tokens: int
    cost: int


_NEW = Point(0, 0, 0, 0)


@dataclass(frozen=True)
class OpenRun:
    """A run under suspicion. `calls` are all that are kept, by their end; `growth` are the points of this batch.

    The last point is how the run stands; what grew before this batch is not told again.
    """

    run_id: str
    workflow: str | None
    began_ns: int
    calls: list[Call]
    growth: list[Point]
    stood: Point = _NEW
    """How the run stood before this batch."""
    baseline: Baseline = NO_BASELINE
    """What is usual for the workflow."""
    calls_beyond: int = 0
    """Tool spans beyond those kept, which are counted one by one."""
    agents: tuple[tuple[int, int], ...] = ()
    """Its nested agents by their start: (Unix ns, digest of the name)."""
    known_tools: frozenset[int] | None = None
    """Digests of the tools of the workflow; None: it is not known enough."""
    tools_are_listed: bool = False
    """Whether people listed them; else they were learnt."""
    find_text: Callable[[int], str | None] = field(default=lambda _: None)
    """Gives the text of a name digest."""

    def text(self, digest: int) -> str:
        """Give the text of a name."""
        return self.find_text(digest) or "unknown"


class Count(NamedTuple):
    """What a rule had counted at an instant; `evidence` is what else it can say."""

    at_ns: int
    number: float
    evidence: dict[str, Any] = {}  # noqa: RUF012 - a tuple's default, never written to


@dataclass(frozen=True)
class Ladder:
    """From which count on what happens; None: never."""

    warn: float | None = None
    throttle: float | None = None
    bound: float | None = None
    block: float | None = None
    kill: float | None = None

    def steps(self) -> list[tuple[float, Action]]:
        """Give (count, action), in order of count, the milder first."""
        said = [(getattr(self, action), action) for action in Action if action is not Action.CLEAR]
        return sorted(((limit, action) for limit, action in said if limit is not None), key=lambda step: step[0])


WARN_AT = 0.75
"""Share of a cap at which it warns."""


def cap(limit: float) -> Ladder:
    """Give the ladder of a cap: warn at 75 %, stop at 100 %."""
    return Ladder(warn=limit * WARN_AT, kill=limit)


class PaceRule(NamedTuple):
    """A rule on what users or workflows do, not on one run: the ladder counts how many times the usual it is."""

    id: str
    ladder: Ladder
    reason: str
    """A format over `count`, `value` and `usual`."""
    mode: Mode = "shadow"


@dataclass(frozen=True)
class Suspects:
    """Which runs may have come to a count: where columns `more` (one or two), less `less`, come to `at(count)`."""

    more: tuple[int, ...]
    less: int = NOWHERE
    at: Callable[[float], float] = float

    def columns(self) -> tuple[int, int, int]:
        """Give all three columns, as `suspected` takes them."""
        return self.more[0], self.more[1] if len(self.more) > 1 else NOWHERE, self.less

    def have(self, pulse: NDArray[np.int64], count: float) -> bool:
        """Say whether a run's pulse is one of them."""
        less = pulse[self.less] if self.less != NOWHERE else 0
        return bool(pulse[list(self.more)].sum() - less >= self.at(count))


@dataclass(frozen=True, eq=False)
class Rule:
    """`suspects` picks the runs in which the count may have come to a step of the ladder.

    `counts(run)` gives what was counted, in order of time; it may leave out counts that lead to nothing. `reason` is
    for the model as well as for people: a format over `count`, `limit` and the evidence.
    """

    id: str
    ladder: Ladder
    suspects: Suspects
    counts: Callable[[OpenRun], Iterable[Count]]
    reason: str
    mode: Mode = "shadow"
    unit: float = 1
    """What one of the ladder's units is in pulses (money is told in USD, kept in nano-USD)."""
