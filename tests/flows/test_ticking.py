"""Shards that keep time: none ticks before all states are loaded, all do from then on, with or without news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import bytewax.operators as op
import numpy as np
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main

from flows.items import RawBatch
from flows.shard_logic import ShardLogic
from flows.ticking import Ticking, TickingLogic, Wake

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Counting(ShardLogic[str, str]):
    """Counts what comes, and tells of it once a life when it ticks; its state is the count."""

    def __init__(self, snapshot: bytes | None) -> None:
        self._state: Any = State(int(snapshot)) if snapshot else None
        self._due: datetime | None = LONG_AGO

    def on_batch(self, values: list[str]) -> tuple[list[str], bool]:
        """Count."""
        self._state = self._state or State(0)
        self._state.count += len(values)
        return [], False

    def on_notify(self) -> tuple[list[str], bool]:
        """Tick."""
        self._due = None
        return [f"tick of {self._state.count}"], False

    def notify_at(self) -> datetime | None:
        """Tick at once."""
        return self._due


class State:
    """A count."""

    def __init__(self, count: int) -> None:
        self.count = count

    def snapshot(self) -> bytes:
        """Give it."""
        return str(self.count).encode()


def batch(part: str, *messages: bytes) -> RawBatch:
    """Give a batch of a source partition."""
    none = np.zeros(len(messages), np.int64)
    return RawBatch(part, "spans", 0, none, none, list(messages))


def run(batches: list[RawBatch], *, is_on: bool = True) -> list[Any]:
    """Run a flow with the shards a and b, whose items are messages; give what they tell."""
    told: list[Any] = []
    flow = Dataflow("flow")
    raw = op.input("in", flow, TestingSource(batches))
    items = op.flat_map("items", raw, lambda each: [(message.decode(), "item") for message in each.messages])
    counted = Ticking(raw, is_on=is_on).step("count", items, ["a", "b"], Counting)
    op.output("out", counted, TestingSink(told))
    run_main(flow, epoch_interval=timedelta(0))
    return told


def test_a_loaded_shard_does_not_tick_before_something_comes() -> None:
    """Though it is due: others may not be loaded. A wake is enough, and so is an item."""
    for news in (Wake(), "item"):
        logic = TickingLogic(Counting(b"7"))
        assert logic.notify_at() is None
        assert logic.on_batch([news]) == ([] if news == "item" else (), False)
        assert logic.notify_at() == LONG_AGO
        assert logic.on_notify() == ([f"tick of {7 + (news == 'item')}"], False)
        assert logic.notify_at() is None
        assert logic.snapshot() == (b"8" if news == "item" else b"7")


def test_a_shard_that_was_never_open_is_not_made_by_a_wake() -> None:
    """It is let go, so that it neither ticks nor is kept; the first item opens it."""
    logic = TickingLogic(Counting(None))
    assert logic.on_batch([Wake()]) == ((), True)
    assert logic.snapshot() == b""
    assert logic.on_batch([Wake(), "item", Wake(), "item"]) == ([], False)
    assert logic.snapshot() == b"2"


def test_the_first_batch_of_a_partition_wakes_all_shards() -> None:
    """Also an empty one; those with a state tick, the others are not there."""
    assert run([batch("p0", b"a"), batch("p1")]) == [("a", "tick of 1")]
    assert run([batch("p0"), batch("p1")]) == []
    assert run([batch("p0", b"a"), batch("p0", b"b", b"b")]) == [("a", "tick of 1"), ("b", "tick of 2")]


def test_without_a_clock_no_step_is_added() -> None:
    """A replay has nothing to wake."""
    assert run([batch("p0", b"a")], is_on=False) == [("a", "tick of 1")]
