"""Runs as they were told: the newest, searchable by what people ask for, in SQLite in memory.

What is kept is rebuilt from the log at every start, so nothing of it is wrong for longer than that.
"""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from control.console.shapes import check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST: Final = 50_000
"""Runs that are kept; for their memory see docs/decisions/0013-console.md."""
PAGE: Final = 50
_SLACK: Final = 1_000
"""Runs above `most` before the oldest are forgotten, so that this is done seldom."""
_WIDEST: Final = 2**63
"""Beyond 64 bits SQLite takes no number."""
EXACT: Final = ("workflow", "user", "tenant", "agent", "version", "outcome")
ORDERS: Final = {"ended": "ended", "cost": "cost", "steps": "steps", "duration": "duration"}
_SCHEMA: Final = """
CREATE TABLE runs (run_id TEXT PRIMARY KEY, revision INT, workflow TEXT, user TEXT, tenant TEXT, agent TEXT,
  version TEXT, outcome TEXT, errors INT, ended TEXT, cost REAL, steps INT, duration REAL, said BLOB) WITHOUT ROWID;
CREATE INDEX by_ended ON runs (ended, run_id);
CREATE INDEX by_workflow ON runs (workflow, ended);
CREATE INDEX by_user ON runs (user, ended);
CREATE INDEX by_tenant ON runs (tenant, ended);
CREATE TABLE tools (run_id TEXT, tool TEXT, errors INT, PRIMARY KEY (tool, run_id)) WITHOUT ROWID;
CREATE INDEX tools_by_run ON tools (run_id);
"""
_PUT: Final = """INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (run_id) DO UPDATE SET
  revision=excluded.revision, workflow=excluded.workflow, user=excluded.user, tenant=excluded.tenant,
  agent=excluded.agent, version=excluded.version, outcome=excluded.outcome, errors=excluded.errors,
  ended=excluded.ended, cost=excluded.cost, steps=excluded.steps, duration=excluded.duration, said=excluded.said
  WHERE excluded.revision > runs.revision"""
_OLD: Final = "(SELECT run_id FROM runs ORDER BY ended, run_id LIMIT ?)"


class Search(NamedTuple):
    """What is looked for; empty: anything. `text` begins a run id. Times are RFC 3339, of the run's end."""

    fields: tuple[tuple[str, str], ...] = ()
    """(name, value), of EXACT."""
    tool: str = ""
    errors: bool = False
    """Runs in which a tool failed; with `tool`: in which that one did."""
    text: str = ""
    since: str = ""
    until: str = ""
    order: str = "ended"
    after: tuple[float | str, str] | None = None
    """The place of the last row of the page before."""


class Runs:
    """The index. Thread-safe."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._db.executescript(_SCHEMA)

    def put(self, records: Iterable[Mapping[str, Any]]) -> int:
        """Take run records, the highest revision of each holds; gives how many could not be read."""
        bad = 0
        with self._lock, self._db:  # which ends the transaction, whatever comes
            self._db.execute("BEGIN")
            for record in records:
                try:
                    check("run", record)
                    row, tools = _row(record), _tools(record)
                except (KeyError, TypeError, ValueError, OverflowError):
                    bad += 1
                    continue
                if self._db.execute(_PUT, row).rowcount:
                    self._put_tools(row[0], tools)
            self._forget()
        return bad

    def get(self, run_id: str) -> dict[str, Any] | None:
        """Give one run's record."""
        found = self._rows("SELECT said FROM runs WHERE run_id=?", (run_id,))
        return orjson.loads(found[0][0]) if found else None

    def known(self, run_ids: Iterable[str]) -> set[str]:
        """Give those that are here."""
        return {each for each in run_ids if self._rows("SELECT 1 FROM runs WHERE run_id=?", (each,))}

    def count(self) -> int:
        """Count the runs."""
        return int(self._rows("SELECT count(*) FROM runs")[0][0])

    def names(self) -> dict[str, list[str]]:
        """List values that there are, for whoever types one."""
        # the indices are walked from value to value, so that this costs no look at every run
        walk = (
            "WITH RECURSIVE v(x) AS (SELECT min({0}) FROM {1} UNION ALL SELECT (SELECT min({0}) FROM {1} WHERE {0} > x)"
        )
        walk += " FROM v WHERE x IS NOT NULL LIMIT 100) SELECT x FROM v WHERE x IS NOT NULL"
        places = {"workflow": "runs", "tenant": "runs", "tool": "tools"}
        return {name: [row[0] for row in self._rows(walk.format(name, table))] for name, table in places.items()}

    def search(self, wanted: Search, limit: int = PAGE) -> tuple[list[dict[str, Any]], tuple[Any, str] | None]:
        """Give a page of runs, the highest first by `order`, and where the next page begins (None: there is none)."""
        where, values = _where(wanted)
        place = _place(wanted.order)
        query = f"SELECT said, {place}, run_id FROM runs{where} ORDER BY {place} DESC, run_id DESC LIMIT ?"  # noqa: S608 -- names of our own
        found = self._rows(query, (*values, limit + 1))
        rows = [orjson.loads(row[0]) for row in found[:limit]]
        return rows, (found[limit - 1][1:] if len(found) > limit else None)

    def seen(self, level: str, name: str, tenant: str | None, since: str) -> list[tuple[str, str | None, str | None]]:
        """List (run, user, tenant) of the runs of a scope that ended since then."""
        where, values = ["ended >= ?"], [moment(since)]
        if level != "product":
            where.append(f"{'run_id' if level == 'run' else level} = ?")
            values.append(name)
        if tenant:
            where.append("tenant = ?")
            values.append(tenant)
        query = f"SELECT run_id, user, tenant FROM runs WHERE {' AND '.join(where)}"  # noqa: S608 -- names of our own
        return self._rows(query, tuple(values))

    def close(self) -> None:
        """Release the memory."""
        with self._lock:
            self._db.close()

    def _put_tools(self, run_id: str, tools: list[tuple[str, str, int]]) -> None:
        self._db.execute("DELETE FROM tools WHERE run_id=?", (run_id,))
        self._db.executemany("INSERT OR REPLACE INTO tools VALUES (?,?,?)", tools)

    def _forget(self) -> None:
        """Forget the runs that ended first where there are too many."""
        count = self._db.execute("SELECT count(*) FROM runs").fetchone()[0]
        if count > self._most + _SLACK:
            for table in ("tools", "runs"):
                self._db.execute(f"DELETE FROM {table} WHERE run_id IN {_OLD}", (count - self._most,))  # noqa: S608 -- names of our own

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()


def _row(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Give the columns of a record. Raises KeyError, TypeError, ValueError, OverflowError."""
    run_id, texts = record["run_id"], [record[name] for name in EXACT]
    if not isinstance(run_id, str) or not all(each is None or isinstance(each, str) for each in texts):
        msg = "expected names to be texts"
        raise TypeError(msg)
    steps = _whole(int(record["llm_calls"]) + int(record["tool_calls"]))
    cost = None if record["cost_usd"] is None else float(record["cost_usd"])
    who = (run_id, _whole(record["revision"]), *texts)
    errors, duration = _whole(record["tool_errors"]), float(record["duration_s"])
    return (*who, errors, moment(record["ended_at"]), cost, steps, duration, orjson.dumps(record))


def _tools(record: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Give (run, tool, errors) of a record. Raises OverflowError."""
    tools = record.get("tools")
    if not isinstance(tools, dict):
        return []
    return [(record["run_id"], name, _errors(each)) for name, each in tools.items()]


def _errors(said: Any) -> int:
    errors = said.get("errors") if isinstance(said, dict) else None
    return _whole(errors) if isinstance(errors, int) else 0


def _whole(value: Any) -> int:
    """Read a number that fits a column. Raises TypeError, ValueError, OverflowError."""
    number = int(value)
    if not -_WIDEST <= number < _WIDEST:
        msg = f"found {number}, expected 64 bits"
        raise OverflowError(msg)
    return number


def moment(text: str) -> str:
    """Write a time as it is stored: what is compared as text must be written alike, in UTC with six digits.

    Raises TypeError, ValueError, OverflowError.
    """
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        msg = f"found {text!r}, expected a time with its zone"
        raise ValueError(msg)
    return read.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _place(order: str) -> str:
    """Give what is ordered by: what is not known is below everything."""
    column = ORDERS[order]
    return column if column == "ended" else f"coalesce({column}, -1)"


def _where(wanted: Search) -> tuple[str, list[Any]]:
    """Give the condition and its values."""
    parts: list[tuple[str, list[Any]]] = [(f"{name} = ?", [value]) for name, value in wanted.fields]
    if wanted.tool:
        with_it = "run_id IN (SELECT run_id FROM tools WHERE tool = ? AND errors >= ?)"
        parts.append((with_it, [wanted.tool, int(wanted.errors)]))
    elif wanted.errors:
        parts.append(("errors > 0", []))
    if wanted.text:
        parts.append(("run_id >= ? AND run_id < ?", [wanted.text, wanted.text + "g"]))
    if wanted.since:
        parts.append(("ended >= ?", [moment(wanted.since)]))
    if wanted.until:
        parts.append(("ended < ?", [moment(wanted.until)]))
    if wanted.after is not None:
        parts.append((f"({_place(wanted.order)}, run_id) < (?, ?)", list(wanted.after)))
    if not parts:
        return "", []
    text = " AND ".join(part for part, _ in parts)
    return " WHERE " + text, [value for _, values in parts for value in values]
