"""Period: since when a budget is counted. Rolling ones are windows; those of a calendar begin at set moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from models.slos.spec import Calendar, Unit

if TYPE_CHECKING:
    from models.slos.spec import Rolling

_MONTHS = {Unit.MONTH: 1, Unit.QUARTER: 3, Unit.YEAR: 12}
_DAYS = {Unit.DAY: 1, Unit.WEEK: 7}
_FORM = "%Y-%m-%d %H:%M:%S"


def period_s(window: Rolling | Calendar, now: int) -> int:
    """Give the length in seconds of the period that `now` (Unix seconds) lies in."""
    if isinstance(window, Calendar):
        begin, end = bounds(window, now)
        return end - begin
    return window.seconds


def bounds(calendar: Calendar, now: int) -> tuple[int, int]:
    """Give the period [begin, end) in Unix seconds that `now` lies in; before the first one: the first.

    Periods begin at the wall clock time of `start` in its zone, so one may be an hour longer or shorter where clocks
    change. A month that has no such day (31) begins at its last.
    """
    zone = ZoneInfo(calendar.zone)
    start = datetime.strptime(calendar.start, _FORM).replace(tzinfo=zone)
    local = datetime.fromtimestamp(now, UTC).astimezone(zone)
    index = max(0, _elapsed(calendar, start, local))
    while index and _nth(calendar, start, index) > now:
        index -= 1
    while _nth(calendar, start, index + 1) <= now:
        index += 1
    return _nth(calendar, start, index), _nth(calendar, start, index + 1)


def _elapsed(calendar: Calendar, start: datetime, local: datetime) -> int:
    """Give about how many periods have passed; at most one wrong."""
    if calendar.unit in _DAYS:
        return (local.date() - start.date()).days // (_DAYS[calendar.unit] * calendar.count)
    months = 12 * (local.year - start.year) + local.month - start.month
    return months // (_MONTHS[calendar.unit] * calendar.count)


def _nth(calendar: Calendar, start: datetime, index: int) -> int:
    """Give when period `index` begins, Unix seconds."""
    if calendar.unit in _DAYS:
        moment = start + timedelta(days=index * calendar.count * _DAYS[calendar.unit])  # wall clock: days may have 23 h
    else:
        month = start.month - 1 + index * calendar.count * _MONTHS[calendar.unit]
        year = start.year + month // 12
        first = start.replace(year=year, month=month % 12 + 1, day=1)
        moment = first.replace(day=min(start.day, _days_of(first)))
    return int(moment.timestamp())


def _days_of(first: datetime) -> int:
    return ((first + timedelta(days=32)).replace(day=1) - timedelta(days=1)).day
