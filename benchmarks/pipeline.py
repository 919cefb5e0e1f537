"""Spans per second and core through the whole pipeline (decode + runs + SLIs), from memory and from Kafka, beside a peer.

The peer is what one would write first with Bytewax: the protobuf library, one item per span, `fold_window` of one
minute for the success of each workflow's tools. It counts one SLI; Flyball counts them all.

Rates are per second of CPU time of the process, all its threads, so that other load on the machine matters little.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
from bytewax import operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.operators import windowing as w
from bytewax.testing import TestingSink, TestingSource, run_main
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from prometheus_client import CollectorRegistry

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script from anywhere
sys.path.insert(0, str(Path(__file__).resolve().parent))

from report import Figure, arguments, tell
from traffic import messages

from flows.items import Outbound, RawBatch
from flows.metrics import Metrics
from flows.settings import FlowSettings
from flows.sink import CallSink
from flows.source import LogSource
from flows.topology import build

BATCH_BYTES = 16 << 20  # what four partitions of a lagging log give at once


class Chunks(DynamicSource[RawBatch]):
    """Messages from memory, in batches as the log gives them."""

    def __init__(self, values: list[bytes]) -> None:
        self.values = values

    def build(self, step_id: str, worker_index: int, worker_count: int) -> ChunkPartition:
        return ChunkPartition(self.values)


class ChunkPartition(StatelessSourcePartition[RawBatch]):
    """Gives one batch an activation."""

    def __init__(self, values: list[bytes]) -> None:
        self.batches = _batches(values)

    def next_batch(self) -> Iterable[RawBatch]:
        batch = next(self.batches, None)
        if batch is None:
            raise StopIteration
        return [batch]


def _batches(values: list[bytes]) -> Iterator[RawBatch]:
    start, size = 0, 0
    now = time.time_ns()
    for index, value in enumerate(values):
        size += len(value)
        if size >= BATCH_BYTES or index == len(values) - 1:
            count = index + 1 - start
            numbers = np.arange(start, start + count)
            yield RawBatch("memory", "otlp_spans", 0, numbers, np.full(count, now), values[start : index + 1])
            start, size = index + 1, 0


def from_memory(values: list[bytes]) -> tuple[float, int]:
    """Run the flow over the messages: spans per second, and the number of spans."""
    metrics, out = Metrics(None, CollectorRegistry()), []
    flow = build(Chunks(values), CallSink(lambda records: out.append(len(records))), FlowSettings(), metrics, clock=None)
    began = time.process_time()
    run_main(flow)
    return metrics.seen.spans / (time.process_time() - began), metrics.seen.spans


def from_kafka(values: list[bytes], broker: str) -> float:
    """Run the flow over the messages as they lie in Kafka, until it has caught up: spans per second."""
    from streams.kafka.log import KafkaLog

    log = KafkaLog(broker)
    for topic in ("otlp_spans", "otlp_logs"):
        log.ensure(topic, 4)
    writer = log.writer()
    writer.append("otlp_spans", [(None, value) for value in values])
    writer.close()
    stop, metrics, out = Event(), Metrics(time.time_ns, CollectorRegistry()), []
    source = LogSource(lambda: log, ("otlp_spans", "otlp_logs"), stop, metrics=metrics)
    flow = build(source, CallSink(out.extend), FlowSettings(), metrics, clock=time.time_ns)
    wanted = len(values)
    took: list[float] = []

    def watch() -> None:
        began = None
        while metrics.messages._value.get() < wanted:
            if began is None and metrics.messages._value.get():
                began, first = time.perf_counter(), metrics.seen.spans
            time.sleep(0.002)
        took.append((metrics.seen.spans - first) / (time.perf_counter() - began) if began else 0.0)
        stop.set()

    watcher = Thread(target=watch)
    watcher.start()
    run_main(flow, epoch_interval=timedelta(seconds=1))
    watcher.join()
    return took[0]


def peer(values: list[bytes]) -> float:
    """Run the plain version: spans per second."""
    seen = [0]

    def spans(value: bytes) -> list[tuple[str, tuple[datetime, bool]]]:
        data, out = TracesData(), []
        data.ParseFromString(value)
        for resource in data.resource_spans:
            workflow = next((a.value.string_value for a in resource.resource.attributes if a.key == "service.name"), "")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    seen[0] += 1
                    tool = next((a.value.string_value for a in span.attributes if a.key == "gen_ai.tool.name"), None)
                    if tool:
                        at = datetime.fromtimestamp(span.end_time_unix_nano / 1e9, UTC)
                        out.append((f"{workflow}/{tool}", (at, span.status.code != 2)))
        return out

    flow, out = Dataflow("peer"), []
    raw = op.input("in", flow, TestingSource(values, batch_size=100))
    calls = op.flat_map("spans", raw, spans)
    clock: Any = w.EventClock(lambda item: item[0], wait_for_system_duration=timedelta(seconds=60))
    windower = w.TumblingWindower(length=timedelta(minutes=1), align_to=datetime(2020, 1, 1, tzinfo=UTC))
    counted = w.fold_window(
        "count",
        calls,
        clock,
        windower,
        lambda: (0, 0),
        lambda acc, item: (acc[0] + 1, acc[1] + item[1]),
        lambda a, b: (a[0] + b[0], a[1] + b[1]),
    )
    op.output("out", counted.down, TestingSink(out))
    began = time.process_time()
    run_main(flow)
    return seen[0] / (time.process_time() - began)


def main() -> None:
    """Measure and tell."""
    args = arguments(__doc__)
    values = messages(300_000 if args.quick else 2_000_000)
    from_memory(values[:100])  # compile
    rate, spans = from_memory(values)
    peer_rate = peer(messages(40_000 if args.quick else 200_000, logs=False))
    figures = [
        Figure("spans_per_s_core", rate, "spans/s", f"{spans:,} spans from memory, one worker", ">= 350,000"),
        Figure("peer_spans_per_s_core", peer_rate, "spans/s", "plain Bytewax fold_window, one SLI"),
        Figure("ratio_to_peer", rate / peer_rate, "x", target=">= 5"),
    ]
    figures += kafka_figures(values)
    tell("pipeline", figures, as_json=args.json)


def kafka_figures(values: list[bytes]) -> list[Figure]:
    """Measure from a broker of our own, if there can be one."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "services"))
    from broker import Broker, missing

    reason = missing()
    if reason:
        print(f"left out: from Kafka ({reason})", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder))
        broker.start()
        try:
            rate = from_kafka(values, broker.address)
        finally:
            broker.stop()
    return [
        Figure("kafka_spans_per_s_core", rate, "spans/s", "from Apache Kafka, 4 partitions, one worker", ">= 200,000")
    ]


if __name__ == "__main__":
    main()
