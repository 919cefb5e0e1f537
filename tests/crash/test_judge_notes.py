"""A judge dies after it noted an incident, before the log had it: its next life tells of it in the same words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
from prometheus_client import CollectorRegistry

from flows.backlog import Backlog
from flows.behind import LagWatch
from flows.items import ShardEvents
from flows.judge import JudgeLogic
from flows.metrics import Metrics
from flows.settings import Topics
from flows.shard_state import ShardStates
from models.slos.keeping import KeptSloTable

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 10**9
NOW = 1_800_000_000 * SECOND


def judge(folder: Path, snapshot: bytes | None = None) -> JudgeLogic:
    """Begin a life of the first judge shard, whose input is late."""
    backlog = Backlog()
    backlog.read("a", NOW - 301 * SECOND)
    states = ShardStates(lambda base, deltas, life: KeptSloTable.load((), base, deltas, life), folder, 0, (), None)
    metrics = Metrics(lambda: NOW, CollectorRegistry())
    lag = LagWatch(backlog, 300 * SECOND, "j0")
    return JudgeLogic(states, snapshot, lambda: NOW, Topics(), metrics, lag, drain=False)


def told(logic: JudgeLogic, live: Any) -> list[dict[str, Any]]:
    """Let it look, and give what it tells."""
    logic.on_batch([ShardEvents("j0", None, ())])
    due = logic.notify_at()
    assert due is not None
    live.until(lambda: time.time() >= due.timestamp(), "no time passes")
    return [orjson.loads(each.value) for _, out in logic.on_notify()[0] for each in out]


def test_what_was_about_to_be_told_is_told_by_the_next_life(tmp_path: Path, live: Any) -> None:
    """Killed before any snapshot, and after: told again until a life has had it taken; then no more."""
    (record,) = told(judge(tmp_path), live)
    second = judge(tmp_path)
    second.on_batch([ShardEvents("j0", None, ())])
    for _ in range(4):
        snapshot = second.snapshot()  # before it told: what is owed is not forgotten
    third = judge(tmp_path, snapshot)
    assert told(third, live) == [record]
    assert told(third, live) == []
    for _ in range(4):
        snapshot = third.snapshot()
    assert told(judge(tmp_path, snapshot), live) == []
