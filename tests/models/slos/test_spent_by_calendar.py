"""Who spent the budget of a calendar period: those of this period, not of the one before."""

from __future__ import annotations

from typing import Any

import pytest

from models.slos.spec import Action, Calendar, PolicyStep, Unit
from models.slos.table import SloTable
from models.times import nanoseconds
from tests.helpers.slo_events import DAY, HOUR, Row, events, slo

STEP = PolicyStep(50, (Action.NOTIFY,))


def unix(text: str) -> int:
    """Give a time as Unix seconds."""
    return nanoseconds(text) // 10**9


def told(zone: str, hours: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the last record and the evidence of the last budget step, so many hours into May, local time.

    In April v1 failed a lot; in May v2 fails a little.
    """
    begin = {"UTC": "2026-05-01T00:00:00Z", "Europe/Berlin": "2026-04-30T22:00:00Z"}[zone]
    may = unix(begin)
    month = Calendar("2026-01-01 00:00:00", zone, 1, Unit.MONTH)
    rows = [
        *(Row("s", may - 20 * DAY + 600 * n, bad=True, run=n, version="v1") for n in range(20 * 144)),
        *(Row("s", may + 60 * n, bad=n % 10 == 0, run=1_000 + n, version="v2") for n in range(60 * (hours - 1))),
    ]
    table = SloTable([slo("s", "0.9", month, rules=(), policy=(STEP,))])
    table.apply(events(rows))
    judged = table.look(may + hours * HOUR)
    steps = [each.evidence for each in judged.incidents if each.class_ == "slo.budget" and each.status == "open"]
    return judged.slos[-1], steps[-1]


@pytest.mark.parametrize(("zone", "hours"), [("UTC", 3), ("UTC", 20), ("UTC", 60), ("Europe/Berlin", 20)])
def test_who_failed_last_month_has_spent_nothing_of_this_one(zone: str, hours: int) -> None:
    """Three hours, twenty and sixty into the month: those named, and the bad that they had, are of this month."""
    record, step = told(zone, hours)
    by = {each["value"]: (each["bad"], each["total"]) for each in record["spent_by"] if each["dimension"] == "version"}
    assert by == {"v2": (record["bad"], record["total"])}
    named = {each["value"] for each in step["contributors"] if each["dimension"] == "version"}
    assert named == {"v2"}


def test_with_days_that_begin_elsewhere_the_nearest_are_taken() -> None:
    """Sixty hours into the month in Berlin, which began two hours before a day of UTC: no more than there was."""
    record, _ = told("Europe/Berlin", 60)
    (by,) = [each for each in record["spent_by"] if each["dimension"] == "version"]
    assert by["value"] == "v2"
    assert record["bad"] - 12 <= by["bad"] <= record["bad"]
