"""Figures in words never say what is not so: that all is well, that nothing was spent, or 3.75012e+06."""

from __future__ import annotations

import pytest

from models.figures import about, number, percent, usd, written
from models.runaways import RULES
from models.spend.budget import Budget
from models.spend.words import facts_of


@pytest.mark.parametrize(
    ("ratio", "digits", "text"),
    [
        (0.0, 1, "0.0"),
        (1.0, 1, "100.0"),
        (0.9, 1, "90.0"),
        (0.123, 0, "12"),
        (0.9996, 1, "99.96"),  # .1f makes 100.0 of it
        (0.996, 0, "99.6"),
        (0.99996, 0, "99.996"),
        (0.0004, 1, "0.04"),
        (0.0000213, 1, "0.002"),
        (-0.0004, 1, "-0.04"),  # never -0.0
        (-0.0, 1, "0.0"),
        (1.0004, 0, "100.04"),
        (7.49, 0, "749"),
        (1 - 1e-12, 1, "100.0"),  # the last bits of a float
    ],
)
def test_what_is_not_all_is_not_100_percent(ratio: float, digits: int, text: str) -> None:
    """And what is not nothing is not 0 %."""
    assert percent(ratio, digits) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.00"), (1.05, "1.05"), (101.859, "101.86"), (0.5, "0.50"), (0.0031, "0.0031"), (1e-7, "0.00000010")],
)
def test_small_money_is_not_nothing(amount: float, text: str) -> None:
    """Of less than ten cents two digits are told."""
    assert usd(amount) == text


def test_large_numbers_are_written_in_full() -> None:
    """As `:g` does not from a million on."""
    assert [number(value) for value in (3_750_123.0, 5_000_000, 50, 37.5)] == ["3,750,123", "5,000,000", "50", "37.5"]
    assert [about(value) for value in (12_345.0, 0.0012345, 4, 0, 0.5)] == ["12,300", "0.00123", "4", "0", "0.5"]
    assert about(23_110.4, 4) == "23,110"
    assert about(0.99995, 9) == "0.99995"


def test_texts_name_how_a_number_is_written() -> None:
    """Beside what `str.format` knows."""
    words = written(
        "{count:full} of {tool}, {cost:usd} USD, {times:.1f}", {"count": 1e6, "tool": "a", "cost": 0.004, "times": 2}
    )
    assert words == "1,000,000 of a, 0.0040 USD, 2.0"


def test_reasons_of_rules_tell_large_and_small_numbers_in_full() -> None:
    """What a page says of tokens and cents is what the evidence says."""
    said = {"count": 3_750_123.0, "limit": 5_000_000.0, "value": 0.0042, "p99": 0.0011}
    reasons = {rule.id: written(rule.reason, {**said, "tool": "t", "sequence": "s"}) for rule in RULES}
    assert reasons["cap.tokens"] == "3,750,123 tokens, the limit is 5,000,000"
    assert reasons["baseline.cost"].startswith("0.0042 USD")
    assert reasons["baseline.cost"].endswith("(0.0011)")
    assert not any("e+0" in reason for reason in reasons.values())


def test_budgets_of_less_than_a_cent_are_told() -> None:
    """A user who has spent 0.4 of 0.4 cents has not spent 0.00 of 0.00 USD."""
    budget = Budget("cents", "user", "day", 4_000_000)
    facts = facts_of(budget, ("user", "ann", None, "day", "2026-03-02"), (4_100_000, 10), budget.steps()[-1])
    assert facts.summary == "user ann: 0.0041 of 0.0040 USD spent this day, budget cents"
