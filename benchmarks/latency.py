"""Time from the append of a run's last span in Kafka to the SLI record that counts it, at a paced load.

A real broker, the real flow as a process of its own with recovery on, a producer at 50,000 spans/s. Each message that
closes runs has a place in the count of its pane; the first record of that pane whose total reaches the place is its
answer. Both times are the broker's (LogAppendTime), so there is one clock.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests" / "services")]

from report import Figure, arguments, tell

from models.simulation import Encoding, Scenario, generate

if TYPE_CHECKING:
    from collections.abc import Callable

RATE = 50_000
SPANS_A_MESSAGE = 64
SPANS_A_RUN = 20
TICK_S = 0.01
_MINUTE = 60_000_000_000


def schedule(seconds: float, start_ns: int) -> list[tuple[float, bytes, list[tuple[str, int]]]]:
    """Give (second to send at, message, [(workflow, minute) of each run it closes]) for traffic of about RATE."""
    scenario = Scenario(
        seed=3,
        start_ns=start_ns,
        duration_s=None,
        rate=RATE / SPANS_A_RUN,
        batch=SPANS_A_MESSAGE,
        users=20_000,
        flush_s=0.05,
    )
    warm, sent, out = 0, 0, []
    for exported in generate(scenario, Encoding.PROTOBUF):
        if exported.signal != "traces":
            continue
        out.append((sent / RATE, exported.payload, _closing(exported.payload)))
        sent += exported.records
        if sent > seconds * RATE + warm:
            break
    return out


def _closing(payload: bytes) -> list[tuple[str, int]]:
    data, out = TracesData(), []
    data.ParseFromString(payload)
    for resource in data.resource_spans:
        known = {a.key: a.value.string_value for a in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                if not span.parent_span_id:
                    names = known | {a.key: a.value.string_value for a in span.attributes}
                    out.append((names["flyball.workflow"], span.end_time_unix_nano // _MINUTE))
    return out


def produce(
    broker: str, plan: list[tuple[float, bytes, list[tuple[str, int]]]], make: Callable[[int], bytes] | None = None
) -> list[tuple[int, list[tuple[str, int]]]]:
    """Send the plan at its pace; gives (broker's time of the append in ns, runs closed) in order per partition.

    A message that is empty is made when it is sent; `make` is given a number, from 1.
    """
    from confluent_kafka import Producer

    appended: list[tuple[int, list[tuple[str, int]]]] = []

    def acknowledged(closed: list[tuple[str, int]]) -> Any:
        return lambda error, message: appended.append((message.timestamp()[1] * 1_000_000, closed))

    producer = Producer(
        {"bootstrap.servers": broker, "linger.ms": 5, "acks": "all", "queue.buffering.max.messages": 10**6}
    )
    began, made = time.perf_counter(), 0
    for number, (at, planned, closed) in enumerate(plan):
        while time.perf_counter() - began < at:
            producer.poll(0.001)
        made += not planned
        payload = planned or (make(made) if make else b"")
        producer.produce("otlp_spans", payload, partition=number % 4, on_delivery=acknowledged(closed))
        producer.poll(0)
    producer.flush(30)
    return appended


def answers(broker: str) -> list[tuple[int, dict[str, Any]]]:
    """Read all SLI records of whole workflows with the broker's time of their append."""
    from streams.kafka.log import KafkaLog

    log, out = KafkaLog(broker), []
    for partition in range(log.partitions("flyball.slis")):
        reader = log.reader("flyball.slis", partition, None)
        quiet = 0
        while quiet < 50:
            found = reader.poll(10_000, 8 << 20)
            quiet = 0 if found else quiet + 1
            time.sleep(0 if found else 0.01)
            for message in found:
                record = json.loads(message.value)
                if record["sli"] == "time_to_resolution" and len(record["group"]) == 1:
                    out.append((message.appended_ns, record))
        reader.close()
    return out


def await_answers(broker: str, flow: subprocess.Popen[bytes]) -> None:
    """Wait for the first record: a flow that has never run compiles before it reads."""
    from streams.kafka.log import KafkaLog

    log, until = KafkaLog(broker), time.monotonic() + 600
    try:
        while not any(log.end("flyball.slis", partition) for partition in range(log.partitions("flyball.slis"))):
            if flow.poll() is not None or time.monotonic() > until:
                msg = "the flow told nothing of what was sent to warm it up"
                raise RuntimeError(msg)
            time.sleep(0.2)
    finally:
        log.close()


def latencies(appended: list[tuple[int, list[tuple[str, int]]]], told: list[tuple[int, dict[str, Any]]]) -> np.ndarray:
    """Give the latency in ms of every run of the second half, when all is warm."""
    panes: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for at, record in sorted(told, key=lambda item: item[0]):
        panes[record["group"]["workflow"], record["pane_start"][:16]].append((at, record["total"]))
    counted: dict[tuple[str, str], int] = defaultdict(int)
    out = []
    half = len(appended) // 2
    for index, (at, closed) in enumerate(sorted(appended, key=lambda item: item[0])):
        for workflow, minute in closed:
            key = (workflow, np.datetime64(minute, "m").item().strftime("%Y-%m-%dT%H:%M"))
            counted[key] += 1
            answer = next((when for when, total in panes[key] if total >= counted[key]), None)
            if answer is not None and index >= half:
                out.append((answer - at) / 1e6)
    return np.array(out)


def main() -> None:
    """Measure and tell."""
    args = arguments(__doc__)
    seconds = 12.0 if args.quick else 60.0
    from broker import Broker, missing

    reason = missing()
    if reason:
        print(f"left out: {reason}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder) / "kafka")
        broker.start()
        config = Path(folder) / "config"
        config.mkdir()
        (config / "flyball.yaml").write_text(f"log: {{brokers: ['{broker.address}']}}\nmetrics: {{port: 0}}\n")
        command = [sys.executable, "-m", "flyball", "flow", "--config", str(config), "--data", f"{folder}/data"]
        plan = schedule(seconds, time.time_ns() - 30_000_000_000)
        flow = subprocess.Popen(command, cwd=ROOT)
        try:
            appended = produce(broker.address, plan[: len(plan) // 10])  # warm up
            await_answers(broker.address, flow)
            time.sleep(8)
            appended += produce(broker.address, plan[len(plan) // 10 :])
            time.sleep(3)
            flow.send_signal(signal.SIGTERM)
            flow.wait(30)
            found = latencies(appended, answers(broker.address))
        finally:
            flow.kill()
            broker.stop()
    note = f"{len(found):,} runs at {RATE:,} spans/s"
    tell(
        "latency",
        [
            Figure("p50_ms", float(np.percentile(found, 50)), "ms", note),
            Figure("p99_ms", float(np.percentile(found, 99)), "ms", note, "<= 250"),
            Figure("max_ms", float(found.max()), "ms", note),
        ],
        as_json=args.json,
    )


if __name__ == "__main__":
    main()
