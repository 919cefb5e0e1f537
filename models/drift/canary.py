"""Canary: runs of B, which began later, against those of A at the same time: promote, hold or roll back, at any moment.

A look is an hour in which both had runs, of each type of task by itself where nearly all runs say theirs: what the hour
does to both cancels, and what either was asked for (`models.drift.fixed_start`, detection.md 3.5). It supposes that
within one both get runs of the same kind throughout an hour, as a router that splits by chance gives them.
The newest hour is left out until the next has begun: half an hour is no look, and a wrong verdict at any look of any
SLI has a chance of at most `ALPHA` only over whole ones. That the next has begun is told by runs, not by a run whose
clock is ahead: what ends later than now says nothing, and its own hour does not count yet.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.drift.comparing import RATES, say_types, strata_of
from models.drift.confidence import OddsRatio
from models.drift.fixed_start import ALPHA, Advice, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from models.drift.comparing import Run, Strata
    from models.drift.fixed_start import Comparison

HOUR_NS = 3_600_000_000_000
NEVER_NS = 2**63 - 1

_SLIS = ("task_success", "escalation_rate")
"""Rates of runs. Not of their calls: those of one run hang together."""

ALPHA_EACH = ALPHA / len(_SLIS)
"""All SLIs together err with a chance of at most `ALPHA`."""


class Judged(NamedTuple):
    """One SLI of a canary: bad and all events of A and of B in the hours that both had, and what follows."""

    sli: str
    a: tuple[int, int]
    b: tuple[int, int]
    hours: int
    comparison: Comparison
    within: tuple[str, ...] = ()
    """Types of task that the hours were parted by; none: over all."""


def judge(a: Sequence[Run], b: Sequence[Run], now_ns: int = NEVER_NS) -> list[Judged]:
    """Judge B by each SLI that both have events of in some whole hour; none: they were never there at the same time.

    Or they were never asked for the same type of task: what B was asked for would be held against it. Where nothing
    bad was seen of an SLI, or nothing else, nothing is known of its odds: it is held. `now_ns`: Unix nanoseconds, where
    runs come from agents with clocks of their own.
    """
    found, newest = [], max((run.ended_ns for run in (*a, *b) if run.ended_ns <= now_ns), default=0) // HOUR_NS
    a, b = _together(a, b, newest)
    strata = strata_of(a, b)
    is_comparable = "" not in strata or not say_types(a, b)
    for sli in _SLIS if is_comparable else ():
        looks, hours, within = _looks(strata, RATES[sli])
        if hours:
            ratio, (bad_a, all_a, bad_b, all_b) = OddsRatio(), looks.sum(axis=1).tolist()
            ratio.look(looks)
            comparison = compare(ratio, all_a + all_b, alpha=ALPHA_EACH)
            if bad_a + bad_b in (0, all_a + all_b):
                comparison = replace(comparison, odds_ratio=None, still_needed=None)
            found.append(Judged(sli, (bad_a, all_a), (bad_b, all_b), hours, comparison, within))
    return found


def _together(a: Sequence[Run], b: Sequence[Run], newest: int) -> list[list[Run]]:
    """Give the runs of both of the hours before `newest` in which both had some.

    Only these say whether types of task are told apart: A has runs from long before B, when they may not have said any.
    """
    hours = [{run.ended_ns // HOUR_NS for run in side} for side in (a, b)]
    common = {hour for hour in hours[0] & hours[1] if hour < newest}
    return [[run for run in side if run.ended_ns // HOUR_NS in common] for side in (a, b)]


def advice(judged: Sequence[Judged]) -> Advice:
    """Give the advice of all together: roll back if any says so, else that of task success.

    What is rare, as handing over may be, would keep a canary for ever.
    """
    said = {each.sli: each.comparison.advice for each in judged}
    if Advice.ROLL_BACK in said.values():
        return Advice.ROLL_BACK
    return said.get("task_success", Advice.HOLD)


def _looks(strata: Strata, of: Callable[[Run], tuple[int, int]]) -> tuple[NDArray[np.int64], int, tuple[str, ...]]:
    """Give [(bad_a, all_a, bad_b, all_b), hour and type of task], the number of hours, and the types that had any."""
    found, seen, within = [], set[int](), list[str]()
    for task, sides in strata.items():
        counts = [_by_hour(side, of) for side in sides]
        hours = sorted(hour for hour in counts[0][1] if counts[1][1][hour])
        found.append(
            np.array([[by[hour] for hour in hours] for side in counts for by in side], np.int64).reshape(4, -1)
        )
        seen |= set(hours)
        within += [task] if task and hours else []
    return np.concatenate(found, axis=1), len(seen), tuple(within)


def _by_hour(runs: Sequence[Run], of: Callable[[Run], tuple[int, int]]) -> tuple[Counter[int], Counter[int]]:
    bad, total = Counter[int](), Counter[int]()
    for run in runs:
        failed, events = of(run)
        bad[run.ended_ns // HOUR_NS] += failed
        total[run.ended_ns // HOUR_NS] += events
    return bad, +total
