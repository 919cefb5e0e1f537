"""Indicators: what an SLO measures, as a ratio over change rows: the SLI's own, or a histogram cut at a threshold."""

from __future__ import annotations

import operator
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any

import polars as pl

from models.slis.base import Ratio
from models.slos.spec import Op

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from models.slis.base import Histogram, Sli
    from models.slos.spec import Indicator, Threshold

_HOLDS: dict[Op, Callable[[Any, Any], Any]] = {
    Op.LTE: operator.le,
    Op.LT: operator.lt,
    Op.GTE: operator.ge,
    Op.GT: operator.gt,
}


def measure_of(indicator: Indicator, slis: Iterable[Sli]) -> Ratio:
    """Give the ratio; equal measures of several SLOs have equal names. Raises ValueError for what cannot be measured.

    A value that is not known (no priced cost, say) counts neither as good nor as bad.
    """
    sli = next((sli for sli in slis if sli.name == indicator.sli), None)
    if sli is None:
        msg = f"no SLI is named {indicator.sli!r}"
        raise ValueError(msg)
    if isinstance(sli, Ratio):
        if indicator.threshold:
            msg = f"{sli.name} is a ratio: a threshold belongs to an SLI with values"
            raise ValueError(msg)
        return sli
    return _cut(sli, indicator.threshold)


def _cut(sli: Histogram, threshold: Threshold | None) -> Ratio:
    """Cut exactly at the value, not at the edge of a bin; without a threshold at the SLI's cap."""
    value = sli.value if sli.where is None else pl.when(sli.where).then(sli.value)
    holds, at, op = operator.le, sli.cap, Op.LTE
    if threshold:
        holds, at, op = _HOLDS[threshold.op], threshold.value, threshold.op
    known = value.is_not_null()
    said = "" if at is None else f" {op} {at!r}"
    if at is not None and (sli.scale > 1 or sli.whole):
        holds, at = _whole(op, at, sli.scale)
    good = known if at is None else holds(value, at).fill_null(value=False)
    return Ratio(
        sli.name + said, known.cast(pl.Int64), good.cast(pl.Int64), f"{sli.name}{said} {sli.unit}".strip(), sli.per
    )


def _whole(op: Op, at: float, scale: int) -> tuple[Callable[[Any, Any], Any], int]:
    """Give comparison and limit for values that are whole numbers of parts, by the number as it was written."""
    parts = Fraction(repr(at)) * scale
    if op in (Op.LTE, Op.GT):
        return _HOLDS[op], floor(parts)
    return _HOLDS[op], ceil(parts)
