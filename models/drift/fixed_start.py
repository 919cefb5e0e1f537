"""Fixed start: is B worse than A, since both began? For canaries, shadows, two recorded sets: a verdict at any time.

The e-process of `models.drift.confidence.OddsRatio`: as `cohorts`, without a new start each look. Guarantee: with
probability >= 1 - alpha the odds ratio lies in every interval, so a canary that is as good as A (odds ratio <= 1) is
rolled back, ever, with probability at most alpha. detection.md 3.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.drift.confidence import Interval, OddsRatio

MARGIN = 1.25
"""Odds ratio of failure up to which B is as good as A for the purpose."""
ALPHA = 1e-3
"""Of canaries: they are looked at all the time."""


class Advice(StrEnum):
    """What to do with B."""

    PROMOTE = "promote"
    HOLD = "hold"
    ROLL_BACK = "roll back"


@dataclass(frozen=True)
class Comparison:
    """What is known. `still_needed` events of both together would decide, if all goes on as it is.

    None: it is decided, or nobody can say, as all were alike; then there is no odds ratio either.
    """

    advice: Advice
    odds_ratio: float | None
    interval: Interval
    still_needed: int | None


def compare(ratio: OddsRatio, events: int, margin: float = MARGIN, alpha: float = ALPHA) -> Comparison:
    """Judge B after `events` of both. Promote when it is within the margin for sure, roll back when it is worse."""
    interval, estimate = ratio.interval(alpha), ratio.estimate
    if interval.high <= margin:
        advice = Advice.PROMOTE
    elif interval.low > 1.0:
        advice = Advice.ROLL_BACK
    else:
        advice = Advice.HOLD
    needed = None if advice is not Advice.HOLD else still_needed(interval, estimate, events, margin)
    return Comparison(advice, estimate, interval, needed)


def still_needed(interval: Interval, estimate: float, events: int, margin: float) -> int:
    """Give the events of both that are still missing, at least 1: the interval narrows with the root of the events.

    It decides when it leaves 1 or the margin out, whichever the estimate is nearer to leaving.
    """
    centre = math.log(estimate)
    # promoted once the upper end is below the margin, rolled back once the lower one is over 1
    promote = (math.log(interval.high) - centre) / max(math.log(margin) - centre, 1e-3)
    roll_back = (centre - math.log(interval.low)) / max(centre, 1e-3)
    return max(1, math.ceil(events * (min(promote, roll_back) ** 2 - 1.0)))
