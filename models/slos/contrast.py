"""Contrast: the one slice in which bad events are so much more frequent than elsewhere that it explains most of them.

For a slice with b of t bad, and B - b of T - t elsewhere, what it explains is its excess b - t (B - b) / (T - t): the
bad events it would not have had at the rate of the others. It is guilty when that is at least `MIN_SHARE` of all bad
events and no chance: were the B bad ones any B of the T, so many would fall into the slice with a probability (Fisher's
exact test, one-sided), times the number of slices looked at (Bonferroni), below `MAX_CHANCE`. The rate of the others is
as uncertain as they are few: where nearly all events are of one slice, none bad of eight others acquit nobody.

Reference: R. A. Fisher, The Logic of Inductive Inference, 1935.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma
from typing import TYPE_CHECKING

from models.slos.dimensions import CHANGES, DESCRIBES, DIMENSIONS, EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.slos.blame import Slice

MIN_SHARE = 0.5
MAX_CHANCE = 0.01
_LITTLE = 1e-12
"""Terms that are so small beside their sum change nothing."""


@dataclass(frozen=True)
class Guilty:
    """The slice, how many bad of how many lie outside of it, and the share of all bad events that it explains."""

    slice: Slice
    rest_total: int
    rest_bad: int
    explains: float


def blame_of(slices: Sequence[Slice]) -> tuple[Guilty | None, Guilty | None]:
    """Give the slice to blame, and the one of those that somebody rolled out; None where no single one explains it.

    A tool may explain more than the version that broke it. `slices` begins with that of everything.
    """
    if not slices or slices[0].dimension != EVERYTHING:
        return None, None
    whole, others = slices[0], [s for s in slices if s.dimension >= 0 and DIMENSIONS[s.dimension] not in DESCRIBES]
    found = [guilty for s in others if (guilty := _judged(s, whole, len(others)))]
    changes = [each for each in found if DIMENSIONS[each.slice.dimension] in CHANGES]
    return max(found, key=_weight, default=None), max(changes, key=_weight, default=None)


def _weight(guilty: Guilty) -> tuple[float, int]:
    return guilty.explains, -guilty.slice.dimension


def _judged(part: Slice, whole: Slice, looks: int) -> Guilty | None:
    rest_total, rest_bad = whole.total - part.total, whole.bad - part.bad
    if part.bad <= 0 or rest_total <= 0 or not 0 <= rest_bad <= rest_total or part.bad > part.total:
        return None
    explains = (part.bad - part.total * rest_bad / rest_total) / whole.bad
    if explains < MIN_SHARE or looks * _chance(part, whole) >= MAX_CHANCE:
        return None
    return Guilty(part, rest_total, rest_bad, explains)


def _chance(part: Slice, whole: Slice) -> float:
    """Give the probability that at least so many of all bad events fall into a slice, which has more than its share."""
    good = whole.total - whole.bad
    first = _ways(part.total, part.bad) + _ways(whole.total - part.total, whole.bad - part.bad)
    total = term = 1.0
    for bad in range(part.bad, min(part.total, whole.bad)):  # each term from the one before: they fall
        term *= (part.total - bad) * (whole.bad - bad) / ((bad + 1) * (good - part.total + bad + 1))
        total += term
        if term < _LITTLE * total:
            break
    return exp(first - _ways(whole.total, whole.bad)) * total


def _ways(of: int, some: int) -> float:
    """Give the logarithm of the number of ways to take some of so many."""
    return lgamma(of + 1) - lgamma(some + 1) - lgamma(of - some + 1)
