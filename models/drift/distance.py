"""Distance: how far two mixes are apart, and what moved. Effect sizes to explain with, never alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import rel_entr

if TYPE_CHECKING:
    from collections.abc import Sequence


class Mover(NamedTuple):
    """A category and its share before and after."""

    name: str
    before: float
    after: float


def jensen_shannon(before: Any, after: Any) -> float:
    """Give the Jensen-Shannon distance of two count vectors: 0 the same, 1 nothing in common (root, base 2)."""
    p, q = (np.asarray(counts, float) / max(np.sum(counts), 1) for counts in (before, after))
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2 / np.log(2)
    return float(np.sqrt(max(divergence, 0.0)))


def movers(names: Sequence[str], before: Any, after: Any, most: int = 3) -> list[Mover]:
    """Give the categories whose share changed most, the largest change first."""
    p, q = (np.asarray(counts, float) / max(np.sum(counts), 1) for counts in (before, after))
    order = np.argsort(-np.abs(q - p), kind="stable")[:most]
    return [Mover(names[at], float(p[at]), float(q[at])) for at in order.tolist() if p[at] != q[at]]
