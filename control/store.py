"""The one file that the authority keeps: SQLite in WAL mode.

    meta           epoch, seq, the stream's id, seconds that the authority was up, keys that are known
    offsets        how far each partition of a topic is taken, in the transaction of what its messages caused
    verdicts       ids of verdicts that were applied
    contributions  what each source asks of each scope
    signals        the envelope of each scope whose state is not neutral, as it was signed
    audit          entries of the chain, and its checkpoints
    spend          what was spent, by scope and period
    orders         what is not in the topic of orders yet, by number
    in_force       the kills in force, as the newest order tells of each
    reserved       what calls under way may cost, by token

A killed process loses nothing that was written. Kills and commands are forced to the disk before they are sent, so
that they outlive a power cut too.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from flyball_sdk.envelope import Envelope
from flyball_sdk.scope import Scope

from control.audit import START, Chain, Checkpoint, Entry
from control.contributions import Contribution, Place
from models.orders.order import Order, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from models.orders.order import Place as Told

FILE = "control.db"
VERSION = 3
_BUSY_S = 10.0
_FIRST_EPOCH_S = 1_767_225_600
"""The year 2026: epochs count the seconds since, unless lives follow each other quicker, or the clock is wrong."""
_ORDERS = """
CREATE TABLE orders (n INTEGER PRIMARY KEY, said BLOB NOT NULL);
CREATE TABLE in_force (
    level TEXT NOT NULL, scope TEXT NOT NULL, tenant TEXT NOT NULL, said BLOB NOT NULL,
    PRIMARY KEY (level, scope, tenant)
) WITHOUT ROWID;
"""
_RESERVED = "CREATE TABLE IF NOT EXISTS reserved (token TEXT PRIMARY KEY, said BLOB NOT NULL);"
_SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE offsets (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE verdicts (id TEXT PRIMARY KEY, up_s INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX verdicts_by_age ON verdicts (up_s);
CREATE TABLE contributions (
    level TEXT NOT NULL, scope TEXT NOT NULL, tenant TEXT NOT NULL, source TEXT NOT NULL, said BLOB NOT NULL,
    PRIMARY KEY (level, scope, tenant, source)
) WITHOUT ROWID;
CREATE TABLE signals (
    level TEXT NOT NULL, scope TEXT NOT NULL, tenant TEXT NOT NULL, said BLOB NOT NULL,
    PRIMARY KEY (level, scope, tenant)
) WITHOUT ROWID;
CREATE TABLE audit (n INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE checkpoints (n INTEGER PRIMARY KEY, said BLOB NOT NULL);
CREATE TABLE spend (
    level TEXT NOT NULL, scope TEXT NOT NULL, tenant TEXT NOT NULL, period TEXT NOT NULL, start TEXT NOT NULL,
    revision INTEGER NOT NULL, said BLOB NOT NULL, PRIMARY KEY (level, scope, tenant, period, start)
) WITHOUT ROWID;
{_ORDERS}{_RESERVED}"""
_ENTRIES_AFTER = "SELECT n, CAST(body AS BLOB), CAST(hash AS BLOB) FROM audit WHERE n > ? ORDER BY n LIMIT ?"
"""SQLite keeps a value of any kind in any column: who tampers with the file may have put a text or a number there."""
_STEPS = {0: _SCHEMA, 1: _ORDERS + _RESERVED, 2: _RESERVED}
"""What leads from each version of the file to this one."""


class StoreError(OSError):
    """The file cannot be used; the message says why."""


@dataclass
class Batch:
    """What is to be written together."""

    meta: dict[str, str] = field(default_factory=dict)
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    contributions: dict[tuple[Place, str], Contribution | None] = field(default_factory=dict)
    signals: dict[Place, Envelope | None] = field(default_factory=dict)
    spend: dict[tuple[str, str, str, str, str], tuple[int, bytes] | None] = field(default_factory=dict)
    orders: dict[int, bytes] = field(default_factory=dict)
    in_force: dict[Told, bytes | None] = field(default_factory=dict)
    reserved: dict[str, bytes | None] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(vars(self).values())


class Store:
    """The open file. `max_pages` is a limit of its size, for tests of a full disk."""

    def __init__(self, path: Path, *, max_pages: int | None = None) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._prepare(path)
        except (sqlite3.Error, StoreError) as error:
            self._db.close()
            msg = f"{path}: {error}"
            raise StoreError(msg) from error
        if max_pages is not None:
            self.limit(max_pages)

    def limit(self, max_pages: int) -> None:
        """Let the file have so many pages at most."""
        self._db.execute(f"PRAGMA max_page_count={int(max_pages)}")

    def pages(self) -> int:
        """Count the pages of the file."""
        return int(self._db.execute("PRAGMA page_count").fetchone()[0])

    def _prepare(self, path: Path) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version in _STEPS:
            self._db.execute("BEGIN IMMEDIATE")
            for statement in _STEPS[version].split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version={VERSION}")
            self._db.execute("COMMIT")
        elif version != VERSION:
            msg = f"found version {version} of the control plane's file, expected {VERSION}"
            raise StoreError(msg)

    def raise_epoch(self, now_s: int) -> int:
        """Begin a life at a time (Unix seconds): its epoch is on the disk before this returns. Raises StoreError.

        It is after the last one, and after all that any life before that time can have had, also lives that this file
        knows nothing of: a copy of it may have been put back, and guards take no signal of an epoch that was.
        """
        epoch = max(int(self.meta().get("epoch", "0")) + 1, now_s - _FIRST_EPOCH_S)
        try:
            self.save(Batch(meta={"epoch": str(epoch), "seq": "0"}), durable=True)
        except sqlite3.Error as error:
            msg = f"cannot raise the epoch ({error}); without that no signal may be sent"
            raise StoreError(msg) from error
        return epoch

    def save(self, batch: Batch, *, durable: bool) -> None:
        """Write all of a batch or nothing; `durable`: it is on the disk when this returns. Raises sqlite3.Error."""
        with self._lock:
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._write(batch)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have ended it already
                    self._db.execute("ROLLBACK")
                raise

    def _write(self, batch: Batch) -> None:
        put = self._db.executemany
        put("INSERT OR REPLACE INTO meta VALUES (?, ?)", batch.meta.items())
        put("INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)", [(*key, at) for key, at in batch.offsets.items()])
        put("INSERT OR IGNORE INTO verdicts VALUES (?, ?)", batch.verdicts.items())
        for (place, source), contribution in batch.contributions.items():
            key = (*_key(place), source)
            if contribution is None:
                self._db.execute("DELETE FROM contributions WHERE level=? AND scope=? AND tenant=? AND source=?", key)
            else:
                said = orjson.dumps(contribution.to_json())
                self._db.execute("INSERT OR REPLACE INTO contributions VALUES (?, ?, ?, ?, ?)", (*key, said))
        for place, envelope in batch.signals.items():
            if envelope is None:
                self._db.execute("DELETE FROM signals WHERE level=? AND scope=? AND tenant=?", _key(place))
            else:
                said = orjson.dumps(envelope.to_json())
                self._db.execute("INSERT OR REPLACE INTO signals VALUES (?, ?, ?, ?)", (*_key(place), said))
        put("INSERT INTO audit VALUES (?, ?, ?)", batch.entries)
        put("INSERT OR REPLACE INTO checkpoints VALUES (?, ?)", batch.checkpoints)
        put(
            "INSERT INTO spend VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " revision=excluded.revision, said=excluded.said WHERE excluded.revision > revision",
            [(*key, *row) for key, row in batch.spend.items() if row is not None],
        )
        put(
            "DELETE FROM spend WHERE level=? AND scope=? AND tenant=? AND period=? AND start=?",
            [key for key, row in batch.spend.items() if row is None],
        )
        put("INSERT OR REPLACE INTO orders VALUES (?, ?)", batch.orders.items())
        for told, order in batch.in_force.items():
            where = (told.level, told.id, told.tenant or "")
            if order is None:
                self._db.execute("DELETE FROM in_force WHERE level=? AND scope=? AND tenant=?", where)
            else:
                self._db.execute("INSERT OR REPLACE INTO in_force VALUES (?, ?, ?, ?)", (*where, order))

        reserved = batch.reserved.items()
        put("INSERT OR REPLACE INTO reserved VALUES (?, ?)", [row for row in reserved if row[1] is not None])
        put("DELETE FROM reserved WHERE token=?", [(token,) for token, said in reserved if said is None])

    def meta(self) -> dict[str, str]:
        """Give what is noted by name."""
        return dict(self._rows("SELECT name, value FROM meta"))

    def offsets(self, topic: str) -> dict[int, int]:
        """Give the next offset of each partition of a topic."""
        return dict(self._rows("SELECT partition, next FROM offsets WHERE topic=?", (topic,)))

    def contributions(self) -> Iterator[tuple[Place, str, Contribution]]:
        """Give all contributions."""
        for level, name, tenant, source, said in self._rows("SELECT * FROM contributions"):
            yield Place(Scope(level, name), tenant or None), source, Contribution.from_json(orjson.loads(said))

    def signals(self) -> Iterator[tuple[Place, Envelope]]:
        """Give all signals that are not neutral."""
        for level, name, tenant, said in self._rows("SELECT * FROM signals"):
            yield Place(Scope(level, name), tenant or None), Envelope.parse(orjson.loads(said))

    def spend(self) -> list[tuple[tuple[str, str, str, str, str], int, bytes]]:
        """Give what was spent: (level, id, tenant, period, start), revision, record."""
        return [(row[:5], row[5], row[6]) for row in self._rows("SELECT * FROM spend")]

    def in_force(self) -> list[Order]:
        """Give the newest order of each kill in force."""
        return [read(row[0]) for row in self._rows("SELECT said FROM in_force")]

    def reserved(self) -> list[tuple[str, bytes]]:
        """Give what calls under way have reserved: token and what `Reservations` kept of it, the oldest first."""
        return self._rows("SELECT token, said FROM reserved ORDER BY rowid")

    def orders(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Give orders that are not in their topic yet, the oldest first: number and record."""
        return self._rows("SELECT n, said FROM orders WHERE n > ? ORDER BY n LIMIT ?", (after, limit))

    def forget_orders(self, upto: int) -> None:
        """Forget the orders up to a number: they are in their topic."""
        with self._lock:
            self._db.execute("DELETE FROM orders WHERE n <= ?", (upto,))

    def applied(self, ids: list[str]) -> set[str]:
        """Give those of the verdicts that were applied before."""
        return {one for one in ids if self._rows("SELECT 1 FROM verdicts WHERE id=?", (one,))}

    def forget_verdicts(self, before_up_s: int) -> None:
        """Forget ids of long ago; their generations still hold."""
        with self._lock:
            self._db.execute("DELETE FROM verdicts WHERE up_s < ?", (before_up_s,))

    def chain(self) -> Chain:
        """Give the head of the audit chain."""
        last = self._rows("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1")
        checked = self._rows("SELECT max(n) FROM checkpoints")[0][0] or 0
        n, head = last[0] if last else (0, START)
        return Chain(n, head, checked)

    def entries(self, after: int = 0, limit: int = -1) -> Iterator[Entry]:
        """Give audit entries, a thousand at a time from the file."""
        while limit:
            some = min(limit, 1_000) if limit > 0 else 1_000
            rows = self._rows(_ENTRIES_AFTER, (after, some))
            yield from (Entry(*row) for row in rows)
            if len(rows) < some:
                return
            after, limit = rows[-1][0], limit - some if limit > 0 else limit

    def newest(self, naming: str, limit: int, among: int = 200_000) -> list[Entry]:
        """Give the newest audit entries that contain a text, the newest first, of the newest `among`."""
        query = "SELECT n, body, hash FROM audit WHERE n > (SELECT coalesce(max(n), 0) FROM audit) - ?"
        query += " AND instr(body, CAST(? AS BLOB)) ORDER BY n DESC LIMIT ?"
        return [Entry(*row) for row in self._rows(query, (among, naming, limit))]

    def fitting(self, begin: int, end: int, condition: str, values: tuple[str, ...], limit: int) -> list[Entry]:
        """Give audit entries from `begin` to before `end` that fit a condition of SQL, the newest first."""
        query = f"SELECT n, body, hash FROM audit WHERE n >= ? AND n < ? AND ({condition}) ORDER BY n DESC LIMIT ?"  # noqa: S608 -- made of constants
        return [Entry(*row) for row in self._rows(query, (begin, end, *values, limit))]

    def height(self) -> int:
        """Give the number of the newest audit entry that is written; 0: there is none."""
        return int(self._rows("SELECT coalesce(max(n), 0) FROM audit")[0][0])

    def checkpoints(self) -> list[bytes]:
        """Give all checkpoints."""
        return [row[0] for row in self._rows("SELECT CAST(said AS BLOB) FROM checkpoints ORDER BY n")]

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _key(place: Place) -> tuple[str, str, str]:
    return (*place.scope, place.tenant or "")
