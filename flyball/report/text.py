"""Numbers as people read them."""

from __future__ import annotations

from datetime import datetime

from models import figures

NOTHING = "–"  # noqa: RUF001 -- a dash on purpose: nothing is known, which is not 0
_MINUTE, _HOUR = 60, 3600


def percent(part: int, whole: int) -> str:
    """Write a share; nothing when there is no whole."""
    return f"{figures.percent(part / whole)} %" if whole else NOTHING


def span(seconds: float | None) -> str:
    """Write a length of time to about three digits."""
    if seconds is None:
        return NOTHING
    if seconds < 9.95:  # noqa: PLR2004 -- what rounds to 10.0
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02d}s"
    return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02d}m"


def dollars(usd: float | None) -> str:
    """Write money: cents from a dollar on, below it two digits that count."""
    if usd is None:
        return NOTHING
    if usd >= 1 or usd == 0:
        return f"${usd:,.2f}"
    return f"${usd:.4f}" if usd >= 0.001 else f"${usd:.2g}"  # noqa: PLR2004 -- a tenth of a cent


def count(number: float | None) -> str:
    """Write a whole number, thousands apart."""
    return NOTHING if number is None else f"{number:,.0f}"


def runs_of(number: int) -> str:
    """Write a number of runs."""
    return f"{count(number)} run{'s' if number != 1 else ''}"


def period(first_at: str | None, last_at: str | None) -> str:
    """Write from when to when; both are RFC 3339 in UTC."""
    if not first_at or not last_at:
        return "nothing"
    first, last = datetime.fromisoformat(first_at), datetime.fromisoformat(last_at)
    end = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f"{first:%Y-%m-%d %H:%M:%S} to {end} UTC, {span((last - first).total_seconds())}"
