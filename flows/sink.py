"""Sinks: records to the log, or to a function (replay, tests)."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from bytewax.outputs import DynamicSink, FixedPartitionedSink, StatefulSinkPartition, StatelessSinkPartition
from typing_extensions import override

from flows.flushes import Flushes

if TYPE_CHECKING:
    from collections.abc import Callable

    from flows.items import Outbound
    from streams.port import Log, Writer

PARTITIONS = 8


class LogSinkPartition(StatefulSinkPartition["list[Outbound]", None]):
    """At least once: `snapshot()` returns only when the log has taken everything of the epoch."""

    def __init__(self, writer: Writer, flushes: Flushes) -> None:
        self._writer = writer
        self._flushes = flushes

    @override
    def write_batch(self, values: list[list[Outbound]]) -> None:
        by_topic: dict[str, list[tuple[bytes | None, bytes]]] = {}
        for value in values:
            for topic, key, payload in value:
                by_topic.setdefault(topic, []).append((key, payload))
        for topic, messages in by_topic.items():
            self._writer.append(topic, messages)
        self._writer.push()

    @override
    def snapshot(self) -> None:
        self._flushes.flush(self._writer)

    @override
    def close(self) -> None:
        self._flushes.flush(self._writer)


class LogSink(FixedPartitionedSink["list[Outbound]", None]):
    """Takes (shard key, records): one shard always writes through one partition, so its records keep their order."""

    def __init__(self, log: Callable[[], Log]) -> None:
        self._open = log
        self._writer: Writer | None = None
        self.flushes = Flushes()

    @override
    def list_parts(self) -> list[str]:
        return [f"out-{index}" for index in range(PARTITIONS)]

    @override
    def part_fn(self, item_key: str) -> int:
        return zlib.crc32(item_key.encode()) % PARTITIONS

    @override
    def build_part(self, step_id: str, for_part: str, resume_state: None) -> LogSinkPartition:
        if self._writer is None:
            self._writer = self._open().writer()
        return LogSinkPartition(self._writer, self.flushes)


class CallPartition(StatelessSinkPartition[Any]):
    """Hands batches to a function."""

    def __init__(self, emit: Callable[[list[Outbound]], None]) -> None:
        self._emit = emit

    @override
    def write_batch(self, items: list[Any]) -> None:
        for _, records in items:
            self._emit(records)


class CallSink(DynamicSink[Any]):
    """Calls `emit(records)` in this process."""

    def __init__(self, emit: Callable[[list[Outbound]], None]) -> None:
        self._emit = emit

    @override
    def build(self, step_id: str, worker_index: int, worker_count: int) -> CallPartition:
        return CallPartition(self._emit)
