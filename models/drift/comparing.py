"""Comparing: two sets of runs, each of a fixed size: which of their SLIs differ, and where evidence is still lacking.

Two families of tests, each with a chance of `ALPHA` that anything is called different when nothing is (Holm's step-down
over Fisher's exact tests of rates; over Mann-Whitney tests of values and Fisher's of the tools used). The p-values hold
for sets of a size fixed before; whoever looks again as runs come in goes by the interval of the odds ratio, which holds
at every look (`models.drift.confidence`). Where nearly all runs of both sides say their type of task they are compared
within the types that both were asked for (`models.drift.within_types`), all of these together. Calls of one run hang
together: rates of calls are to be read with care.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from scipy.stats import fisher_exact, mannwhitneyu, norm

from models.drift.confidence import Interval, OddsRatio
from models.drift.within_types import exact_p, medians, ranks_p, rates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from models.drift.within_types import Table

ALPHA = 0.05
MARGIN = 1.25
"""An odds ratio that surely lies within this, either way, is none to speak of."""
_MANY_CALLS = 3
_FEWEST_USES = 5
"""Runs that must use a tool, of both together, for it to be compared."""
_POWER = 0.8
MOST_NEEDED = 1_000_000
"""Events a side that are missing, at most: beyond, only that there are more."""
_SMALL = 100
_EVEN = 0.5
_NEARLY_ALL = 0.9
"""Of the runs of each side, those that say their type of task, so that types are compared."""


class Run(NamedTuple):
    """What is compared of a run; None: not known."""

    succeeded: bool | None
    escalated: bool
    tool_calls: int
    tool_errors: int
    llm_calls: int
    tokens: int
    cost_usd: float | None
    duration_s: float
    tools: tuple[str, ...]
    """Tools in the order of their calls."""
    most_repeated: int
    """How often its most repeated call (tool and arguments) was made."""
    ended_ns: int = 0
    task: str = ""
    """Type of task; empty: it says none."""


class Compared(NamedTuple):
    """One SLI. Rates are as its name says: of what succeeded, of runs that were escalated, that use a tool.

    Values are medians.
    """

    sli: str
    kind: Literal["rate", "value"]
    before: float | None
    after: float | None
    events: tuple[int, int]
    odds_ratio: float | None
    interval: Interval | None
    p: float
    direction: Literal["up", "down", "none"]
    """Which way B lies: of a rate, by the rates; of a value by its ranks, as its test, which medians may not show."""
    differs: bool = False
    """Told different, at `ALPHA` over its family."""
    is_same: bool = False
    """The odds ratio surely lies within `MARGIN`."""
    still_needed: int | None = None
    """Events a side that are missing to tell a difference of this size (power 80 %), at most `MOST_NEEDED`.

    None: decided.
    """
    within: tuple[str, ...] = ()
    """Types of task within which it was compared; none: over all. Of A are told the rate and the median that it would
    have had with the tasks of B."""


Strata = dict[str, tuple[list[Run], list[Run]]]
"""Type of task -> runs of A and of B; "": all runs of both."""

RATES: dict[str, Callable[[Run], tuple[int, int]]] = {
    "task_success": lambda run: (int(run.succeeded is False), int(run.succeeded is not None)),
    "escalation_rate": lambda run: (int(run.escalated), 1),
    "tool_success": lambda run: (run.tool_errors, run.tool_calls),
    "repeated_calls": lambda run: (int(run.most_repeated >= _MANY_CALLS), 1),
}
"""Name -> (bad, all) of a run."""
OF_GOOD = frozenset({"task_success", "tool_success"})
"""Rates of what is good; all others are of what is bad, or neither."""
_VALUES: dict[str, Callable[[Run], float | None]] = {
    "cost_per_task": lambda run: run.cost_usd,
    "tokens_per_task": lambda run: run.tokens or None,
    "time_to_resolution": lambda run: run.duration_s,
    "trajectory_length_llm_calls": lambda run: run.llm_calls,
    "trajectory_length_tool_calls": lambda run: run.tool_calls,
}


def compare(a: Sequence[Run], b: Sequence[Run]) -> list[Compared]:
    """Compare the runs `b` with the runs `a`; gives one row an SLI, rates first, what has no events left out."""
    strata = strata_of(a, b)
    runs = [run for sides in strata.values() for side in sides for run in side]
    rates = [_rate(name, strata, partial(_named, name)) for name in RATES]
    found = [pair for name, value in _VALUES.items() if (pair := _value(name, strata, value))]
    above = {row.sli: chance for row, chance in found}
    others = [row for row, _ in found]
    others += [_rate(f"tool:{tool}", strata, partial(_uses, tool)) for tool in _tools(runs)]
    return [*_judged([each for each in rates if min(each.events)], {}), *_judged(others, above)]


def say_types(a: Sequence[Run], b: Sequence[Run]) -> bool:
    """Say whether nearly all runs of both sides say their type of task."""
    return all(any(run.task for run in side) for side in (a, b)) and all(
        sum(bool(run.task) for run in side) >= _NEARLY_ALL * len(side) for side in (a, b)
    )


def strata_of(a: Sequence[Run], b: Sequence[Run]) -> Strata:
    """Give the runs of both sides by the types that both were asked for; by "" all where few say theirs, or none is.

    Runs that say none are left out then: nobody knows what they were asked for.
    """
    by_task: Strata = {}
    for at, side in enumerate((a, b) if say_types(a, b) else ()):
        for run in side:
            by_task.setdefault(run.task, ([], []))[at].append(run)
    by_task.pop("", None)
    common = {task: sides for task, sides in sorted(by_task.items()) if all(sides)}
    return common or {"": (list(a), list(b))}


def holm(p: Sequence[float], alpha: float = ALPHA) -> list[bool]:
    """Say which to reject so that any false one has at most the chance `alpha`. Holm 1979."""
    order = sorted(range(len(p)), key=lambda at: p[at])
    rejected = [False] * len(p)
    for rank, at in enumerate(order):
        if p[at] > alpha / (len(p) - rank):
            break
        rejected[at] = True
    return rejected


def _sum(runs: Sequence[Run], of: Callable[[Run], tuple[int, int]]) -> tuple[int, int]:
    bad, total = map(sum, zip(*map(of, runs), strict=True)) if runs else (0, 0)
    return bad, total


def _named(name: str, runs: Sequence[Run]) -> tuple[int, int]:
    bad, total = counts = _sum(runs, RATES[name])
    return (total - bad, total) if name in OF_GOOD else counts


def _uses(tool: str, runs: Sequence[Run]) -> tuple[int, int]:
    return sum(tool in run.tools for run in runs), len(runs)


def _tools(runs: Sequence[Run]) -> list[str]:
    used = [tool for run in runs for tool in set(run.tools)]
    return sorted(tool for tool in set(used) if used.count(tool) >= _FEWEST_USES)


def _rate(name: str, strata: Strata, of: Callable[[Sequence[Run]], tuple[int, int]]) -> Compared:
    tables = {task: (*of(a), *of(b)) for task, (a, b) in strata.items()}
    if "" in tables:
        return _rate_of(name, tables[""])
    tables = {task: table for task, table in tables.items() if table[1] and table[3]}
    if not tables:
        return Compared(name, "rate", None, None, (0, 0), None, None, 1.0, "none")
    every = list(tables.values())
    (hits_a, n_a, hits_b, n_b), ratio = map(sum, zip(*every, strict=True)), OddsRatio()
    ratio.look(np.array(every).T)
    before, after = rates(every)
    found = _rate_of(name, (hits_a, n_a, hits_b, n_b), ratio)
    direction = _direction((found.odds_ratio or 1.0) - 1.0)
    return found._replace(before=before, after=after, p=exact_p(every), direction=direction, within=tuple(tables))


def _rate_of(name: str, table: Table, ratio: OddsRatio | None = None) -> Compared:
    hits_a, n_a, hits_b, n_b = table
    if ratio is None:
        ratio = OddsRatio()
        ratio.look(np.array([[hits_a], [n_a], [hits_b], [n_b]]))
    interval, p = ratio.interval(ALPHA), float(fisher_exact([[hits_b, n_b - hits_b], [hits_a, n_a - hits_a]])[1])
    before, after = hits_a / max(n_a, 1), hits_b / max(n_b, 1)
    estimate = ratio.estimate if 0 < hits_a + hits_b < n_a + n_b else None  # all alike: nothing says how far apart
    found = Compared(name, "rate", before, after, (n_a, n_b), estimate, interval, p, _direction(after - before))
    return found._replace(is_same=interval.low >= 1 / MARGIN and interval.high <= MARGIN)


def _value(name: str, strata: Strata, value: Callable[[Run], float | None]) -> tuple[Compared, float] | None:
    """Compare values; gives the chance too that one of A is above one of B, ties by half."""
    known = {task: [_known(side, value) for side in sides] for task, sides in strata.items()}
    if "" in known:
        return _value_of(name, known[""])
    known = {task: sides for task, sides in known.items() if all(sides)}
    if not known:
        return None
    every = [(a, b) for a, b in known.values()]
    p, above = ranks_p(every)
    before, after = medians(every)
    events = sum(len(a) for a, _ in every), sum(len(b) for _, b in every)
    found = Compared(name, "value", before, after, events, None, None, p, _direction(_EVEN - above))
    return found._replace(within=tuple(known)), above


def _known(runs: Sequence[Run], value: Callable[[Run], float | None]) -> list[float]:
    return [found for run in runs if (found := value(run)) is not None]


def _value_of(name: str, sides: list[list[float]]) -> tuple[Compared, float] | None:
    if not all(sides):
        return None
    test = mannwhitneyu(*sides)
    p, above = float(test.pvalue), float(test.statistic) / (len(sides[0]) * len(sides[1]))
    before, after = (float(np.median(side)) for side in sides)
    events = len(sides[0]), len(sides[1])
    return Compared(name, "value", before, after, events, None, None, p, _direction(_EVEN - above)), above


def _direction(more: float) -> Literal["up", "down", "none"]:
    return "up" if more > 0 else "down" if more < 0 else "none"


def _judged(rows: list[Compared], above: Mapping[str, float]) -> list[Compared]:
    differ = holm([row.p for row in rows])
    level = ALPHA / max(len(rows), 1)
    return [
        row._replace(
            differs=differs, still_needed=None if differs or row.is_same else _missing(row, level, above.get(row.sli))
        )
        for row, differs in zip(rows, differ, strict=True)
    ]


def _missing(row: Compared, level: float, above: float | None) -> int | None:
    """Give the events a side that are missing; None where none would do."""
    needed = _needed_of_rates(row, level) if above is None else _needed_of_values(above, level)
    return None if needed is None else min(max(1, math.ceil(needed - min(row.events))), MOST_NEEDED)


def _needed_of_rates(row: Compared, level: float) -> float | None:
    """By the normal approximation of two rates, and no fewer than what Fisher's test could call different."""
    if row.before is None or row.after is None:
        return None
    before, after = row.before, row.after
    if before == after:  # to show that there is nothing to speak of
        before = min(max(before, 0.01), 0.99)
        after = MARGIN * before / (1 - before + MARGIN * before)
    needed = _z(level) ** 2 * (before * (1 - before) + after * (1 - after)) / (before - after) ** 2
    if needed >= _SMALL:
        return needed
    sizes = range(max(1, math.ceil(needed)), 2 * _SMALL)  # there the approximation is none, at 0 and 1 above all
    return next((size for size in sizes if _could_differ(before, after, size, level)), needed)


def _could_differ(before: float, after: float, size: int, level: float) -> bool:
    hits = [round(rate * size) for rate in (before, after)]
    return bool(fisher_exact([[each, size - each] for each in hits])[1] <= level)


def _needed_of_values(above: float, level: float) -> float | None:
    """Noether 1987: two samples of equal size, told apart by ranks, by the chance that a value is above another."""
    return None if above == _EVEN else _z(level) ** 2 / (6 * (above - _EVEN) ** 2)


def _z(level: float) -> float:
    return float(norm.isf(level / 2) + norm.ppf(_POWER))
