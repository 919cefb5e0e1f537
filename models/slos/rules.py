"""Which burn rate rules an SLO has, and how they are made to fit its target, its period and its slices.

No burn rate is higher than the ceiling 1 / (1 - target): all events bad. A rule whose factor is not below it can never
fire: 14.4x at a target of 90 %, where the ceiling is 10. Such a rule is rescaled: its factor becomes half of the
ceiling, and its long window as long as it takes to spend the same share of the budget at that burn rate:

    budget = factor x long / period    (the share that is spent when the rule fires; "Alerting on SLOs", SRE workbook)
    long'  = budget x period / factor' = factor x long / factor'

rounded up to whole minutes; the short window is a twelfth of it, rounded up too. Half of the ceiling: the rule fires
once half of the events are bad, and at total failure after half of the long window. All is computed in fractions.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from models.slos.burn import ceiling
from models.slos.spec import BurnRule, Calendar, Rolling, Unit
from models.slos.tables import Table, show_window, tables

if TYPE_CHECKING:
    from collections.abc import Iterable

FALLBACK = "google-30d"
"""The table whose shares of the budget are used for periods that have none of their own."""

SHORT = 12
"""The long window is this many times as long as the short one (SRE workbook, table 5-8)."""

_DAYS = {Unit.DAY: 1, Unit.WEEK: 7, Unit.MONTH: 30, Unit.QUARTER: 90, Unit.YEAR: 365}
_MINUTE_S = 60


class Fitted(NamedTuple):
    """The rules of an SLO, and for each one that was left out a sentence that says why."""

    rules: tuple[BurnRule, ...]
    dropped: tuple[str, ...]


def nominal_s(window: Rolling | Calendar) -> int:
    """Give the seconds that rules take a period to have: a calendar month has 30 days, a quarter 90, a year 365."""
    if isinstance(window, Rolling):
        return window.seconds
    return window.count * _DAYS[window.unit] * 86_400


def table_for(period_s: int) -> Table:
    """Give the table made for a period, else the one whose shares of the budget are taken over."""
    return next((table for table in tables().values() if table.period_s == period_s), tables()[FALLBACK])


def from_table(table: Table, period_s: int, confidence: float) -> tuple[BurnRule, ...]:
    """Give the rules that spend the table's shares of a budget over `period_s`: factor = budget x period / long."""
    return tuple(
        BurnRule(row.name, row.budget * period_s / row.long_s, row.long_s, row.short_s, row.page, 0, confidence)
        for row in table.rows
    )


def fit(rules: Iterable[BurnRule], target: Fraction, period_s: int, slice_s: int = 0) -> Fitted:
    """Make rules fit: rescaled where they could never fire, no window shorter than a slice or longer than a period.

    They come in the order of `haste`, however a file has them.
    """
    kept: list[BurnRule] = []
    dropped: list[str] = []
    for each in rules:
        rule = _no_shorter_than(slice_s, _rescaled(each, target, period_s))
        reason = _reason_to_drop(rule, period_s, kept)
        if reason:
            dropped.append(f"the rule {rule.name} is left out: {reason}")
        else:
            kept.append(rule)
    return Fitted(tuple(sorted(kept, key=lambda rule: rule.haste)), tuple(dropped))


def _rescaled(rule: BurnRule, target: Fraction, period_s: int) -> BurnRule:
    highest = ceiling(target)
    if rule.factor < highest:
        return rule
    factor = highest / 2
    long_s = _whole_minutes(rule.factor * rule.long_s / factor)
    short_s = _whole_minutes(Fraction(long_s, SHORT)) if rule.short_s else None
    spent = rule.factor * rule.long_s / period_s
    changed = replace(rule, factor=factor, long_s=long_s, short_s=short_s)
    words = (
        f"no burn rate is over {_number(highest)} at a target of {_number(target)}, so {_shape(rule)} could never fire;"
        f" it is {_shape(changed)}, which spends the same {_number(spent * 100)} % of the budget"
    )
    return replace(changed, rescaled=words)


def _no_shorter_than(slice_s: int, rule: BurnRule) -> BurnRule:
    """Lengthen windows that would often hold no whole slice."""
    short_s = max(rule.short_s, slice_s) if rule.short_s else None
    long_s = max(rule.long_s, slice_s)
    if (long_s, short_s) == (rule.long_s, rule.short_s):
        return rule
    changed = replace(rule, long_s=long_s, short_s=short_s)
    words = f"a slice lasts {show_window(slice_s)}, so {_shape(rule)} is {_shape(changed)}"
    return replace(changed, rescaled="; ".join(filter(None, (rule.rescaled, words))))


def _reason_to_drop(rule: BurnRule, period_s: int, kept: list[BurnRule]) -> str:
    if rule.long_s > period_s:
        return f"its window {show_window(rule.long_s)} is longer than the period {show_window(period_s)}"
    same = next((other.name for other in kept if _acts(other) == _acts(rule)), "")
    return f"it is the same as {same}" if same else ""


def _acts(rule: BurnRule) -> tuple[object, ...]:
    return rule.factor, rule.long_s, rule.short_s, rule.page, rule.after_s


def _whole_minutes(seconds: Fraction) -> int:
    return ceil(seconds / _MINUTE_S) * _MINUTE_S


def _shape(rule: BurnRule) -> str:
    short = f"/{show_window(rule.short_s)}" if rule.short_s else ""
    return f"{_number(rule.factor)}x over {show_window(rule.long_s)}{short}"


def _number(value: Fraction) -> str:
    return f"{float(value):.4g}"
