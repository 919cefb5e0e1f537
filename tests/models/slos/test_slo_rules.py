"""Burn rate rules: the tables against their sources, and the rescaling worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from models.slos.rules import fit, from_table, nominal_s, table_for
from models.slos.spec import BurnRule, Calendar, Rolling, Unit
from models.slos.tables import Table, show_window, tables

HOUR, DAY = 3600, 86_400
Shape = tuple[str, str, int, int]

SOURCES = {
    "google-30d": [("page-fast", "14.4", 60, 5), ("page-slow", "6", 360, 30), ("ticket-fast", "3", 1440, 120),
                   ("ticket-slow", "1", 4320, 360)],
    "google-28d": [("page-fast", "13.44", 60, 5), ("page-slow", "5.6", 360, 30), ("ticket-fast", "2.8", 1440, 120),
                   ("ticket-slow", "14/15", 4320, 360)],
    "google-7d": [("page-fast", "13.44", 60, 5), ("page-slow", "3.5", 360, 30), ("ticket-fast", "1.4", 1440, 120),
                  ("ticket-slow", "0.98", 4320, 360)],
}  # fmt: skip
"""Name, factor, long and short window in minutes, as the sources have them."""

RESCALED = {
    # ceilings 1000, 100, 20: all four can fire
    "0.999": {},
    "0.99": {},
    "0.95": {},
    # ceiling 100/7 = 14.29 <= 14.4: factor 50/7; long 864/(50/7) = 120.96 -> 121 min; short 121/12 = 10.08 -> 11
    "0.93": {"page-fast": ("50/7", 121, 11)},
    # ceiling 10: factor 5; long 864/5 = 172.8 -> 173 min; short 173/12 = 14.4 -> 15
    "0.90": {"page-fast": ("5", 173, 15)},
    # ceiling 20/3 = 6.67: factor 10/3; long 864/(10/3) = 259.2 -> 260 min; short 260/12 = 21.67 -> 22
    "0.85": {"page-fast": ("10/3", 260, 22)},
    # ceiling 5: factor 2.5; long 864/2.5 = 345.6 -> 346, short 28.8 -> 29; 6x: 2160/2.5 = 864, short 72
    "0.80": {"page-fast": ("5/2", 346, 29), "page-slow": ("5/2", 864, 72)},
}


def shapes(rules: tuple[BurnRule, ...]) -> dict[str, tuple[Fraction, int, int]]:
    """Give factor and windows (minutes) by name."""
    return {rule.name: (rule.factor, rule.long_s // 60, (rule.short_s or 0) // 60) for rule in rules}


@pytest.mark.parametrize("name", SOURCES)
def test_tables_say_what_their_sources_say(name: str) -> None:
    """Each table has the factors and windows of its source, and each factor is budget x period / long, exactly."""
    table = tables()[name]
    found = [(row.name, row.factor, row.long_s // 60, row.short_s // 60) for row in table.rows]
    assert found == [(each, Fraction(factor), long, short) for each, factor, long, short in SOURCES[name]]
    assert [row.page for row in table.rows] == [True, True, False, False]
    assert [row.factor for row in table.rows] == [row.budget * table.period_s / row.long_s for row in table.rows]
    assert shapes(from_table(table, table.period_s, 0.95)) == {
        each: (Fraction(factor), long, short) for each, factor, long, short in SOURCES[name]
    }


@pytest.mark.parametrize("target", RESCALED)
def test_rules_that_could_never_fire_are_rescaled(target: str) -> None:
    """At each target of the table of ceilings exactly the rules marked "never" change, to the numbers worked out."""
    fitted = fit(from_table(tables()["google-30d"], 30 * DAY, 0.95), Fraction(target), 30 * DAY)
    expected = {name: (Fraction(factor), long, short) for name, factor, long, short in SOURCES["google-30d"]}
    expected |= {name: (Fraction(f), long, short) for name, (f, long, short) in RESCALED[target].items()}
    assert shapes(fitted.rules) == expected
    assert {rule.name for rule in fitted.rules if rule.rescaled} == set(RESCALED[target])
    assert fitted.dropped == ()
    assert all(rule.factor < 1 / (1 - Fraction(target)) for rule in fitted.rules)


def test_a_rescaled_rule_says_so() -> None:
    """The words name the ceiling, the rule as it was, as it is, and the share of the budget that it still means."""
    rule = fit(from_table(tables()["google-30d"], 30 * DAY, 0.95), Fraction("0.9"), 30 * DAY).rules[0]
    assert rule.rescaled == (
        "no burn rate is over 10 at a target of 0.9, so 14.4x over 1h/5m could never fire; "
        "it is 5x over 2h53m/15m, which spends the same 2 % of the budget"
    )


def test_a_factor_on_the_ceiling_is_rescaled() -> None:
    """The comparison with the factor is strict, so a factor equal to the ceiling cannot fire; just below it can."""
    on, below = (BurnRule("r", Fraction(factor), HOUR, None, page=True) for factor in ("20", "19.999"))
    assert shapes(fit([on], Fraction("0.95"), 30 * DAY).rules) == {"r": (Fraction(10), 120, 0)}
    assert fit([below], Fraction("0.95"), 30 * DAY).rules == (below,)


def test_rules_are_in_order_of_haste_however_they_are_written() -> None:
    """Pages first, and of these the one that fires when least is spent, though a slower one has a higher factor."""
    slow = BurnRule("slow", Fraction(6), 6 * HOUR, 1800, page=True)
    fast = BurnRule("fast", Fraction("14.4"), HOUR, 300, page=True)
    ticket = BurnRule("ticket", Fraction(20), 60, None, page=False)
    for target, factor in (("0.99", Fraction("14.4")), ("0.9", Fraction(5))):
        rules = fit([ticket, slow, fast], Fraction(target), 30 * DAY).rules
        assert [rule.name for rule in rules] == ["fast", "slow", "ticket"]
        assert rules[0].factor == factor


def test_a_target_of_zero_has_rules() -> None:
    """At target 0 the ceiling is 1: 14.4x over 1h is half over 864 / 0.5 = 1728 min, 6x over 2160 / 0.5 = 4320 min."""
    fitted = fit(from_table(tables()["google-30d"], 30 * DAY, 0.95), Fraction(0), 30 * DAY)
    half = Fraction(1, 2)
    assert shapes(fitted.rules) == {
        "page-fast": (half, 1728, 144),
        "page-slow": (half, 4320, 360),
        "ticket-fast": (half, 8640, 720),
    }
    assert fitted.dropped == ("the rule ticket-slow is left out: it is the same as ticket-fast",)


def test_another_period_takes_the_shares_of_thirty_days() -> None:
    """90 days: 2 % of it in 1 h is 0.02 x 2160 = 43.2x; 5 % in 6 h is 18x; 10 % in 1 d 9x; 10 % in 3 d 3x."""
    assert table_for(90 * DAY).name == "google-30d"
    factors = [rule.factor for rule in from_table(table_for(90 * DAY), 90 * DAY, 0.95)]
    assert factors == [Fraction("43.2"), 18, 9, 3]


def test_windows_never_exceed_the_period() -> None:
    """Over 2 days the three-day rule is left out and said so; a window as long as the period stays."""
    fitted = fit(from_table(table_for(2 * DAY), 2 * DAY, 0.95), Fraction("0.99"), 2 * DAY)
    assert [rule.name for rule in fitted.rules] == ["page-fast", "page-slow", "ticket-fast"]
    assert fitted.dropped == ("the rule ticket-slow is left out: its window 3d is longer than the period 2d",)
    whole = BurnRule("whole", Fraction(1), DAY, None, page=False)
    assert fit([whole], Fraction("0.9"), DAY).rules == (whole,)


def test_windows_hold_at_least_a_slice() -> None:
    """With slices of 10 minutes the short window of 5 minutes is 10, and says so."""
    rule = fit(from_table(tables()["google-30d"], 30 * DAY, 0.95), Fraction("0.99"), 30 * DAY, 600).rules[0]
    assert (rule.long_s, rule.short_s) == (HOUR, 600)
    assert rule.rescaled == "a slice lasts 10m, so 14.4x over 1h/5m is 14.4x over 1h/10m"


@pytest.mark.parametrize(
    ("window", "table"),
    [
        (Rolling(30 * DAY), "google-30d"),
        (Rolling(28 * DAY), "google-28d"),
        (Rolling(7 * DAY), "google-7d"),
        (Calendar("2026-01-01 00:00:00", "UTC", 1, Unit.MONTH), "google-30d"),
        (Calendar("2026-01-05 00:00:00", "UTC", 4, Unit.WEEK), "google-28d"),
        (Rolling(14 * DAY), "google-30d"),
    ],
)
def test_the_table_fits_the_period(window: Rolling | Calendar, table: str) -> None:
    """A period of 30, 28 or 7 days has its own table; a calendar month counts as 30 days."""
    found: Table = table_for(nominal_s(window))
    assert found.name == table


@pytest.mark.parametrize(("seconds", "text"), [(300, "5m"), (10_380, "2h53m"), (259_200, "3d"), (0, "0m")])
def test_windows_are_written_as_people_do(seconds: int, text: str) -> None:
    """Days, hours and minutes, each where it is not zero."""
    assert show_window(seconds) == text
