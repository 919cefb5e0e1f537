"""Calendar periods: boundaries by hand, in zones whose clocks change and whose offset is no whole hour."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.slos.period import bounds, period_s
from models.slos.spec import Calendar, Rolling, Unit

DAY, HOUR = 86_400, 3600


def unix(text: str) -> int:
    """Read "YYYY-MM-DD HH:MM" UTC."""
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp())


BERLIN, KOLKATA, LORD_HOWE, KATHMANDU = "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Kathmandu"
CASES = [  # now and begin in UTC, length in seconds
    ("UTC", "2026-01-01 00:00:00", 1, Unit.MONTH, "2026-02-10 12:00", "2026-02-01 00:00", 28 * DAY),
    (BERLIN, "2026-01-01 00:00:00", 1, Unit.MONTH, "2026-03-31 21:59", "2026-02-28 23:00", 31 * DAY - HOUR),
    (BERLIN, "2026-01-01 00:00:00", 1, Unit.MONTH, "2026-03-31 22:00", "2026-03-31 22:00", 30 * DAY),
    (BERLIN, "2026-01-01 00:00:00", 1, Unit.MONTH, "2026-10-05 00:00", "2026-09-30 22:00", 31 * DAY + HOUR),
    (BERLIN, "2026-03-28 02:30:00", 1, Unit.DAY, "2026-03-28 20:00", "2026-03-28 01:30", DAY),  # to 03:30, for want of
    (BERLIN, "2026-03-28 02:30:00", 1, Unit.DAY, "2026-03-29 20:00", "2026-03-29 01:30", DAY - HOUR),  # 02:30
    (KOLKATA, "2026-01-01 00:00:00", 1, Unit.DAY, "2026-05-05 18:29", "2026-05-04 18:30", DAY),
    (KOLKATA, "2026-01-01 00:00:00", 1, Unit.DAY, "2026-05-05 18:30", "2026-05-05 18:30", DAY),
    (KATHMANDU, "2026-01-05 09:00:00", 2, Unit.WEEK, "2026-01-19 03:15", "2026-01-19 03:15", 14 * DAY),
    (KATHMANDU, "2026-01-05 09:00:00", 2, Unit.WEEK, "2026-01-19 03:14", "2026-01-05 03:15", 14 * DAY),
    (LORD_HOWE, "2026-01-01 00:00:00", 1, Unit.DAY, "2026-04-04 20:00", "2026-04-04 13:00", DAY + HOUR // 2),
    (LORD_HOWE, "2026-01-01 00:00:00", 1, Unit.DAY, "2026-10-03 20:00", "2026-10-03 13:30", DAY - HOUR // 2),
    ("UTC", "2026-01-31 08:00:00", 1, Unit.MONTH, "2026-03-01 00:00", "2026-02-28 08:00", 31 * DAY),
    ("UTC", "2026-01-31 08:00:00", 1, Unit.MONTH, "2026-03-31 08:00", "2026-03-31 08:00", 30 * DAY),
    ("UTC", "2026-01-31 08:00:00", 1, Unit.MONTH, "2026-03-31 07:59", "2026-02-28 08:00", 31 * DAY),
    ("UTC", "2024-02-29 00:00:00", 1, Unit.YEAR, "2027-03-01 00:00", "2027-02-28 00:00", 366 * DAY),
    ("UTC", "2025-11-01 00:00:00", 1, Unit.QUARTER, "2026-04-30 23:59", "2026-02-01 00:00", 89 * DAY),
    ("UTC", "2026-01-01 00:00:00", 3, Unit.DAY, "2026-01-06 23:59", "2026-01-04 00:00", 3 * DAY),
    ("UTC", "2027-01-01 00:00:00", 1, Unit.MONTH, "2026-06-01 00:00", "2027-01-01 00:00", 31 * DAY),  # not begun yet
]


@pytest.mark.parametrize(("zone", "start", "count", "unit", "now", "begin", "length"), CASES)
def test_bounds(zone: str, start: str, count: int, unit: Unit, now: str, begin: str, length: int) -> None:
    """The period around a moment, to the second."""
    calendar = Calendar(start, zone, count, unit)
    assert bounds(calendar, unix(now)) == (unix(begin), unix(begin) + length)
    assert period_s(calendar, unix(now)) == length


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["UTC", BERLIN, KOLKATA, KATHMANDU, LORD_HOWE, "America/St_Johns", "Pacific/Apia"]),
    st.sampled_from(["2026-01-01 00:00:00", "2025-12-31 23:30:00", "2026-05-30 01:15:00"]),
    st.integers(1, 4),
    st.sampled_from(list(Unit)),
    st.integers(0, 8 * 365 * DAY),
)
def test_periods_follow_one_another(zone: str, start: str, count: int, unit: Unit, after: int) -> None:
    """Every moment lies in just one period, the next begins where it ends, each at the same time by the clock."""
    calendar = Calendar(start, zone, count, unit)
    local = datetime.strptime(start, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZoneInfo(zone))
    now = int(local.timestamp()) + after
    begin, end = bounds(calendar, now)
    assert begin <= now < end
    assert bounds(calendar, begin) == bounds(calendar, end - 1) == (begin, end)
    assert bounds(calendar, end)[0] == end
    assert datetime.fromtimestamp(begin, ZoneInfo(zone)).time() == local.time()


def test_rolling_periods_have_their_length() -> None:
    """A rolling window is as long as it says, whenever."""
    assert period_s(Rolling(12_345), 99) == 12_345
