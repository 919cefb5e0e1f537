"""Contrast: the one slice in which bad events are so much more frequent than elsewhere that it explains most of them.

For a slice with b of t bad, and B - b of T - t elsewhere, what it explains is its excess b - t (B - b) / (T - t): the
bad events it would not have had at the rate of the others. It is guilty when that is at least `MIN_SHARE` of all bad
events and no chance: the exact binomial tail at the rate of the others, times the number of slices looked at
(Bonferroni), is below `MAX_CHANCE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.special import betainc

from models.slos.dimensions import DESCRIBES, DIMENSIONS, EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.slos.blame import Slice

MIN_SHARE = 0.5
MAX_CHANCE = 0.01


@dataclass(frozen=True)
class Guilty:
    """The slice, how many bad of how many lie outside of it, and the share of all bad events that it explains."""

    slice: Slice
    rest_total: int
    rest_bad: int
    explains: float


def guilty_of(slices: Sequence[Slice]) -> Guilty | None:
    """Give the slice to blame; None when no single one explains it. `slices` begins with that of everything."""
    if not slices or slices[0].dimension != EVERYTHING:
        return None
    whole, others = slices[0], [s for s in slices if s.dimension >= 0 and DIMENSIONS[s.dimension] not in DESCRIBES]
    found = [guilty for s in others if (guilty := _judged(s, whole, len(others)))]
    return max(found, key=lambda g: (g.explains, -g.slice.dimension), default=None)


def _judged(part: Slice, whole: Slice, looks: int) -> Guilty | None:
    rest_total, rest_bad = whole.total - part.total, whole.bad - part.bad
    if part.bad <= 0 or rest_total <= 0 or rest_bad < 0:
        return None
    explains = (part.bad - part.total * rest_bad / rest_total) / whole.bad
    rate = (rest_bad + 1) / (rest_total + 2)  # Laplace: a rate of 0 elsewhere proves nothing when elsewhere is little
    chance = looks * betainc(part.bad, part.total - part.bad + 1, rate)
    return Guilty(part, rest_total, rest_bad, explains) if explains >= MIN_SHARE and chance < MAX_CHANCE else None
