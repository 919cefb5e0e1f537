# ruff: noqa: S608 - the only text put into a statement is the number of a partition
"""The embedded log's rival: the same port on SQLite, as small as it can be. Only for benchmarks/log.py."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

from streams.port import Message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class SqliteLog:
    """One database a topic, one table a partition; survives SIGKILL (WAL, synchronous=OFF)."""

    def __init__(self, path: Path, partitions: int) -> None:
        self._path = path
        self._partitions = partitions
        database = self._connect()
        for partition in range(partitions):
            database.execute(
                f"CREATE TABLE IF NOT EXISTS p{partition}"
                " (position INTEGER PRIMARY KEY, appended_ns INTEGER NOT NULL, key BLOB, value BLOB NOT NULL)"
            )
        database.close()

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, isolation_level=None, timeout=30)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=OFF")
        database.execute("PRAGMA mmap_size=268435456")
        return database

    def writer(self) -> SqliteWriter:
        """Open a writer."""
        return SqliteWriter(self._connect(), self._partitions)

    def reader(self, partition: int) -> SqliteReader:
        """Open a reader from the start."""
        return SqliteReader(self._connect(), partition)


class SqliteWriter:
    """Queues, and writes in one transaction at flush."""

    def __init__(self, database: sqlite3.Connection, partitions: int) -> None:
        self._database = database
        self._queues: list[list[tuple[int, bytes | None, bytes]]] = [[] for _ in range(partitions)]
        self._turn = 0

    def append(self, messages: Sequence[tuple[bytes | None, bytes]]) -> None:
        """Queue messages, to the partitions in turn."""
        now_ns = time.time_ns()
        for key, value in messages:
            self._turn = (self._turn + 1) % len(self._queues)
            self._queues[self._turn].append((now_ns, key, value))

    def flush(self) -> None:
        """Commit what is queued."""
        self._database.execute("BEGIN IMMEDIATE")
        for partition, queue in enumerate(self._queues):
            if queue:
                self._database.executemany(
                    f"INSERT INTO p{partition} (appended_ns, key, value) VALUES (?, ?, ?)", queue
                )
                queue.clear()
        self._database.execute("COMMIT")


class SqliteReader:
    """Reads one partition forward."""

    def __init__(self, database: sqlite3.Connection, partition: int) -> None:
        self._database = database
        self._query = (
            f"SELECT position, appended_ns, key, value FROM p{partition} WHERE position > ? ORDER BY position LIMIT ?"
        )
        self._next = 0

    def poll(self, max_messages: int, max_bytes: int) -> list[Message]:
        """Give what is there now."""
        found = [Message(*row) for row in self._database.execute(self._query, (self._next, max_messages))]
        if found:
            self._next = found[-1].offset
        return found
