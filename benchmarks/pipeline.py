"""Spans per second and core through the whole pipeline (decode + runs + SLIs), from memory and Kafka, beside peers.

The peers are what one would write first with Bytewax: the protobuf library, one item per span, `fold_window`. One
counts task_success: a session window per trace, then a window of a minute per workflow. The other counts tool_success,
which needs no runs. Each counts one SLI; Flyball counts them all, and takes duplicates, late spans and corrections.

Rates are per second of CPU time of the process, all its threads, so that other load on the machine matters little.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import numpy as np
from bytewax import operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.operators import windowing as w
from bytewax.testing import TestingSink, TestingSource, run_main
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from prometheus_client import CollectorRegistry

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as `flyball flow` does
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script from anywhere
sys.path.insert(0, str(Path(__file__).resolve().parent))

from report import Figure, arguments, tell
from traffic import messages

from flows.items import RawBatch
from flows.memory import settle_memory
from flows.metrics import Metrics
from flows.settings import FlowSettings
from flows.sink import CallSink
from flows.source import LogSource
from flows.topology import build
from models.drift.settings import DriftSettings
from models.slis.settings import SliSettings

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.port import Log

SPINE = FlowSettings(watches=False, drift=DriftSettings(is_on=False))
ALONE = "decode, runs and SLIs alone"
MUST = ">= 350,000; at least 200,000"
YARDSTICK = "of the bare parse in this run, whatever the machine"
BATCH_BYTES = 32 << 20  # what four partitions of a lagging log give at once


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


def from_memory(values: list[bytes], settings: FlowSettings | None = None) -> tuple[float, int]:
    """Run the flow over the messages: spans per second, and the number of spans."""
    metrics, out = Metrics(None, CollectorRegistry()), []
    sink = CallSink(lambda records: out.append(len(records)))
    flow = build(Chunks(values), sink, settings or FlowSettings(), metrics, clock=None, kept=False)  # as a replay does
    began = time.process_time()
    run_main(flow)
    return metrics.seen.spans / (time.process_time() - began), metrics.seen.spans


def fill(log: Log, values: list[bytes]) -> None:
    """Write the messages into a new log."""
    for topic in ("otlp_spans", "otlp_logs"):
        log.ensure(topic, 4)
    writer = log.writer()
    writer.append("otlp_spans", [(b"%d" % number, value) for number, value in enumerate(values)])
    writer.close()


def from_log(log: Log, wanted: int, settings: FlowSettings) -> float:
    """Run the flow over the messages as they lie in a log, from the oldest until `wanted` are read: spans per second.

    With a journal, as the service has: an epoch writes what changed, not all there is.
    """
    stop, metrics, out = Event(), Metrics(time.time_ns, CollectorRegistry()), []
    source = LogSource(lambda: log, ("otlp_spans", "otlp_logs"), stop, metrics=metrics)
    flow = build(source, CallSink(lambda records: out.append(len(records))), settings, metrics, clock=time.time_ns)
    took: list[float] = []

    def watch() -> None:
        began = None
        while metrics.messages._value.get() < wanted:
            if began is None and metrics.messages._value.get():
                began, first = time.process_time(), metrics.seen.spans
            time.sleep(0.02)
        took.append((metrics.seen.spans - first) / (time.process_time() - began) if began else 0.0)
        stop.set()

    watcher = Thread(target=watch)
    watcher.start()
    run_main(flow, epoch_interval=timedelta(seconds=1))
    watcher.join()
    return took[0]


def drift_share(values: list[bytes]) -> float:
    """Give the share of CPU time that drift takes, with every stream open from the second minute on.

    The median of five pairs, each with the other half first than the one before: the machine is never the same twice.
    """
    soon = SliSettings(waits=(1, 1, 1))
    halves = {is_on: FlowSettings(slis=soon, drift=DriftSettings(least_span=1, is_on=is_on)) for is_on in (True, False)}
    shares = []
    for pair in range(5):
        order = (True, False) if pair % 2 else (False, True)
        rates = {is_on: from_memory(values, halves[is_on])[0] for is_on in order}
        shares.append(1.0 - rates[True] / rates[False])
    return median(shares)


def bare_parse(values: list[bytes]) -> float:
    """Parse with the protobuf library, as `benchmarks/decode.py` does: spans per second. How fast is it now?"""
    sample, rounds, began = values[:64], 50, time.process_time()
    for _ in range(rounds):
        for value in sample:
            TracesData().MergeFromString(value)
    seconds = time.process_time() - began
    parsed = [TracesData.FromString(value) for value in sample]
    spans = sum(
        len(scope.spans) for data in parsed for resource in data.resource_spans for scope in resource.scope_spans
    )
    return rounds * spans / seconds


def span_peer(values: list[bytes]) -> float:
    """Run the plain version of tool_success, which looks at tool spans alone: spans per second."""
    flow, seen, out = Dataflow("span_peer"), [0], []
    raw = op.input("in", flow, TestingSource(values, batch_size=100))
    spans = op.flat_map("spans", raw, lambda value: _plain_spans(value, seen))
    calls = op.filter_map("calls", spans, lambda s: (f"{s[1]}/{s[2]}", (s[3], s[4])) if s[2] else None)
    counted = _count_by_minute("count", calls)
    op.output("out", counted, TestingSink(out))
    return _rate(flow, seen)


def run_peer(values: list[bytes]) -> float:
    """Run the plain version of task_success, which needs whole runs: spans per second."""
    flow, seen, out = Dataflow("run_peer"), [0], []
    raw = op.input("in", flow, TestingSource(values, batch_size=100))
    spans = op.flat_map("spans", raw, lambda value: _plain_spans(value, seen))
    keyed = op.map("key", spans, lambda s: (s[0], s))
    clock: Any = w.EventClock(lambda s: s[3], wait_for_system_duration=timedelta(seconds=60))
    runs = w.fold_window(
        "runs",
        keyed,
        clock,
        w.SessionWindower(gap=timedelta(minutes=15)),
        lambda: ("", _EPOCH, True),
        lambda acc, s: (s[1] or acc[0], max(acc[1], s[3]), s[4] if s[5] else acc[2]),
        lambda a, b: (a[0] or b[0], max(a[1], b[1]), a[2] and b[2]),
    )
    closed = op.map("closed", runs.down, lambda item: (item[1][1][0], (item[1][1][1], item[1][1][2])))
    op.output("out", _count_by_minute("count", closed), TestingSink(out))
    return _rate(flow, seen)


def _plain_spans(value: bytes, seen: list[int]) -> list[tuple[str, str, str | None, datetime, bool, bool]]:
    """Give (trace, workflow, tool, end, ok, is root) per span, by the protobuf library."""
    data, out = TracesData(), []
    data.ParseFromString(value)
    for resource in data.resource_spans:
        workflow = next((a.value.string_value for a in resource.resource.attributes if a.key == "service.name"), "")
        for scope in resource.scope_spans:
            for span in scope.spans:
                seen[0] += 1
                tool = next((a.value.string_value for a in span.attributes if a.key == "gen_ai.tool.name"), None)
                end = datetime.fromtimestamp(span.end_time_unix_nano / 1e9, UTC)
                row = (span.trace_id.hex(), workflow, tool, end, span.status.code != 2, not span.parent_span_id)
                out.append(row)
    return out


def _count_by_minute(step: str, items: Any) -> Any:
    clock: Any = w.EventClock(lambda item: item[0], wait_for_system_duration=timedelta(seconds=60))
    return w.fold_window(
        step,
        items,
        clock,
        w.TumblingWindower(length=timedelta(minutes=1), align_to=_EPOCH),
        lambda: (0, 0),
        lambda acc, item: (acc[0] + 1, acc[1] + item[1]),
        lambda a, b: (a[0] + b[0], a[1] + b[1]),
    ).down


def _rate(flow: Dataflow, seen: list[int]) -> float:
    began = time.process_time()
    run_main(flow)
    return seen[0] / (time.process_time() - began)


def main() -> None:
    """Measure and tell."""
    args = arguments(__doc__)
    values = messages(300_000 if args.quick else 2_000_000)
    from_memory(values[:100])  # compile
    settle_memory()  # as the service does
    spine, spans = from_memory(values, SPINE)
    rate, _ = from_memory(values)
    plain = messages(40_000 if args.quick else 200_000, logs=False)
    run_rate, span_rate, parse = run_peer(plain), span_peer(plain), bare_parse(plain)
    figures = [
        Figure("spine_spans_per_s_core", spine, "spans/s", f"{spans:,} spans from memory: {ALONE}", MUST),
        Figure("spans_per_s_core", rate, "spans/s", "the same with everything on: runaways, spend, drift"),
        Figure("peer_spans_per_s_core", run_rate, "spans/s", "plain fold_window, task_success alone"),
        Figure("ratio_to_peer", rate / run_rate, "x", "Flyball counts 15 SLIs and writes run records", ">= 5"),
        Figure("span_peer_spans_per_s_core", span_rate, "spans/s", "plain fold_window, tool_success alone"),
        Figure("ratio_to_span_peer", rate / span_rate, "x", "the peer sees no runs, no duplicates, no corrections"),
        Figure("protobuf_parse_spans_per_s_core", parse, "spans/s", "the protobuf library's bare parse, nothing more"),
        Figure("share_of_parse", rate / parse, "x", YARDSTICK),
    ]
    if not args.quick:
        share = drift_share(values)
        figures.append(Figure("drift_share", share, "of CPU", "200 runs/s, 3 workflows, all streams open", "<= 0.1"))
    kafka = from_own_broker(values)
    if kafka:
        figures += [
            Figure("kafka_spine_spans_per_s_core", kafka[0], "spans/s", f"Apache Kafka, 4 partitions: {ALONE}", MUST),
            Figure("kafka_spans_per_s_core", kafka[1], "spans/s", "the same with everything on"),
            Figure("kafka_share_of_parse", kafka[1] / parse, "x", YARDSTICK),
        ]
    tell("pipeline", figures, as_json=args.json)


def from_own_broker(values: list[bytes]) -> tuple[float, float] | None:
    """Measure the spine and everything from a broker of our own, if there can be one."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "services"))
    from broker import Broker, missing

    from streams.kafka.log import KafkaLog

    reason = missing()
    if reason:
        print(f"left out: from Kafka ({reason})", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder) / "kafka")
        broker.start()
        try:
            log = KafkaLog(broker.address)
            fill(log, values)
            journals = (Path(folder) / name for name in ("spine", "whole"))
            settings = (
                replace(each, journal=path) for each, path in zip((SPINE, FlowSettings()), journals, strict=True)
            )
            spine, whole = (from_log(log, len(values), each) for each in settings)
            return spine, whole
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
