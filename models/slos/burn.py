"""Burn rates and budgets: exact arithmetic on counts. A ratio of nothing is no number: None, never 0 or 1.

error ratio = bad / total; budget = 1 - target; burn rate = error ratio / budget. Over the whole period the burn rate is
the share of the budget that is used; it may be over 1, and what remains then is negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property


@dataclass(frozen=True)
class Budget:
    """The budget of one period: events counted, and the share of the budget that they used."""

    total: int
    bad: int
    target: Fraction

    @cached_property
    def used(self) -> Fraction | None:
        """Share used, over 1 when overspent; None without events."""
        return burn_rate(self.bad, self.total, self.target)

    @cached_property
    def remaining(self) -> Fraction | None:
        """1 - used: negative when overspent."""
        used = self.used
        return None if used is None else 1 - used


def burn_rate(bad: int, total: int, target: Fraction) -> Fraction | None:
    """Give how many times as fast as allowed the budget is spent; None without events.

    >>> burn_rate(1, 1000, Fraction("0.99"))
    Fraction(1, 10)
    """
    return None if total == 0 else Fraction(bad, total) / (1 - target)


def burn_number(bad: int, total: int, target: Fraction) -> float | None:
    """Give the same as a float, rounded once: division of integers is. A third of the price of a fraction.

    >>> burn_number(1, 1000, Fraction("0.99"))
    0.1
    """
    whole = target.denominator
    return None if total == 0 else bad * whole / (total * (whole - target.numerator))


def limit(factor: Fraction, target: Fraction) -> Fraction:
    """Give the error ratio over which a burn rate is over `factor`."""
    return factor * (1 - target)


def ceiling(target: Fraction) -> Fraction:
    """Give the highest burn rate there can be: that of nothing but bad events."""
    return 1 / (1 - target)


def events_left(budget: Budget, burn: Fraction) -> Fraction | None:
    """Give how many events more spend a budget that grows with them, if they go on like this; None: it lasts.

    What is allowed of `total` + n events is (1 - target) times so many, and n of them fail `burn` times as often, so
    n = total x remaining / (burn - 1).

    >>> events_left(Budget(1000, 5, Fraction("0.99")), Fraction(3))
    Fraction(250, 1)
    """
    remaining = budget.remaining
    if remaining is None:
        return None
    if remaining <= 0:
        return Fraction(0)
    return budget.total * remaining / (burn - 1) if burn > 1 else None


def exhausted_in(remaining: Fraction, burn: Fraction, period_s: int) -> Fraction | None:
    """Give the seconds until nothing remains if it goes on like this; 0 when spent, None when it never happens.

    >>> exhausted_in(Fraction(2, 5), Fraction(6), 30 * 86_400) / 86_400
    Fraction(2, 1)
    """
    if remaining <= 0:
        return Fraction(0)
    return remaining * period_s / burn if burn > 0 else None
