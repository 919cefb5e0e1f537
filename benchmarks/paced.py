"""A deployment on a real broker under a paced load: what `latency.py`, `paging.py` and `signals.py` share."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests" / "services")]

from broker import Broker, missing
from report import Figure

from models.simulation import Encoding, Scenario, generate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

RATE = 50_000
SPANS_A_MESSAGE = 64
SPANS_A_RUN = 20
EVERY_S = 0.5
MINUTE_NS = 60_000_000_000
Closed = list[tuple[str, int]]
"""(workflow, minute) of each run that a message closes."""
Plan = list[tuple[float, bytes, Closed]]
"""(second to send at, message, what it closes); an empty message is made when it is sent."""
Appended = list[tuple[int, Closed]]
"""(the broker's time of the append in ns, what the message closes), in order per partition."""


class Deployment:
    """A broker, and parts of Flyball as processes of their own, while it is entered."""

    def __init__(self, files: Mapping[str, str] | None = None) -> None:
        """`files` are those of the configuration directory beside flyball.yaml."""
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self._temporary.name)
        self._broker = Broker(self.folder / "kafka")
        self._files = dict(files or {})
        self.parts: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """The broker's."""
        return str(self._broker.address)

    def __enter__(self) -> Self:
        """Start the broker and write the configuration; all ports are free ones."""
        self._broker.start()
        config = self.folder / "config"
        config.mkdir()
        free = "{port: 0}"
        own = f"log: {{brokers: ['{self.address}']}}\nmetrics: {free}\ncontrol: {free}\ndeliver: {{metrics: {free}}}\n"
        for name, text in {"flyball.yaml": own, **self._files}.items():
            (config / name).write_text(text)
        return self

    def __exit__(self, *error: object) -> None:
        """End everything."""
        for part in self.parts:
            part.kill()
        self._broker.stop()
        self._temporary.cleanup()

    def start(self, *names: str) -> None:
        """Start parts, the flow first."""
        where = ["--config", str(self.folder / "config"), "--data", str(self.folder / "data")]
        self.parts = [subprocess.Popen([sys.executable, "-m", "flyball", name, *where], cwd=ROOT) for name in names]

    def warm(self, plan: Plan) -> None:
        """Send a first part and wait for an answer to it: a flow that has never run compiles before it reads."""
        self.warmed = produce(self.address, plan)
        await_answers(self.address, self.parts[0])

    def stop(self) -> None:
        """Stop the parts well."""
        for part in self.parts:
            part.send_signal(signal.SIGTERM)
        for part in self.parts:
            part.wait(30)


def can_run() -> bool:
    """Tell whether there can be a broker, and say why not."""
    reason = missing()
    if reason:
        print(f"left out: {reason}", file=sys.stderr)
    return not reason


def planned(seconds: float) -> tuple[Plan, Plan]:
    """Give the load in two: what warms up, and what is measured."""
    plan = schedule(seconds, time.time_ns() - 30_000_000_000)
    return plan[: len(plan) // 10], plan[len(plan) // 10 :]


def with_incidents(plan: Plan) -> Plan:
    """Give the plan with a message to be made every EVERY_S, numbered from 1 by what it closes: (number, 0)."""
    times = np.arange(plan[0][0] + EVERY_S, plan[-1][0], EVERY_S).tolist()
    marks: Plan = [(at, b"", [(str(k + 1), 0)]) for k, at in enumerate(times)]
    return sorted([*plan, *marks], key=lambda item: item[0])


def begun(appended: Appended) -> dict[int, int]:
    """Give when each of these messages was appended, by number."""
    return {int(closed[0][0]): at for at, closed in appended if closed and closed[0][1] == 0}


def figures(took: Sequence[float], asked: int, what: str, limit_ms: int) -> list[Figure]:
    """Give percentiles of times in ms, of so many that were asked for."""
    note = f"{len(took):,} of {asked:,} {what}, {RATE:,} spans/s"
    return [
        Figure("p50_ms", float(np.percentile(took, 50)), "ms", note),
        Figure("p99_ms", float(np.percentile(took, 99)), "ms", note, f"<= {limit_ms}"),
        Figure("max_ms", float(np.max(took)), "ms", note),
        Figure("missing", asked - len(took), "", note, "0"),
    ]


def schedule(seconds: float, start_ns: int) -> Plan:
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
    sent, out = 0, []
    for exported in generate(scenario, Encoding.PROTOBUF):
        if exported.signal != "traces":
            continue
        out.append((sent / RATE, exported.payload, _closing(exported.payload)))
        sent += exported.records
        if sent > seconds * RATE:
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
                    out.append((names["flyball.workflow"], span.end_time_unix_nano // MINUTE_NS))
    return out


def produce(broker: str, plan: Plan, make: Callable[[int], bytes] | None = None) -> Appended:
    """Send the plan at its pace; gives (broker's time of the append in ns, runs closed) in order per partition.

    A message that is empty is made when it is sent; `make` is given a number, from 1.
    """
    from confluent_kafka import Producer

    appended: Appended = []

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
