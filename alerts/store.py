"""The one file that delivery keeps: SQLite in WAL mode.

    offsets    how far each partition of the incidents topic is taken, in the transaction of what the tellings caused
    incidents  the highest revision known of each incident, and the page it is in
    pages      the live state of each page, and the state that was last told
    outbox     one row a (page, sink): what the sink is to know, what it knows, when it is tried next (`due_ns`),
               and from when that was counted (`set_ns`; null: it is a time of day, at which quiet hours end)
    pauses     until when a sink wants nothing more

A killed process loses nothing. Commits are not forced to the disk one by one: a power cut may undo the last of them,
but offsets go back with what they caused, so those tellings are read again, and sinks know a page by its key.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 2
_BUSY_S = 30.0

_SINCE_1 = """
CREATE INDEX pages_of_group ON pages (grp);
CREATE TABLE pauses (sink TEXT PRIMARY KEY, since_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL) WITHOUT ROWID;
ALTER TABLE outbox ADD COLUMN set_ns INTEGER;
CREATE INDEX waits ON outbox (sink, set_ns) WHERE due_ns IS NOT NULL
"""
_SCHEMA = f"""
CREATE TABLE offsets (
    topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE incidents (
    key TEXT PRIMARY KEY, revision INTEGER NOT NULL, open INTEGER NOT NULL, page INTEGER, heard_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX incidents_of_page ON incidents (page);
CREATE TABLE pages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, grp TEXT NOT NULL, open INTEGER NOT NULL,
    live BLOB NOT NULL, told BLOB, revision INTEGER NOT NULL DEFAULT 0, told_ns INTEGER NOT NULL DEFAULT 0,
    dirty INTEGER NOT NULL DEFAULT 0, ended_ns INTEGER
);
CREATE UNIQUE INDEX open_page_of_group ON pages (grp) WHERE open;
CREATE INDEX dirty_pages ON pages (told_ns) WHERE dirty;
CREATE INDEX ended_pages ON pages (ended_ns) WHERE ended_ns IS NOT NULL;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, page INTEGER NOT NULL, sink TEXT NOT NULL, rank INTEGER NOT NULL,
    wanted INTEGER NOT NULL, known INTEGER NOT NULL DEFAULT 0, stage INTEGER NOT NULL DEFAULT 0,
    known_rank INTEGER NOT NULL DEFAULT 0, due_ns INTEGER, since_ns INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, parked_ns INTEGER, reason TEXT, UNIQUE (page, sink)
);
CREATE INDEX due ON outbox (sink, rank, due_ns) WHERE due_ns IS NOT NULL;
CREATE INDEX pending ON outbox (sink, rank, stage, since_ns) WHERE wanted > known AND parked_ns IS NULL;
CREATE INDEX parked ON outbox (rank, parked_ns) WHERE parked_ns IS NOT NULL;
{_SINCE_1}"""
_STEPS = {0: _SCHEMA, 1: _SINCE_1}
"""What leads from each version of the file to this one."""


class StoreError(OSError):
    """The file cannot be used; the message says why."""


class Store:
    """The open file. One connection for all threads, one transaction at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._prepare(path)
        except sqlite3.Error as error:
            self._db.close()
            msg = f"{path}: {error}"
            raise StoreError(msg) from error
        except StoreError:
            self._db.close()
            raise

    def _prepare(self, path: Path) -> None:
        with self.transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version in _STEPS:
                for statement in _STEPS[version].split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={VERSION}")
            elif version != VERSION:
                msg = f"{path}: found version {version} of the outbox, expected {VERSION}"
                raise StoreError(msg)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the file for writing; all of what is done inside is kept, or none of it."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have ended it already
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection for statements that only read."""
        with self._lock:
            yield self._db

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
