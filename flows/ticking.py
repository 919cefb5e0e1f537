"""Ticking: shards that keep time wait until the engine has loaded all of them.

At a start the engine hands out the snapshots in the order of their epochs, and lets a notification that is due fire
between two of them: in the middle of the past. In a cluster, where snapshots come over the network, that happens. What
such a notification tells reaches shards that have no state yet: the engine makes them new, writes that over the
snapshot which it is about to load, and then forgets what they were told. So no shard of a new life ticks before the
first item comes to it, which is never before all are loaded; and the first batch of every source partition, which comes
at once, is a wake for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bytewax.operators as op
from bytewax.operators import StatefulBatchLogic
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from bytewax.dataflow import Stream
    from bytewax.operators import KeyedStream

    from flows.items import RawBatch
    from flows.shard_logic import ShardLogic


class Wake:
    """Says to a shard that all are loaded."""


class TickingLogic(StatefulBatchLogic[Any, Any, bytes]):
    """The logic of a shard, which is asked when to tick only once something has come to it."""

    def __init__(self, logic: ShardLogic[Any, Any]) -> None:
        self._logic = logic
        self._is_awake = False

    @override
    def on_batch(self, values: list[Any]) -> tuple[Iterable[Any], bool]:
        self._is_awake = True
        items = [value for value in values if not isinstance(value, Wake)]
        return self._logic.on_batch(items) if items else ((), not self._logic.is_open)

    @override
    def on_notify(self) -> tuple[Iterable[Any], bool]:
        return self._logic.on_notify()

    @override
    def on_eof(self) -> tuple[Iterable[Any], bool]:
        return self._logic.on_eof()

    @override
    def notify_at(self) -> datetime | None:
        return self._logic.notify_at() if self._is_awake else None

    @override
    def snapshot(self) -> bytes:
        return self._logic.snapshot()


class Ticking:
    """Wires steps whose shards keep time; without a clock none does."""

    def __init__(self, raw: Stream[RawBatch], *, is_on: bool) -> None:
        self._wakes = op.flat_map_batch("wakes", raw, _WakeStep()) if is_on else None

    def step(
        self,
        step_id: str,
        stream: KeyedStream[Any],
        keys: Sequence[str],
        builder: Callable[[bytes | None], ShardLogic[Any, Any]],
    ) -> KeyedStream[Any]:
        """Wire a step with these shards."""
        if self._wakes is None:
            return op.stateful_batch(step_id, stream, builder)
        woken = op.flat_map_batch(f"wake_{step_id}", self._wakes, lambda wakes: [(key, wakes[0]) for key in keys])
        return op.stateful_batch(
            step_id, op.merge(f"to_{step_id}", stream, woken), lambda snapshot: TickingLogic(builder(snapshot))
        )


class _WakeStep:
    """Callable for `flat_map_batch`: a wake whenever a partition is heard for the first time in this life."""

    def __init__(self) -> None:
        self._heard: set[str] = set()

    def __call__(self, batches: list[RawBatch]) -> list[Wake]:
        """Listen."""
        news = {batch.part for batch in batches} - self._heard
        self._heard |= news
        return [Wake()] if news else []
