"""The budget period of an SLO, from `timeWindow`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from flyball.config.problems import suggestion
from models.slos.spec import MAX_WINDOW_S, Calendar, Rolling, Unit

if TYPE_CHECKING:
    from flyball.openslo.kinds import Shorthand
    from flyball.openslo.schema import CalendarSpec, TimeWindow
    from flyball.openslo.spot import Spot

MAX_DAYS = MAX_WINDOW_S // 86_400
UNITS = {"d": Unit.DAY, "w": Unit.WEEK, "M": Unit.MONTH, "Q": Unit.QUARTER, "Y": Unit.YEAR}
ROLLING_DAYS = {"M": 30, "Q": 90, "Y": 365}
"""Days that a month, a quarter, a year have where no calendar says it."""

LONGEST_DAYS = {"d": 1, "w": 7, "M": 31, "Q": 92, "Y": 366}
"""Days of the longest unit of a calendar."""


YEARS = 1970, 2200
"""Of the start of a calendar. Moments long before or after have no time in every zone."""


def window_of(windows: tuple[TimeWindow, ...] | None, spot: Spot) -> Rolling | Calendar | None:
    """Read the one window of an SLO; None when it is wrong, which is told."""
    if windows is None:
        return None
    if len(windows) != 1:
        spot.wrong(f"{len(windows)} time windows", "exactly one")
        return None
    (window,), here = windows, spot.at(0)
    calendar = _is_calendar(window, here)
    if calendar is None or window.duration is None:
        return None
    if calendar:
        return _calendar(window.duration, window.calendar, here)
    return _rolling(window.duration, here.at("duration"))


def _is_calendar(window: TimeWindow, here: Spot) -> bool | None:
    given = here.has("calendar")
    if window.isRolling and given:
        here.wrong("isRolling: true and a calendar", "one of them")
        return None
    if window.isRolling is False and not given:
        here.wrong("isRolling: false and no calendar", "a calendar with startTime and timeZone")
        return None
    return given


def _rolling(duration: Shorthand, here: Spot) -> Rolling | None:
    if duration.unit in ROLLING_DAYS:
        days = duration.number * ROLLING_DAYS[duration.unit]
        here.note(f"{duration} is {days} days, for it rolls and follows no calendar")
        seconds = days * 86_400
    else:
        seconds = duration.seconds or 0
    if not 0 < seconds <= MAX_WINDOW_S:
        here.wrong(str(duration), f"a period of 1m to {MAX_DAYS}d")
        return None
    return Rolling(seconds)


def _calendar(duration: Shorthand, calendar: CalendarSpec | None, here: Spot) -> Calendar | None:
    at = here.at("duration")
    zone = calendar.timeZone if calendar else None
    if zone and not _is_zone(zone):
        hint = suggestion(zone, available_timezones())
        here.at("calendar", "timeZone").wrong(f"'{zone}'", "an IANA time zone such as Europe/Berlin", hint)
        zone = None
    if duration.unit not in UNITS or not duration.number:
        at.wrong(str(duration), f"whole days, weeks or months of a calendar (d, w, M ...), at most {MAX_DAYS} days")
        return None
    longest = duration.number * LONGEST_DAYS[duration.unit]
    if longest > MAX_DAYS:
        at.wrong(str(duration), f"a period of at most {MAX_DAYS} days", f"it can have {longest}")
        return None
    if calendar is None or calendar.startTime is None or zone is None:
        return None
    if not YEARS[0] <= int(calendar.startTime[:4]) <= YEARS[1]:
        here.at("calendar", "startTime").wrong(calendar.startTime, f"a time from {YEARS[0]} to {YEARS[1]}")
        return None
    return Calendar(calendar.startTime, zone, duration.number, UNITS[duration.unit])


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
