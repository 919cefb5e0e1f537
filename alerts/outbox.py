"""Outbox: what each sink is to know of each page, kept until the sink has said that it does.

One row a (page, sink). The newest state of the page wins: whatever was not delivered yet is not delivered any more, but
a sink that was told nothing hears of an open page first, and of its end after that.
"""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from alerts.page import Page
from models.incidents.incident import Status

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping

    from alerts.store import Store

FULL = "the outbox was full, and this was the least urgent and oldest that no sink knew of"

_SET_BACK = (
    "UPDATE outbox SET due_ns = :now + due_ns - set_ns, set_ns = :now, since_ns = min(since_ns, :now)"
    " WHERE sink = :sink AND set_ns > :now AND due_ns IS NOT NULL"
)
_PARK = "UPDATE outbox SET parked_ns = ?, reason = ?, due_ns = NULL"

_DUE = (
    "SELECT o.id, p.told, o.wanted, o.known, o.stage, o.known_rank, o.attempts, o.since_ns"
    " FROM outbox o JOIN pages p ON p.id = o.page WHERE o.sink = :sink AND o.due_ns <= :now"
)
# Where an earlier page of the group has news that is as urgent, this one waits. A more urgent one need not: what ends
# with the earlier page is of a lesser severity. Nor need one wait for what only quiet hours hold back.
# CROSS JOIN keeps the order of the tables: from the few pages of a group to their rows. Left to choose, SQLite goes
# through all that waits, 30 ms a delivery where 30,000 do instead of 0.1 ms.
_IN_TURN = (
    " AND NOT EXISTS (SELECT 1 FROM pages t CROSS JOIN pages q ON q.grp = t.grp AND q.id < t.id"
    " CROSS JOIN outbox e ON e.page = q.id AND e.sink = o.sink"
    " WHERE t.id = o.page AND e.rank <= o.rank AND e.wanted > e.known AND e.due_ns IS NOT NULL"
    " AND (e.stage > 0 OR e.attempts > 0 OR e.due_ns <= :now))"
)

# What was told late of an earlier page may have ended an open one that its sink knows by the same name.
_LATER_AGAIN = (
    "UPDATE outbox SET due_ns = :now, set_ns = :now WHERE stage = 1 AND attempts = 0 AND due_ns > :now AND id IN"
    " (SELECT e.id FROM outbox o CROSS JOIN pages t ON t.id = o.page"
    " CROSS JOIN pages q ON q.grp = t.grp AND q.id > t.id AND q.open"
    " CROSS JOIN outbox e ON e.page = q.id AND e.sink = o.sink WHERE o.id = :row)"
)


class Stage(IntEnum):
    """What a sink knows of a page."""

    NOTHING = 0
    TRIGGERED = 1
    RESOLVED = 2


class Job(NamedTuple):
    """One delivery to make."""

    row: int
    page: Page
    """As the sink is to hear it: open, while the sink knows nothing of it."""
    wanted: int
    stage: Stage
    known_rank: int
    attempts: int
    since_ns: int
    """When the sink began not to know."""
    pending: bool
    """There is news; False: only told again, so that the sink does not forget."""
    is_in_hand: bool = False
    """It is news that somebody has the page in hand."""


class Queue(NamedTuple):
    """How one sink stands."""

    depth: int
    oldest_ns: int | None
    parked: int


class Parked(NamedTuple):
    """A row that is not tried any more."""

    row: int
    sink: str
    severity: str
    page: str
    parked_ns: int
    reason: str
    headline: str


class Outbox:
    """The rows. Every method is one transaction, but for `put`, which is part of the one that changes the page."""

    def __init__(self, store: Store, max_rows: int = 100_000) -> None:
        self._store = store
        self._max_rows = max_rows
        with store.reading() as db:
            self._most = _pending(db)

    def room(self) -> bool:
        """Tell whether more can be taken in: False where twice the bound waits, which only SEV-1 brings about."""
        with self._store.reading() as db:
            return _pending(db) < 2 * self._max_rows

    def put(
        self,
        db: sqlite3.Connection,
        page_id: int,
        page: Page,
        holds: Mapping[str, int],
        now_ns: int,
        steady: Collection[str] = (),
    ) -> list[int]:
        """Have sinks told of a page, each not before its time (`holds`, Unix ns); sinks that know of it are told too.

        An end that a sink waits for is never held back, nor that somebody has it in hand, nor anything of a page that a
        `steady` sink knows of.
        A parked row is in line again: it has something new to say. Gives the ranks of rows that had to give way.
        """
        there = dict(db.execute("SELECT sink, stage FROM outbox WHERE page = ?", (page_id,)).fetchall())
        for sink in {*holds, *there}:
            stage = there.get(sink, Stage.NOTHING)
            at_once = sink in steady or not page.is_open or page.acknowledged_in == page.revision
            free = stage == Stage.TRIGGERED and at_once
            due = now_ns if free else max(now_ns, holds.get(sink, now_ns))
            set_ns = now_ns if due == now_ns else None
            if sink in there:
                _tell_again(db, page_id, page, sink, due, set_ns)
            else:
                self._add(db, page_id, page, sink, due, set_ns)
        return self._trim(db, now_ns)

    def reroute(
        self, db: sqlite3.Connection, page_id: int, page: Page, holds: Mapping[str, int], now_ns: int
    ) -> list[int]:
        """Have sinks that a page has by other routes told of it, where it is open; what quiet hours hold waits anew.

        Part of a transaction, as `put` is. Gives the ranks of rows that had to give way.
        """
        there = {sink for (sink,) in db.execute("SELECT sink FROM outbox WHERE page = ?", (page_id,))}
        for sink, due in holds.items():
            set_ns = now_ns if due == now_ns else None
            if sink in there:
                db.execute(
                    "UPDATE outbox SET due_ns = :due, set_ns = :set, since_ns = :due"
                    " WHERE page = :page AND sink = :sink AND set_ns IS NULL AND due_ns > :now",
                    {"due": due, "set": set_ns, "page": page_id, "sink": sink, "now": now_ns},
                )
            elif page.is_open:
                self._add(db, page_id, page, sink, due, set_ns)
        return self._trim(db, now_ns)

    def take(self, sink: str, now_ns: int, *, in_turn: bool = False, but: Collection[int] = ()) -> Job | None:
        """Give the most urgent delivery that is due, of rows other than `but`; None when none is.

        `in_turn`: a page waits until the sink knows all of the earlier pages of its group that are as urgent.
        """
        others = f" AND o.id NOT IN ({','.join(map(str, but))})" if but else ""
        query = _DUE + others + (_IN_TURN if in_turn else "") + " ORDER BY o.rank, o.due_ns LIMIT 1"
        with self._store.reading() as db:
            found = db.execute(query, {"sink": sink, "now": now_ns}).fetchone()
        if found is None:
            return None
        row, told, wanted, known, stage, known_rank, attempts, since_ns = found
        page = Page.load(told)
        if stage == Stage.NOTHING and not page.is_open:
            page = replace(page, status=Status.OPEN, resolved_at=None)
        in_hand = known < page.acknowledged_in <= wanted
        return Job(row, page, wanted, Stage(stage), known_rank, attempts, since_ns, wanted > known, in_hand)

    def set_back(self, sink: str, now_ns: int) -> None:
        """Where the clock was set back, have waits begin anew, or they would be longer by as much."""
        with self._store.reading() as db:
            found = db.execute(
                "SELECT 1 FROM outbox WHERE sink = ? AND set_ns > ? AND due_ns IS NOT NULL LIMIT 1", (sink, now_ns)
            ).fetchone()
        if found is not None:
            with self._store.transaction() as db:
                db.execute(_SET_BACK, {"sink": sink, "now": now_ns})

    def next_due(self, sink: str, now_ns: int) -> int | None:
        """Tell when the sink has something to do later, Unix ns; what is due now is to be taken, or waits its turn."""
        with self._store.reading() as db:
            (due,) = db.execute(
                "SELECT min(due_ns) FROM outbox WHERE sink = ? AND due_ns > ?", (sink, now_ns)
            ).fetchone()
        return None if due is None else int(due)

    def sent(self, job: Job, now_ns: int, refresh_ns: int | None) -> None:
        """Note that the sink knows; an open page is due again after `refresh_ns`, where there is one.

        It may have had to give way meanwhile: that it is known now says more.
        """
        stage = Stage.TRIGGERED if job.page.is_open else Stage.RESOLVED
        again = now_ns + refresh_ns if refresh_ns is not None and job.page.is_open else None
        with self._store.transaction() as db:
            found = db.execute("SELECT p.open FROM outbox o JOIN pages p ON p.id = o.page WHERE o.id = ?", (job.row,))
            still_open = bool((found.fetchone() or (1,))[0])
            # of a page that has ended the sink now knows the beginning: its end is still to be told, and at once
            known = job.wanted - 1 if job.page.is_open and not still_open else job.wanted
            db.execute(
                "UPDATE outbox SET known = ?, stage = ?, known_rank = ?, attempts = 0, parked_ns = NULL, reason = NULL,"
                " due_ns = CASE WHEN wanted <= ? THEN ? WHEN ? THEN coalesce(due_ns, ?) ELSE ? END,"
                " set_ns = CASE WHEN wanted > ? AND ? THEN set_ns ELSE ? END WHERE id = ?",
                (
                    *(known, stage, job.page.rank),
                    *(known, again, still_open, now_ns, now_ns),
                    *(known, still_open, now_ns, job.row),
                ),
            )
            if refresh_ns is not None and not still_open:
                db.execute(_LATER_AGAIN, {"now": now_ns, "row": job.row})

    def postpone(self, job: Job, now_ns: int, due_ns: int) -> None:
        """Try again at `due_ns`; not what had to give way meanwhile."""
        with self._store.transaction() as db:
            db.execute(
                "UPDATE outbox SET attempts = attempts + 1, due_ns = ?, set_ns = ? WHERE id = ? AND parked_ns IS NULL",
                (due_ns, now_ns, job.row),
            )

    def hold(self, job: Job, until_ns: int) -> None:
        """Let it wait for the end of quiet hours that began while it was in line; news that come meanwhile count anew.

        That a sink may have been told, though it did not say so, is still known by `attempts`.
        """
        with self._store.transaction() as db:
            db.execute(
                "UPDATE outbox SET due_ns = ?1, set_ns = NULL, since_ns = ?1,"
                " attempts = CASE WHEN stage > 0 THEN 0 ELSE attempts END"
                " WHERE id = ?2 AND wanted = ?3 AND parked_ns IS NULL",
                (until_ns, job.row, job.wanted),
            )

    def pause(self, sink: str, now_ns: int, until_ns: int) -> None:
        """Note that a sink wants nothing more until then."""
        with self._store.transaction() as db:
            db.execute("INSERT OR REPLACE INTO pauses VALUES (?, ?, ?)", (sink, now_ns, until_ns))

    def paused(self, sink: str) -> tuple[int, int]:
        """Tell since and until when a sink wants nothing more, Unix ns; (0, 0): it never said so."""
        with self._store.reading() as db:
            found = db.execute("SELECT since_ns, until_ns FROM pauses WHERE sink = ?", (sink,)).fetchone()
        return found or (0, 0)

    def go_on(self, sink: str) -> None:
        """Forget what a sink wanted: it is another one now."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM pauses WHERE sink = ?", (sink,))

    def park(self, job: Job, reason: str, now_ns: int) -> None:
        """Try no more, until the page has something new to say (it may have by now) or a person puts it back."""
        with self._store.transaction() as db:
            db.execute(f"{_PARK} WHERE id = ? AND wanted = ?", (now_ns, reason, job.row, job.wanted))
            _bound_parked(db, self._max_rows)

    def park_sink(self, sink: str, reason: str, now_ns: int) -> None:
        """Park all that is in line for a sink that is no more."""
        with self._store.transaction() as db:
            db.execute(f"{_PARK} WHERE sink = ? AND due_ns IS NOT NULL", (now_ns, reason, sink))

    def put_back_sink(self, sink: str, reason: str, now_ns: int) -> None:
        """Put in line again all that was parked for a reason that is no more; it has waited all the while."""
        found = "SELECT 1 FROM outbox WHERE sink = ? AND reason = ? AND parked_ns IS NOT NULL LIMIT 1"
        with self._store.reading() as db:
            if db.execute(found, (sink, reason)).fetchone() is None:
                return
        with self._store.transaction() as db:
            db.execute(
                "UPDATE outbox SET parked_ns = NULL, reason = NULL, attempts = 0, due_ns = ?, set_ns = ?"
                " WHERE sink = ? AND reason = ?",
                (now_ns, now_ns, sink, reason),
            )

    def put_back_full(self, now_ns: int) -> None:
        """Put in line again what had to give way and is open still, the most urgent first, up to half the bound.

        Only half, or what comes next would have it give way again.
        """
        found = "SELECT 1 FROM outbox WHERE parked_ns IS NOT NULL AND reason = ? LIMIT 1"
        with self._store.reading() as db:
            room = self._max_rows // 2 - _pending(db)
            if room <= 0 or db.execute(found, (FULL,)).fetchone() is None:
                return
        with self._store.transaction() as db:
            done = db.execute(
                "UPDATE outbox SET parked_ns = NULL, reason = NULL, attempts = 0, due_ns = ?1, set_ns = ?1,"
                " since_ns = ?1 WHERE id IN (SELECT o.id FROM outbox o JOIN pages p ON p.id = o.page AND p.open"
                " WHERE o.parked_ns IS NOT NULL AND o.reason = ?2 ORDER BY o.rank, o.parked_ns, o.id LIMIT ?3)",
                (now_ns, FULL, room),
            )
            self._most += done.rowcount

    def parked(self) -> list[Parked]:
        """List what is parked, the most urgent and oldest first."""
        with self._store.reading() as db:
            rows = db.execute(
                "SELECT o.id, o.sink, p.told, o.parked_ns, o.reason FROM outbox o JOIN pages p ON p.id = o.page"
                " WHERE o.parked_ns IS NOT NULL ORDER BY o.rank, o.parked_ns"
            ).fetchall()
        pages = [Page.load(told) for _, _, told, _, _ in rows]
        return [
            Parked(row, sink, page.severity, page.key, parked_ns, reason, page.headline)
            for (row, sink, _, parked_ns, reason), page in zip(rows, pages, strict=True)
        ]

    def put_back(self, row: int, now_ns: int) -> bool:
        """Put a parked row in line again; False where there is none of that number."""
        with self._store.transaction() as db:
            done = db.execute(
                "UPDATE outbox SET parked_ns = NULL, reason = NULL, attempts = 0, due_ns = ?, set_ns = ?,"
                " since_ns = ? WHERE id = ? AND parked_ns IS NOT NULL",
                (now_ns, now_ns, now_ns, row),
            )
            return done.rowcount > 0

    def sinks(self) -> list[str]:
        """Name the sinks that rows are in line for."""
        with self._store.reading() as db:
            return [sink for (sink,) in db.execute("SELECT DISTINCT sink FROM outbox WHERE due_ns IS NOT NULL")]

    def queue(self, sink: str) -> Queue:
        """Tell how a sink stands."""
        with self._store.reading() as db:
            depth, oldest = db.execute(
                "SELECT count(*), min(since_ns) FROM outbox WHERE sink = ? AND wanted > known AND parked_ns IS NULL",
                (sink,),
            ).fetchone()
            (parked,) = db.execute(
                "SELECT count(*) FROM outbox WHERE sink = ? AND parked_ns IS NOT NULL", (sink,)
            ).fetchone()
        return Queue(depth, oldest, parked)

    def _add(
        self, db: sqlite3.Connection, page_id: int, page: Page, sink: str, due_ns: int, set_ns: int | None
    ) -> None:
        db.execute(
            "INSERT INTO outbox (page, sink, rank, wanted, due_ns, set_ns, since_ns) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (page_id, sink, page.rank, page.revision, due_ns, set_ns, due_ns),
        )
        self._most += 1

    def _trim(self, db: sqlite3.Connection, now_ns: int) -> list[int]:
        """Park the least urgent, oldest rows of which the sink knows nothing while too many wait; never a SEV-1."""
        if self._most <= self._max_rows:  # an upper bound, so that the rows are not counted each time
            return []
        self._most = _pending(db)
        excess = self._most - self._max_rows
        if excess <= 0:
            return []
        rows = db.execute(
            "SELECT id, rank FROM outbox WHERE wanted > known AND parked_ns IS NULL AND stage = 0 AND rank > 1"
            " ORDER BY rank DESC, since_ns, id LIMIT ?",
            (excess,),
        ).fetchall()
        db.executemany(f"{_PARK} WHERE id = ?", [(now_ns, FULL, row) for row, _ in rows])
        self._most -= len(rows)
        _bound_parked(db, self._max_rows)
        return [rank for _, rank in rows]


def _tell_again(db: sqlite3.Connection, page_id: int, page: Page, sink: str, due_ns: int, set_ns: int | None) -> None:
    """Let a row want the newest state. It keeps its turn or comes earlier; what got worse waits no more."""
    db.execute(
        "UPDATE outbox SET rank = :rank, wanted = :wanted, parked_ns = NULL, reason = NULL,"
        " since_ns = CASE WHEN wanted > known THEN since_ns ELSE :due END,"
        " due_ns = CASE WHEN due_ns IS NULL THEN :due WHEN attempts > 0 AND rank <= :rank THEN due_ns"
        "  WHEN wanted > known THEN min(due_ns, :due) ELSE :due END,"
        " set_ns = CASE WHEN due_ns IS NULL THEN :set WHEN attempts > 0 AND rank <= :rank THEN set_ns"
        "  WHEN wanted > known AND due_ns <= :due THEN set_ns ELSE :set END"
        " WHERE page = :page AND sink = :sink",
        {
            "rank": page.rank,
            "wanted": page.revision,
            "due": due_ns,
            "set": set_ns,
            "page": page_id,
            "sink": sink,
        },
    )


def _pending(db: sqlite3.Connection) -> int:
    (count,) = db.execute("SELECT count(*) FROM outbox WHERE wanted > known AND parked_ns IS NULL").fetchone()
    return int(count)


def _bound_parked(db: sqlite3.Connection, most: int) -> None:
    """Forget the least urgent, oldest parked rows beyond the bound; never a SEV-1."""
    (count,) = db.execute("SELECT count(*) FROM outbox WHERE parked_ns IS NOT NULL").fetchone()
    if count > most:
        db.execute(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE parked_ns IS NOT NULL AND rank > 1"
            " ORDER BY rank DESC, parked_ns LIMIT ?)",
            (count - most,),
        )
