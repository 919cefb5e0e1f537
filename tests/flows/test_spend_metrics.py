"""Spend in Prometheus: what is spent in the day and month that it is, and how much of them has gone by."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from flows.metrics import Metrics
from models.spend.budget import Calendar
from models.spend.table import SpendTable
from tests.helpers.spend_runs import DAY, NANO, feed, pulse, run

LOS_ANGELES = ZoneInfo("America/Los_Angeles")


@pytest.mark.parametrize(
    ("at", "day", "month"),
    [
        ("2026-02-28T18:00", 18 / 24, 27.75 / 28),  # in UTC it is March
        ("2026-03-01T00:00:10", 60 / 86_400, 60 / (30 * 86_400 + 23 * 3600)),  # the first minute; clocks go forward
        ("2026-03-08T12:00", 11 / 23, (7 * 24 + 11) / (31 * 24 - 1)),
    ],
)
def test_what_has_gone_by_is_by_the_time_zone_of_the_budgets(at: str, day: float, month: float) -> None:
    """A month's spend carried on by UTC would be hundreds of times too high while the month there has just begun."""
    now_s = int(datetime.fromisoformat(at).replace(tzinfo=LOS_ANGELES).timestamp())
    metrics = Metrics(lambda: now_s * NANO)
    for shard in ("a", "b"):
        metrics.watch_spend(shard, SpendTable((), Calendar(LOS_ANGELES)))
    found = {
        sample.labels["period"]: sample.value
        for family in metrics.collect()
        for sample in family.samples
        if sample.name == "flyball_spend_period_elapsed_ratio"
    }
    assert found == pytest.approx({"day": day, "month": month})


def test_what_has_no_price_has_no_series() -> None:
    """Beside a workflow that has: nothing known is not nothing spent."""
    metrics, spent = Metrics(lambda: DAY * NANO), SpendTable((), Calendar(ZoneInfo("UTC")))
    metrics.watch_spend("a", spent)
    feed(spent, pulse(None, run(0, workflow=2, tokens=900)), pulse(None, run(5 * NANO)))
    found = [
        (sample.labels["level"], sample.labels["workflow"], sample.value)
        for family in metrics.collect()
        for sample in family.samples
        if sample.name == "flyball_spend_usd" and sample.labels["period"] == "day"
    ]
    assert sorted(found) == [("product", "", 5.0), ("workflow", "air", 5.0)]
