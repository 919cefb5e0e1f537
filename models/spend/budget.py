"""Budget: what each of a kind may spend in a period, and which periods there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from models.spend.rows import QUARTER_S
from models.verdicts import Action

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

PeriodKind = Literal["day", "month"]
PERIODS: tuple[PeriodKind, ...] = ("day", "month")
TOLD_AT = (0.5, 0.75)
"""Shares at which people are told."""
_MINUTE_S = 60


class Step(NamedTuple):
    """At `nano` USD `action` is asked for; `percent` is of the limit."""

    nano: int
    percent: int
    action: Action


@dataclass(frozen=True)
class Budget:
    """`limit` and `hard` are nano-USD; `id`, `tenant`, `tier` narrow whom it is for, None: all of the level."""

    name: str
    level: str
    period: PeriodKind
    limit: int
    hard: int | None = None
    id: str | None = None
    tenant: str | None = None
    tier: str | None = None

    @property
    def version(self) -> str:
        """Name the budget as it is: with another limit it is another one, whose steps are told anew."""
        return f"{self.name}\x1f{self.limit}\x1f{self.hard or ''}"

    def fits(self, level: str, id_: str, tenant: str | None, tier: str | None) -> bool:
        """Say whether it is one of this scope."""
        wanted = (self.id, id_), (self.tenant, tenant), (self.tier, tier)
        return self.level == level and all(said is None or said == found for said, found in wanted)

    def steps(self) -> list[Step]:
        """Give what happens on the way up, the smallest first."""
        told = [Step(int(self.limit * share), int(share * 100), Action.WARN) for share in TOLD_AT]
        steps = [*told, Step(self.limit, 100, Action.THROTTLE)]
        if self.hard is not None:
            steps.append(Step(self.hard, 100 * self.hard // max(self.limit, 1), Action.KILL))
        return steps


def following(period: PeriodKind, start: date) -> date:
    """Give the first day of the period after the one that begins at `start`."""
    return start + timedelta(days=1) if period == "day" else (start + timedelta(days=31)).replace(day=1)


class Calendar:
    """Days and months of one time zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._starts: dict[int, tuple[str, ...]] = {}
        self._spans: dict[tuple[PeriodKind, date], tuple[float, float]] = {}

    def starts(self, quarter: int) -> tuple[str, ...]:
        """Give the first days, ISO, of the periods that a quarter of an hour lies in, as in PERIODS."""
        found = self._starts.get(quarter)
        if found is None:
            if len(self._starts) > 100_000:  # noqa: PLR2004 - three years
                self._starts.clear()
            day = datetime.fromtimestamp(quarter * QUARTER_S, UTC).astimezone(self._zone).date()
            found = self._starts[quarter] = day.isoformat(), day.replace(day=1).isoformat()
        return found

    def elapsed(self, now_s: int) -> dict[PeriodKind, float]:
        """Give the share of the day and month that it is that has gone by; their first minute counts whole."""
        found: dict[PeriodKind, float] = {}
        for period, start in zip(PERIODS, self.starts(now_s // QUARTER_S), strict=True):
            begin, end = self.span_s(period, date.fromisoformat(start))
            found[period] = max(now_s - begin, _MINUTE_S) / (end - begin)
        return found

    def span_s(self, period: PeriodKind, start: date) -> tuple[float, float]:
        """Give begin and end of a period, Unix seconds."""
        found = self._spans.get((period, start))
        if found is not None:
            return found
        days = start, following(period, start)
        begin, end = (datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp() for day in days)
        self._spans[period, start] = begin, end
        return begin, end
