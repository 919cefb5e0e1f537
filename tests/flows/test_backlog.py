"""The age of what is read: of the oldest partition, and nothing once all is read."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

import orjson
from prometheus_client import CollectorRegistry

from flows.backlog import Backlog
from flows.behind import LagWatch
from flows.items import ShardEvents
from flows.judge import JudgeLogic
from flows.metrics import Metrics
from flows.settings import Topics
from flows.shard_state import ShardStates
from flows.source import LogSource
from models.slos.keeping import KeptSloTable
from streams.embedded import EmbeddedLog

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 10**9
NOW = 1_800_000_000 * SECOND


def test_the_age_is_that_of_the_oldest_partition() -> None:
    """What was read last counts, until its partition holds no more."""
    backlog = Backlog()
    assert backlog.age_ns(NOW) == 0
    backlog.read("a", NOW - 5)
    backlog.read("b", NOW - 7)
    backlog.read("b", NOW - 6)
    assert backlog.age_ns(NOW) == 6
    backlog.caught_up("b")
    assert backlog.age_ns(NOW) == 5
    assert backlog.age_ns(NOW - 10) == 0


def test_the_source_says_what_it_reads(tmp_path: Path) -> None:
    """A batch has the age of its last message; an empty read has none."""
    log = EmbeddedLog(tmp_path)
    log.ensure("spans", 1)
    writer = log.writer()
    writer.append("spans", [(None, b"1"), (None, b"2")])
    writer.close()
    metrics = Metrics(registry=CollectorRegistry())
    source, backlog = LogSource(lambda: log, ("spans",), Event(), metrics=metrics), metrics.backlog
    part = source.build_part("source", source.list_parts()[0], None)
    (wake,) = part.next_batch()
    assert wake.messages == []
    (batch,) = part.next_batch()
    newest = int(batch.received_ns[-1])
    assert backlog.age_ns(newest + 3) == 3
    assert list(part.next_batch()) == []
    assert backlog.age_ns(newest + 3) == 0
    part.close()


def test_the_first_judge_shard_tells_of_a_lag() -> None:
    """Five minutes behind, shard j0 opens `telemetry.lag`; the others say nothing."""
    backlog = Backlog()
    backlog.read("a", NOW - 301 * SECOND)
    states = ShardStates(lambda base, deltas, life: KeptSloTable.load((), base, deltas, life), None, 0, (), None)
    told = {}
    for key in ("j0", "j1"):
        metrics, lag = Metrics(lambda: NOW, CollectorRegistry()), LagWatch(backlog, 300 * SECOND, "j0")
        logic = JudgeLogic(states, None, lambda: NOW, Topics(), metrics, lag, drain=False)
        logic.on_batch([ShardEvents(key, None, ())])
        due = logic.notify_at()
        assert due is not None
        while datetime.now(UTC) < due:
            pass
        told[key] = [orjson.loads(o.value) for _, out in logic.on_notify()[0] for o in out]
    assert told["j1"] == []
    assert [(r["kind"], r["class"], r["evidence"]["count"]) for r in told["j0"]] == [("incident", "telemetry.lag", 301)]
