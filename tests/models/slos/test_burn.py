"""Burn rates and budgets: numbers computed by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from models.slos.burn import Budget, burn_rate, ceiling, exhausted_in, limit

DAY = 86_400


@pytest.mark.parametrize(
    ("total", "bad", "target", "used"),
    [
        (1000, 1, "0.99", "0.1"),
        (200, 10, "0.95", "1"),
        (200, 11, "0.95", "1.1"),
        (1002, 11, "0.95", Fraction(220, 1002)),  # a busy and a quiet bucket weigh by their events
        (1000, 10, "0.99", "1"),  # of two partitions with 5 of 305 and 5 of 695
        (30_000, 200, "0.99", Fraction(2, 3)),  # one peak hour of 200 bad runs at 1000 runs a day
    ],
)
def test_used_and_remaining(total: int, bad: int, target: str, used: str | Fraction) -> None:
    """The share used is the burn rate of the period; what remains goes below zero and is not cut off."""
    budget = Budget(total, bad, Fraction(target))
    assert (budget.used, budget.remaining) == (Fraction(used), 1 - Fraction(used))
    assert burn_rate(bad, total, Fraction(target)) == budget.used


@pytest.mark.parametrize("target", ["0", "0.5", "0.999"])
def test_no_events_are_no_number(target: str) -> None:
    """A ratio of nothing is neither healthy nor failed."""
    assert burn_rate(0, 0, Fraction(target)) is None
    budget = Budget(0, 0, Fraction(target))
    assert (budget.used, budget.remaining) == (None, None)


@pytest.mark.parametrize(
    ("target", "burn", "share"), [("0.999", 100, 13.9), ("0.99", 10, 1.39), ("0.95", 2, 0.278), ("0.90", 1, 0.139)]
)
def test_one_failure_at_ten_runs_an_hour(target: str, burn: int, share: float) -> None:
    """One failure burns an hour that fast, and takes so many percent of 30 days."""
    assert burn_rate(1, 10, Fraction(target)) == burn
    used = Budget(10 * 720, 1, Fraction(target)).used
    assert used is not None
    assert 100 * float(used) == pytest.approx(share, rel=3e-3)


@pytest.mark.parametrize(
    ("target", "highest", "fast"), [("0.999", 1000, True), ("0.95", 20, True), ("0.93", Fraction(100, 7), False)]
)
def test_ceiling(target: str, highest: int | Fraction, *, fast: bool) -> None:
    """No burn rate is over 1 / (1 - target): at 93 % a factor of 14.4 can never be reached."""
    assert ceiling(Fraction(target)) == highest
    assert (ceiling(Fraction(target)) > Fraction("14.4")) is fast
    assert (limit(Fraction("14.4"), Fraction(target)) < 1) is fast


def test_forecast() -> None:
    """With 40 % left and a burn of 6, 30 days of budget last two days; what is spent is spent, what rests lasts."""
    assert exhausted_in(Fraction(2, 5), Fraction(6), 30 * DAY) == 2 * DAY
    assert exhausted_in(Fraction(1), Fraction(100), 30 * DAY) == Fraction(30 * DAY, 100)
    assert exhausted_in(Fraction(-1, 10), Fraction(0), 30 * DAY) == 0
    assert exhausted_in(Fraction(1), Fraction(0), 30 * DAY) is None
