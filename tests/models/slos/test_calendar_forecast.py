"""When the budget of a calendar period will be gone: as it is when it goes on like this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.slos.spec import Calendar, Unit
from models.slos.table import SloTable
from models.times import nanoseconds
from tests.helpers.slo_events import DAY, HOUR, Row, events, rule, slo

if TYPE_CHECKING:
    from collections.abc import Iterator

START = 20_500 * DAY
MONTH = slo("s", "0.9", Calendar("2026-02-16 00:00:00", "UTC", 1, Unit.MONTH), rules=(rule("2", HOUR, 300),))


def traffic(fails: int, until: int) -> Iterator[Row]:
    """Give a run every ten seconds: one in twenty fails, and from ten o'clock on `fails` in ten."""
    for n, at in enumerate(range(0, until, 10)):
        yield Row("s", START + at, bad=n % 20 == 19 if at < 10 * HOUR else n % 10 < fails, run=n)


def records(fails: int, until: int) -> list[dict[str, Any]]:
    """Give the records of the SLO up to a second of the day."""
    table = SloTable([MONTH])
    table.apply(events(traffic(fails, until)))
    return table.follow(START + until).slos


def test_the_forecast_is_what_comes() -> None:
    """Three times as fast as allowed from ten o'clock on: at noon it says when, within a minute, and it is so."""
    told = records(3, 14 * HOUR)
    at_noon = next(each for each in told if each["at"] >= "2026-02-16T12:00:00")
    gone = next(each for each in told if each["at"] > at_noon["at"] and each["budget_used"] >= 1)
    assert at_noon["budget_used"] < 0.95
    assert abs(nanoseconds(at_noon["exhausts_at"]) - nanoseconds(gone["at"])) <= 120 * 10**9


def test_a_budget_that_lasts_has_no_forecast() -> None:
    """Runs that fail as often as is allowed spend nothing of what was saved."""
    told = [each for each in records(1, 14 * HOUR) if each["at"] >= "2026-02-16T12:00:00"]
    assert {each["exhausts_at"] for each in told} == {None}
