"""What one objective says: its target, its threshold, its timeslices."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from models.slos.spec import Indicator, Op, Slices, Threshold

if TYPE_CHECKING:
    from flyball.openslo.indicators import Measured
    from flyball.openslo.schema import Objective
    from flyball.openslo.spot import Spot

MAX_SLICE_S = 3600
"""The longest slice: the shortest long window of the tables must hold one."""


def target_of(objective: Objective, here: Spot) -> Fraction | None:
    """Give the target as an exact share; None when it is wrong, which is told."""
    given = [name for name in ("target", "targetPercent") if here.has(name)]
    if len(given) != 1:
        here.wrong(" and ".join(given) or "no target", "one of target, targetPercent")
        return None
    if objective.target is not None:
        return _share(objective.target, Fraction(objective.target), 1, here.at("target"))
    if objective.targetPercent is not None:
        return _share(objective.targetPercent, Fraction(objective.targetPercent) / 100, 100, here.at("targetPercent"))
    return None


def _share(written: Fraction, share: Fraction, below: int, here: Spot) -> Fraction | None:
    if 0 <= share < 1:
        return share
    hint = "targetPercent is for percent" if below == 1 and 1 < written < 100 else ""  # noqa: PLR2004
    here.wrong(f"{float(written):g}", f"at least 0 and below {below}", hint)
    return None


def indicator_of(measured: Measured, objective: Objective, here: Spot) -> Indicator | None:
    """Give what is measured, with the objective's threshold; None when it is wrong, which is told."""
    given = [name for name in ("op", "value") if here.has(name)]
    if not measured.threshold:
        if given:
            expected = "neither op nor value, which are compared with the values of a thresholdMetric"
            here.at(given[0]).wrong(f"{' and '.join(given)} with a ratioMetric", expected)
            return None
        return Indicator(measured.sli.name, measured.where)
    if len(given) < 2:  # noqa: PLR2004 -- both
        here.wrong(f"only {given[0]}" if given else "neither op nor value", "both op and value with a thresholdMetric")
        return None
    if objective.op is None or objective.value is None:
        return None
    return Indicator(measured.sli.name, measured.where, Threshold(Op(objective.op), float(objective.value)))


def slices_of(objective: Objective, here: Spot, *, timeslices: bool | None) -> Slices | None:
    """Give the timeslices, where the budgeting method has them (None: it is wrong); tells what is wrong."""
    given = [name for name in ("timeSliceTarget", "timeSliceWindow") if here.has(name)]
    if timeslices is False and given:
        here.at(given[0]).wrong(f"{given[0]} with Occurrences", "it with budgetingMethod: Timeslices only")
    if not timeslices:
        return None
    for name in ("timeSliceTarget", "timeSliceWindow"):
        if name not in given:
            here.wrong(f"no key {name}", "it with budgetingMethod: Timeslices")
    share, length = objective.timeSliceTarget, objective.timeSliceWindow
    if share is not None and not 0 < share <= 1:
        here.at("timeSliceTarget").wrong(f"{float(share):g}", "over 0 and at most 1")
        share = None
    seconds = length.seconds if length else None
    if length and not 0 < (seconds or 0) <= MAX_SLICE_S:
        here.at("timeSliceWindow").wrong(str(length), "1m to 1h")
        seconds = None
    return Slices(seconds, Fraction(share)) if share is not None and seconds else None
