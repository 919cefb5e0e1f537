"""Routing: which sinks are told of a page, and when."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from alerts.grouping import DEFAULT_GROUP_BY
from models.incidents.incident import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from alerts.page import Page

STDOUT = "stdout"
"""The sink that is always there, for pages that no route matches."""

WAY = "route"
"""What a group has beside its fields where routes part it."""

MINUTE_NS = 60 * 10**9
_MOST_PERIODS = 30


@dataclass(frozen=True)
class Match:
    """What a page must be. Each field is a list of accepted values, as globs (`safety.*`); an empty one accepts all."""

    severity: tuple[str, ...] = ()
    class_: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    workflow: tuple[str, ...] = ()
    tenant: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def holds(self, page: Page) -> bool:
        """Tell whether a page is so."""
        pairs = (
            (self.severity, page.severity),
            (self.class_, page.class_),
            (self.owner, page.owner),
            (self.workflow, page.workflow or ""),
            (self.tenant, page.tenant or ""),
            *(((glob,), page.labels.get(name, "")) for name, glob in self.labels.items()),
        )
        return all(not globs or any(fnmatchcase(value, glob) for glob in globs) for globs, value in pairs)

    @property
    def asks(self) -> set[str]:
        """Name the fields that it looks at; the severity is none, as it is not what a page is grouped by."""
        fields = {"class": self.class_, "owner": self.owner, "workflow": self.workflow, "tenant": self.tenant}
        return {name for name, globs in (fields | {"labels": self.labels}).items() if globs}


@dataclass(frozen=True)
class Quiet:
    """Hours in which SEV-2 and SEV-3 wait: on these weekdays (0 is Monday), from a minute of the day up to another.

    `to` at or before `from_` is on the next day. Wall clock of `zone`.
    """

    days: frozenset[int]
    from_: int
    to: int
    zone: ZoneInfo

    def end(self, now_ns: int) -> int | None:
        """Tell when the quiet hours that a moment (Unix ns) lies in end; None outside of them."""
        now = datetime.fromtimestamp(now_ns // 10**9, UTC)
        today = now.astimezone(self.zone).date()
        for day in (today - timedelta(days=1), today):
            if day.weekday() in self.days:
                last = day if self.to > self.from_ else day + timedelta(days=1)
                begins, ends = self._moment(day, self.from_), self._moment(last, self.to)
                if begins <= now < ends:
                    return int(ends.timestamp()) * 10**9
        return None

    def _moment(self, day: date, minute: int) -> datetime:
        """Give a wall clock time as a moment; one that a change of the clocks leaves out is that much later."""
        day += timedelta(days=minute // 1440)
        local = datetime.combine(day, time(minute % 1440 // 60, minute % 60), self.zone)
        return local.astimezone(UTC)


@dataclass(frozen=True)
class Route:
    """Pages that match go to these sinks; `goes_on`: later routes are looked at too."""

    name: str
    sinks: tuple[str, ...]
    match: Match = field(default_factory=Match)
    goes_on: bool = False
    quiet: tuple[Quiet, ...] = ()

    def hold(self, page: Page, now_ns: int) -> int:
        """Tell until when a page waits, Unix ns; now for SEV-1, always."""
        until = now_ns
        if page.rank == 1:
            return until
        for _ in range(_MOST_PERIODS):  # one period may begin where another ends
            ends = max((end for quiet in self.quiet if (end := quiet.end(until)) is not None), default=None)
            if ends is None:
                break
            until = ends
        return until


@dataclass(frozen=True)
class Routing:
    """All routes, in order, and how incidents are grouped."""

    routes: Sequence[Route] = ()
    group_by: tuple[str, ...] = DEFAULT_GROUP_BY
    update_ns: int = MINUTE_NS
    """An open page that changes is told again at most this often."""
    steady: frozenset[str] = frozenset()
    """Sinks that must hear of an open page again and again."""

    def holds(self, page: Page, now_ns: int) -> tuple[dict[str, int], bool]:
        """Give the sinks of a page, each with the time before which it is not told; False: no route, so stdout."""
        found: dict[str, int] = {}
        taken = self._taken(page)
        for route in taken:
            until = route.hold(page, now_ns)
            found |= {sink: min(until, found.get(sink, until)) for sink in route.sinks}
        return (found, True) if taken else ({STDOUT: now_ns}, False)

    def apart(self, page: Page) -> dict[str, str]:
        """Give what parts a page from those of its group that go other ways: nothing where the group decides the way.

        A page has one way, that of its first incident: one that other people are to hear of must not be counted into
        it. A way is the routes at each severity, for a page may get worse; routes with the same sinks and quiet hours
        are the same, and have the name of the first of them.
        """
        if set().union(*(route.match.asks for route in self.routes)) <= page.group.keys():
            return {}
        ways = [self._way(replace(page, severity=severity)) for severity in Severity]
        return {WAY: ways[0] if len(set(ways)) == 1 else "/".join(ways)}

    def _taken(self, page: Page) -> list[Route]:
        """Give the routes of a page, in order."""
        taken = []
        for route in self.routes:
            if route.match.holds(page):
                taken.append(route)
                if not route.goes_on:
                    break
        return taken

    def _way(self, page: Page) -> str:
        alike: dict[object, str] = {}
        for route in self.routes:
            alike.setdefault((frozenset(route.sinks), route.quiet), route.name)
        names = (alike[frozenset(route.sinks), route.quiet] for route in self._taken(page))
        return ",".join(dict.fromkeys(names)) or STDOUT

    def hold(self, sink: str, page: Page, now_ns: int) -> int:
        """Tell until when one sink is not told of a page, Unix ns; now, where no route names it any more."""
        return self.holds(page, now_ns)[0].get(sink, now_ns)
