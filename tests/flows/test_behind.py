"""In a cluster each process reads some partitions: judges rest also where only another one is behind."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from bytewax.testing import TestingSource, run_main
from prometheus_client import CollectorRegistry

from flows.backlog import Backlog
from flows.behind import BehindStep, LagWatch
from flows.items import Behind, RawBatch, ShardEvents
from flows.judge import JUDGE_SHARDS, JudgeLogic
from flows.metrics import Metrics
from flows.settings import FlowSettings, Topics
from flows.shard_state import ShardStates
from flows.sink import CallSink
from flows.topology import build
from models.slos.keeping import KeptSloTable
from models.slos.spec import Rolling
from tests.helpers.slo_events import DAY, slo

if TYPE_CHECKING:
    import pytest

SECOND = 10**9
NOW = 1_800_000_000 * SECOND
LIMIT = 300 * SECOND


class Process:
    """What one process of a cluster knows of what it reads."""

    def __init__(self) -> None:
        self.now = NOW
        self.backlog = Backlog()
        self.watch = LagWatch(self.backlog, LIMIT, "j0")
        self.step = BehindStep(self.watch, ["j0", "j1"], lambda: self.now)

    def hear(self, told: list[tuple[str, ShardEvents]]) -> None:
        """Take in what came for a shard of this process."""
        for _, item in told:
            assert item.behind is not None
            self.watch.hear(item.behind)


def test_who_has_read_all_hears_of_who_has_not() -> None:
    """The age goes on by the clock, and ends when the other one has caught up."""
    slow, quick = Process(), Process()
    slow.backlog.read("a", NOW - 301 * SECOND)
    told = slow.step([])
    assert [key for key, _ in told] == ["j0", "j1"]
    quick.hear(told)
    lag = quick.watch.at(NOW, "j0")
    assert (lag.seconds, lag.is_over, lag.is_told) == (301, True, True)
    assert (quick.watch.at(NOW + SECOND, "j1").seconds, quick.watch.at(NOW, "j1").is_told) == (302, False)
    slow.backlog.caught_up("a")
    quick.hear(slow.step([]))
    assert quick.watch.at(NOW, "j0").seconds == 0


def test_of_itself_a_process_knows_better() -> None:
    """What it said a moment ago does not hold it up."""
    slow = Process()
    slow.backlog.read("a", NOW - 301 * SECOND)
    slow.hear(slow.step([]))
    slow.backlog.caught_up("a")
    assert slow.watch.at(NOW, "j0").seconds == 0


def test_it_is_told_once_a_second_and_only_beyond_the_limit() -> None:
    """A flow that keeps up says nothing."""
    slow = Process()
    slow.backlog.read("a", NOW - 300 * SECOND)
    assert slow.step([]) == []
    slow.now += SECOND
    assert len(slow.step([])) == 2
    slow.now += SECOND // 2
    assert slow.step([]) == []
    slow.now += SECOND // 2
    assert len(slow.step([])) == 2
    slow.backlog.caught_up("a")
    assert len(slow.step([])) == 2
    slow.now += SECOND
    assert slow.step([]) == []


def test_the_first_judge_shard_tells_of_the_lag_of_another_process() -> None:
    """It opens `telemetry.lag`, though its own process has read all."""
    states = ShardStates(lambda base, deltas, life: KeptSloTable.load((), base, deltas, life), None, 0, (), None)
    metrics = Metrics(lambda: NOW, CollectorRegistry())
    logic = JudgeLogic(states, None, lambda: NOW, Topics(), metrics, Process().watch, drain=False)
    logic.on_batch([ShardEvents("j0", None, (), Behind("another", NOW - 301 * SECOND))])
    due = logic.notify_at()
    assert due is not None
    while datetime.now(UTC) < due:
        pass
    told = [orjson.loads(out.value) for _, outs in logic.on_notify()[0] for out in outs]
    assert [(each["class"], each["evidence"]["count"]) for each in told] == [("telemetry.lag", 301)]


def test_a_flow_tells_all_its_judge_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is wired."""
    heard: list[Behind] = []
    monkeypatch.setattr(LagWatch, "hear", lambda _, behind: heard.append(behind))
    metrics = Metrics(time.time_ns, CollectorRegistry())
    metrics.backlog.read("spans/00000", time.time_ns() - 2 * LIMIT)
    none: Any = np.empty(0, np.int64)
    source = TestingSource([RawBatch("spans/00000", "spans", 0, none, none, [])])
    settings = FlowSettings(slos=(slo("one", "0.8", Rolling(DAY)),))
    run_main(build(source, CallSink(lambda out: None), settings, metrics, clock=time.time_ns, kept=False))
    assert len(heard) == len(JUDGE_SHARDS)
    assert len(set(heard)) == 1
