"""Pager: incidents in, pages out, all inside one transaction of the store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alerts.grouping import begun, changed, group_of, key_of, page_key
from alerts.page import Page
from models.incidents.incident import Status

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from alerts.outbox import Outbox
    from alerts.routing import Routing
    from models.incidents.incident import Incident

_DAY_NS = 86_400 * 10**9


@dataclass
class _Touched:
    """A page as this transaction has it; `known` is the row number."""

    row: int
    page: Page
    told_ns: int
    told_rank: int
    """Of the state last told; 4: it was never told."""
    changed: bool = False


class Pager:
    """Keeps pages. `routing` may be replaced between transactions."""

    def __init__(self, outbox: Outbox, routing: Callable[[], Routing]) -> None:
        self._outbox = outbox
        self._routing = routing
        self.counted: Counter[tuple[str, str]] = Counter()
        """What happened: ("telling", outcome), ("page", severity), ("gave_way", severity), ("unrouted", "")."""

    def take(self, db: sqlite3.Connection, incidents: Sequence[Incident], now_ns: int) -> None:
        """Take tellings: pages that begin, end or get worse are told at once, others are marked for `tell_due`."""
        touched: dict[int, _Touched] = {}
        for incident in incidents:
            outcome = self._take_one(db, incident, touched, now_ns)
            self.counted["telling", outcome] += 1
        for each in (each for each in touched.values() if each.changed):
            urgent = not each.page.is_open or each.page.rank < each.told_rank
            # told later than now: the clock was set back
            lately = 0 <= now_ns - each.told_ns < self._routing().update_ns
            self._keep(db, each, now_ns, tell=urgent or not lately)

    def tell_due(self, db: sqlite3.Connection, now_ns: int, limit: int = 500) -> None:
        """Tell pages that have changed, and were last told long enough ago, or by a clock that was ahead."""
        before = now_ns - self._routing().update_ns
        rows = db.execute(
            "SELECT id, live, told_ns FROM pages WHERE dirty AND (told_ns <= ? OR told_ns > ?) LIMIT ?",
            (before, now_ns, limit),
        ).fetchall()
        for row, live, told_ns in rows:
            page = Page.load(live)
            self._keep(db, _Touched(row, page, told_ns, page.rank), now_ns, tell=True)

    def route_again(self, db: sqlite3.Connection, after: int, now_ns: int, limit: int = 200) -> int | None:
        """Have other routes hold for pages that were told by earlier ones: open ones, and what quiet hours hold.

        Begins after a row number, and gives the last one looked at; None: that was all.
        """
        rows = db.execute(
            "SELECT id, told FROM pages WHERE id > ? AND told IS NOT NULL AND (open OR id IN"
            " (SELECT page FROM outbox WHERE due_ns > ? AND set_ns IS NULL)) ORDER BY id LIMIT ?",
            (after, now_ns, limit),
        ).fetchall()
        routing = self._routing()
        for row, told in rows:
            page = Page.load(told)
            holds, _ = routing.holds(page, now_ns)
            for rank in self._outbox.reroute(db, row, page, holds, now_ns):
                self.counted["gave_way", f"SEV-{rank}"] += 1
        return rows[-1][0] if len(rows) == limit else None

    def acknowledge(self, db: sqlite3.Connection, key: str, by: str, now_ns: int) -> str | None:
        """Have sinks told that somebody has an open page in hand.

        `key` is the page's or that of an incident of it; gives the page's, None where none is open.
        """
        found = db.execute(
            "SELECT id FROM pages WHERE open AND (key = ? OR id = (SELECT page FROM incidents WHERE key = ?))",
            (key, key),
        ).fetchone()
        if found is None:
            return None
        each = self._touch(db, found[0], {})
        if each.page.acknowledged_by != by:
            each.page = replace(each.page, acknowledged_by=by, acknowledged_in=each.page.revision + 1)
            self._keep(db, each, now_ns, tell=True)
        return each.page.key

    def open_pages(self, db: sqlite3.Connection) -> list[Page]:
        """Give the open pages, the worst and oldest first."""
        pages = [Page.load(live) for (live,) in db.execute("SELECT live FROM pages WHERE open")]
        return sorted(pages, key=lambda page: (page.rank, page.opened_at, page.key))

    def next_due(self, db: sqlite3.Connection) -> int | None:
        """Tell when `tell_due` has something to tell, Unix ns."""
        (told_ns,) = db.execute("SELECT min(told_ns) FROM pages WHERE dirty").fetchone()
        return None if told_ns is None else int(told_ns) + self._routing().update_ns

    def forget(self, db: sqlite3.Connection, before_ns: int, limit: int = 1_000) -> None:
        """Forget pages that ended before a time and that no sink waits for, with their incidents."""
        rows = db.execute(
            "SELECT id FROM pages p WHERE ended_ns < ? AND NOT EXISTS (SELECT 1 FROM outbox o"
            " WHERE o.page = p.id AND (o.due_ns IS NOT NULL OR o.parked_ns IS NOT NULL)) LIMIT ?",
            (before_ns, limit),
        ).fetchall()
        for table, column in (("incidents", "page"), ("outbox", "page"), ("pages", "id")):
            db.executemany(f"DELETE FROM {table} WHERE {column} = ?", rows)  # noqa: S608 -- names of ours
        db.execute("DELETE FROM incidents WHERE page IS NULL AND heard_ns < ?", (before_ns,))

    def _take_one(self, db: sqlite3.Connection, incident: Incident, touched: dict[int, _Touched], now_ns: int) -> str:
        """Take one telling and say what it was."""
        is_open = incident.status is Status.OPEN
        known = db.execute("SELECT revision, open, page FROM incidents WHERE key = ?", (incident.key,)).fetchone()
        if known is not None and incident.revision <= known[0]:
            return "repeated"
        was_open, row = (bool(known[1]), known[2]) if known else (False, None)
        page = self._touch(db, row, touched) if row is not None else None
        if page is not None and page.page.is_open:
            page.page, page.changed = changed(page.page, incident, new=0, opened=is_open - was_open), True
            self._end_if_over(db, page, now_ns)
        elif is_open:
            row = self._join(db, incident, touched, again=known is not None)
        db.execute(
            "INSERT INTO incidents (key, revision, open, page, heard_ns) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key)"
            " DO UPDATE SET revision = excluded.revision, open = excluded.open, page = excluded.page,"
            " heard_ns = excluded.heard_ns",
            (incident.key, incident.revision, is_open, row, now_ns),
        )
        return "taken" if row is not None else "over_before_heard"

    def _join(self, db: sqlite3.Connection, incident: Incident, touched: dict[int, _Touched], *, again: bool) -> int:
        """Let an incident join the open page of its group, or begin one; gives the page's row number."""
        routing = self._routing()
        page = begun(incident, group_of(incident, routing.group_by), page_key(incident, again=again))
        page = replace(page, group=page.group | routing.apart(page))
        grp = key_of(page.group)
        found = db.execute("SELECT id FROM pages WHERE grp = ? AND open", (grp,)).fetchone()
        if found is not None:
            there = self._touch(db, found[0], touched)
            there.page, there.changed = changed(there.page, incident, new=1, opened=1), True
            return there.row
        inserted = db.execute("INSERT INTO pages (key, grp, open, live) VALUES (?, ?, 1, x'')", (page.key, grp))
        row = int(inserted.lastrowid or 0)
        touched[row] = _Touched(row, page, 0, 4, changed=True)
        return row

    def _touch(self, db: sqlite3.Connection, row: int, touched: dict[int, _Touched]) -> _Touched:
        if row not in touched:
            live, told, told_ns = db.execute("SELECT live, told, told_ns FROM pages WHERE id = ?", (row,)).fetchone()
            rank = Page.load(told).rank if told else 4
            touched[row] = _Touched(row, Page.load(live), told_ns, rank)
        return touched[row]

    def _end_if_over(self, db: sqlite3.Connection, each: _Touched, now_ns: int) -> None:
        """Free the group of a page that has ended, so that the next incident begins another."""
        if not each.page.is_open:
            db.execute("UPDATE pages SET open = 0, ended_ns = ? WHERE id = ?", (now_ns, each.row))

    def _keep(self, db: sqlite3.Connection, each: _Touched, now_ns: int, *, tell: bool) -> None:
        """Write a page back; tell it to the sinks of its routes where that is due."""
        if not tell:
            db.execute("UPDATE pages SET live = ?, dirty = 1 WHERE id = ?", (each.page.dump(), each.row))
            return
        page = replace(each.page, revision=each.page.revision + 1)
        stored = page.dump()
        db.execute(
            "UPDATE pages SET live = ?, told = ?, revision = ?, told_ns = ?, dirty = 0 WHERE id = ?",
            (stored, stored, page.revision, now_ns, each.row),
        )
        routing = self._routing()
        holds, routed = routing.holds(page, now_ns)
        gave_way = self._outbox.put(db, each.row, page, holds, now_ns, routing.steady)
        self._count(page, gave_way, routed=routed)

    def _count(self, page: Page, gave_way: list[int], *, routed: bool) -> None:
        if page.revision == 1:
            self.counted["page", page.severity] += 1
            self.counted["unrouted", ""] += not routed
        for rank in gave_way:
            self.counted["gave_way", f"SEV-{rank}"] += 1
