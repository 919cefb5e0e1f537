"""The engine's recovery store: made as a whole, cleared of what a dead execution never committed, the rest guarded.

The engine snapshots a key under (step, key, epoch) and resumes at the first epoch that was not committed by all. What a
killed execution had already written under that epoch stays there. The next execution writes over it only for keys that
it touches in the very same epoch; for the others the dead execution's state would count as committed with that epoch,
and the one after would begin with states of two different pasts. So such rows are deleted before a start.

What was committed is written by no later execution, with one exception that loses states: a step that tells something
while the states are still being loaded (flows.ticking). None of ours does; the store refuses such a row all the same,
and the execution ends, before it can do harm.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from bytewax.recovery import RecoveryConfig, init_db_dir

from flows.journal import JournalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECOVERY_PARTS = 1
"""Parts of the recovery store, whatever the number of workers; fixed when the store is made. Snapshots are small, but
the end of an epoch waits for several transactions on disk in every part (docs/decisions/0007)."""

_BUSY_S = 60.0
_LATE = "a snapshot of an epoch that is committed: a step told something before all states were loaded"
_ENGINE_SAID = re.compile(r'SqliteFailure\(.*Some\("([^"]*)"\)\)')
"""How the engine, which ends of any fault of its store, passes on what the database said."""


class RecoveryStoreError(OSError):
    """The store cannot be read or written: its disk is full, say. The message names the folder."""


@contextmanager
def store_faults_told(folder: Path) -> Iterator[None]:
    """Raise what the database in `folder` could not do as a RecoveryStoreError; pass on all else."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _fault(folder, str(error)) from error
    except RuntimeError as error:
        said = _ENGINE_SAID.search(str(error))
        if said is None:
            raise
        raise _fault(folder, said[1]) from error


def _fault(folder: Path, said: str) -> RecoveryStoreError:
    return RecoveryStoreError(f"{folder}: the snapshots cannot be kept: {said}")


def open_recovery(folder: Path, journal: Path | None = None) -> RecoveryConfig:
    """Open the store in `folder`, or make it; to be called by every process of a cluster before it starts.

    Raises JournalError where it is not there, but shards in `journal` are: only snapshots say up to where they count,
    and budgets that begin at 0 must not go unnoticed.
    """
    if journal is not None and not folder.exists() and any(journal.glob("*/*/*.journal")):
        msg = f"{folder}: missing, but there are states in {journal}: restore the data folder"
        raise JournalError(msg)
    if folder.exists():
        forget_dead_epochs(folder)
    else:
        _make(folder)
    return RecoveryConfig(str(folder))


def forget_dead_epochs(folder: Path) -> int:
    """Delete the snapshots of epochs that will be run again, and guard those of all before; gives their number."""
    resume = _resume_epoch(folder)
    deleted = 0
    for path in sorted(folder.glob("*.sqlite3")) if resume is not None else ():
        with closing(sqlite3.connect(path, timeout=_BUSY_S)) as database, database:
            deleted += database.execute("DELETE FROM snaps WHERE snap_epoch >= ?", (resume,)).rowcount
            database.execute("DROP TRIGGER IF EXISTS committed")
            database.execute(
                f"CREATE TRIGGER committed BEFORE INSERT ON snaps WHEN NEW.snap_epoch < {resume} BEGIN "
                f"SELECT RAISE(ABORT, '{_LATE}'); END"
            )
    return deleted


def _resume_epoch(folder: Path) -> int | None:
    """Find where the engine will resume: the least progress of all workers of the last execution; None: there was none.

    A worker that committed nothing is where its execution began.
    """
    executions: list[tuple[int, int, int]] = []
    fronts: dict[tuple[int, int], int] = {}
    for path in sorted(folder.glob("*.sqlite3")):
        with closing(sqlite3.connect(path, timeout=_BUSY_S)) as database:
            executions += database.execute("SELECT ex_num, worker_count, resume_epoch FROM exs")
            for execution, worker, epoch in database.execute(
                "SELECT ex_num, worker_index, worker_frontier FROM fronts"
            ):
                fronts[execution, worker] = max(epoch, fronts.get((execution, worker), 0))
    if not executions:
        return None
    last, workers, began = max(executions)
    return min(fronts.get((last, worker), began) for worker in range(workers))


def _make(folder: Path) -> None:
    """Make the store as a whole or not at all, whoever of a cluster comes first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.{uuid4().hex}")  # not by pid: in containers all have the same
    draft.mkdir()
    init_db_dir(draft, RECOVERY_PARTS)
    try:
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft)
        if not folder.exists():  # else another was quicker
            raise
