"""Runs far beyond what is usual for their workflow, in steps, tokens or money: no threshold of anybody's is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.runaways.base import NANO, Count, Ladder, Rule, Suspects
from models.runaways.baselines import EVIDENCE, MILLI
from models.runaways.caps import steps_along
from models.runaways.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.runaways.base import OpenRun

LADDER = Ladder(warn=2, kill=5)
"""Times the 99th percentile. One run in a hundred passes it, by a little."""


def _steps(run: OpenRun) -> Iterator[Count]:
    return _times(run.baseline.steps, ((count.at_ns, count.number) for count in steps_along(run)), 1)


def _tokens(run: OpenRun) -> Iterator[Count]:
    return _times(run.baseline.tokens, ((point.at_ns, point.tokens) for point in run.growth), 1)


def _cost(run: OpenRun) -> Iterator[Count]:
    return _times(run.baseline.cost, ((point.at_ns, point.cost) for point in run.growth), NANO)


def _times(usual: int, values: Iterator[tuple[int, float]], unit: int) -> Iterator[Count]:
    """Count how many times the usual a value is; nothing where it is not known what is usual."""
    if usual:
        for at_ns, value in values:
            evidence = {"value": value / unit, "p99": usual / unit, "runs": EVIDENCE}
            yield Count(at_ns, value / usual, evidence)


BASELINE_STEPS = Rule(
    "baseline.steps",
    LADDER,
    Suspects((Seen.TIMES_STEPS,), at=lambda times: times - 1),
    _steps,
    "{value:full} steps, {count:.1f} times what 99 of 100 runs of this workflow take at most ({p99:full})",
    unit=MILLI,
)
BASELINE_TOKENS = Rule(
    "baseline.tokens",
    LADDER,
    Suspects((Seen.TIMES_TOKENS,), at=lambda times: times - 1),
    _tokens,
    "{value:full} tokens, {count:.1f} times what 99 of 100 runs of this workflow take at most ({p99:full})",
    unit=MILLI,
)
BASELINE_COST = Rule(
    "baseline.cost",
    LADDER,
    Suspects((Seen.TIMES_COST,), at=lambda times: times - 1),
    _cost,
    "{value:usd} USD, {count:.1f} times what 99 of 100 runs of this workflow cost at most ({p99:usd})",
    unit=MILLI,
)
