"""The recovery store: made once by whoever comes first, and free of what dead executions left behind."""

from __future__ import annotations

import os
import pickle
import resource
import shutil
import sqlite3
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import get_context
from typing import TYPE_CHECKING

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.testing import TestingSink, TestingSource, run_main

from flows.journal import Journal, JournalError
from flows.recovery import (
    RECOVERY_PARTS,
    RecoveryStoreError,
    forget_dead_epochs,
    open_recovery,
    store_faults_told,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def count(folder: Path, items: list[str | TestingSource.EOF]) -> list[tuple[str, int]]:
    """Run a flow that counts keys, with recovery as deployed; give what it tells until the next EOF in `items`."""
    told: list[tuple[str, int]] = []
    run_main(counting(items, told), epoch_interval=timedelta(0), recovery_config=open_recovery(folder))
    return told


def counting(items: list[str | TestingSource.EOF], told: list[tuple[str, int]]) -> Dataflow:
    """Give a flow that counts keys."""
    flow = Dataflow("flow")
    keys = op.map("keys", op.input("in", flow, TestingSource(items)), lambda key: (key, 1))
    counted = op.stateful_map("count", keys, lambda state, one: ((state or 0) + one, (state or 0) + one))
    op.output("out", counted, TestingSink(told))
    return flow


def leave_behind(folder: Path, key: str, like: str, state: int) -> None:
    """Write a snapshot of a key, in the step that has one of the key `like`, as an execution that is then killed."""
    databases = [sqlite3.connect(path) for path in sorted(folder.glob("*.sqlite3"))]
    steps = [row for each in databases for row in each.execute("SELECT step_id FROM snaps WHERE state_key = ?", like)]
    fronts = [row for each in databases for row in each.execute("SELECT worker_frontier FROM fronts")]
    row = (*steps[0], key, *max(fronts), pickle.dumps(state))
    with databases[0] as first:
        first.execute("INSERT INTO snaps (step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, ?, ?)", row)
    for each in databases:
        each.close()


def test_the_store_is_made_once(tmp_path: Path) -> None:
    """Whoever of a cluster comes first makes it, whole; the other finds it, and no draft is left."""
    context = get_context("spawn")
    processes = [context.Process(target=open_recovery, args=(tmp_path / "data" / "engine",)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 2
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["engine"]
    assert len(list((tmp_path / "data" / "engine").glob("*.sqlite3"))) == RECOVERY_PARTS


def test_a_draft_that_was_left_by_a_process_of_this_number_is_in_nobodys_way(tmp_path: Path) -> None:
    """In a container every flow has the same number, the one that was killed as it made the store, too."""
    left = tmp_path / f".engine.{os.getpid()}"
    left.mkdir()
    (left / "part-0.sqlite3").write_bytes(b"half")
    open_recovery(tmp_path / "engine")
    assert count(tmp_path / "engine", ["a"]) == [("a", 1)]


def test_journals_without_the_store_are_half_of_what_was_kept(tmp_path: Path) -> None:
    """A start would count from 0 and say nothing; what a flow leaves that never came to a snapshot is no state."""
    engine, shard = tmp_path / "engine", tmp_path / "journal" / "judge" / "j0"
    Journal(shard).new_life()
    open_recovery(engine, tmp_path / "journal")
    Journal(shard).append(b"delta", lambda: b"base")
    open_recovery(engine, tmp_path / "journal")
    shutil.rmtree(engine)
    with pytest.raises(JournalError) as half:
        open_recovery(engine, tmp_path / "journal")
    assert str(half.value) == f"{engine}: missing, but there are states in {tmp_path}/journal: restore the data folder"
    assert not engine.exists()


def test_what_a_dead_execution_wrote_is_no_state(tmp_path: Path) -> None:
    """A key that only a killed execution touched begins anew, also when others were committed after the kill."""
    folder = tmp_path / "engine"
    items = ["a", "a", TestingSource.EOF(), "a", TestingSource.EOF(), "b", "a"]
    assert count(folder, items) == [("a", 1), ("a", 2)]
    leave_behind(folder, "b", like="a", state=100)
    assert count(folder, items) == [("a", 3)]
    assert count(folder, items) == [("b", 1), ("a", 4)]


def test_what_was_committed_stays(tmp_path: Path) -> None:
    """After an end in good order there is nothing to forget."""
    folder = tmp_path / "engine"
    assert forget_dead_epochs(folder) == 0
    items = ["a", "b", TestingSource.EOF(), "a", "b"]
    count(folder, items)
    assert forget_dead_epochs(folder) == 0
    assert count(folder, items) == [("a", 2), ("b", 2)]


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file grow beyond what the smallest has, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_while_it_runs_is_told_by_its_folder(tmp_path: Path) -> None:
    """What ends the engine is no mistake of ours: one error that says which folder, and what the database said."""
    folder = tmp_path / "engine"
    count(folder, ["a"])
    with pytest.raises(RecoveryStoreError) as full, no_room(), store_faults_told(folder):
        count(folder, ["a", "a", TestingSource.EOF()])
    assert str(full.value).startswith(f"{folder}: the snapshots cannot be kept: d")
    assert count(folder, ["a", "a"]) == [("a", 2)]


def test_a_full_disk_at_the_start_is_told_by_its_folder(tmp_path: Path) -> None:
    """So it is where rows of dead executions cannot be deleted, and where the store is no database."""
    folder = tmp_path / "engine"
    count(folder, ["a"])
    leave_behind(folder, "b", "a", 1)
    with pytest.raises(RecoveryStoreError) as full, no_room(), store_faults_told(folder):
        open_recovery(folder)
    assert str(folder) in str(full.value)
    next(folder.glob("*.sqlite3")).write_bytes(b"no database" * 1000)
    with pytest.raises(RecoveryStoreError, match="not a database"), store_faults_told(folder):
        open_recovery(folder)


def test_what_was_committed_is_not_written_over(tmp_path: Path) -> None:
    """An execution that would, here as it begins too early, ends before; the next one has all there was."""
    folder = tmp_path / "engine"
    items = ["a", "a", TestingSource.EOF(), "a", "a", "a"]
    assert count(folder, items) == [("a", 1), ("a", 2)]
    open_recovery(folder)
    with sqlite3.connect(next(folder.glob("*.sqlite3"))) as database:
        committed = database.execute("SELECT ex_num, worker_frontier FROM fronts").fetchall()
        database.execute("UPDATE fronts SET worker_frontier = worker_frontier - 1")
    config, told = RecoveryConfig(str(folder)), list[tuple[str, int]]()
    with pytest.raises(RecoveryStoreError, match="epoch that is committed"), store_faults_told(folder):
        run_main(counting(items, told), epoch_interval=timedelta(0), recovery_config=config)
    with sqlite3.connect(next(folder.glob("*.sqlite3"))) as database:
        database.execute("DELETE FROM exs WHERE ex_num > 0")
        database.execute("DELETE FROM fronts")
        database.executemany("INSERT INTO fronts (ex_num, worker_index, worker_frontier) VALUES (?, 0, ?)", committed)
    assert count(folder, items) == [("a", 3), ("a", 4), ("a", 5)]


def test_mistakes_of_steps_are_passed_on(tmp_path: Path) -> None:
    """Only what the database said is told so."""
    with pytest.raises(RuntimeError, match="error calling next_batch"), store_faults_told(tmp_path):
        raise RuntimeError("error calling next_batch")
