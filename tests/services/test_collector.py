"""The real OpenTelemetry Collector with our configuration of it, between agents and a real Kafka that a flow reads.

Skipped where nobody has put a Collector, with CI=true too: no distribution packages it, and building one takes minutes.
"""

from __future__ import annotations

import http.client
import random
import re
import subprocess
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Self

import grpc
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from models.simulation import Encoding, Generation, Scenario
from tests.conftest import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

SCENARIO: dict[str, Any] = {"seed": 21, "duration_s": 60.0, "rate": 3.0}
PATHS = {"spans": "/v1/traces", "logs": "/v1/logs"}
CALLS = {"spans": "trace.v1.TraceService", "logs": "logs.v1.LogsService"}
ENDLESS = [("grpc.max_send_message_length", -1)]
LARGEST = 15 << 20
"""A request of more bytes is refused by the receiver."""


@pytest.fixture(scope="module")
def tool() -> Any:
    """Give tests/services/collector.py."""
    found = load("collector_tool", "services/collector.py")
    reason = found.missing()
    if reason:
        pytest.skip(f"no Collector: {reason}")
    return found


@pytest.fixture
def deployment(tool: Any, kafka: Any, tmp_path: Path, live: Any) -> Iterator[Any]:
    """Give a deployment on the broker, whose topics take messages as large as in compose."""
    del tool  # asked first: without a Collector no topics are made
    with live.Deployment(tmp_path, kafka.address) as deployment:
        limit = ConfigEntry("max.message.bytes", str(1 << 24), incremental_operation=AlterConfigOpType.SET)
        topics = [deployment.topics[name] for name in live.READ]
        changes = [ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[limit]) for topic in topics]
        admin = AdminClient({"bootstrap.servers": kafka.address})
        for done in admin.incremental_alter_configs(changes).values():
            done.result(30)
        yield deployment


class Agents:
    """What exports to a Collector, by HTTP (protobuf and JSON) and by gRPC."""

    def __init__(self, collector: Any) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", collector.http_port, timeout=60)
        self._grpc = grpc.insecure_channel(f"127.0.0.1:{collector.grpc_port}", options=ENDLESS)

    def post(self, name: str, payload: bytes, kind: str = "x-protobuf") -> int:
        """Post a message; gives the status."""
        self._http.request("POST", PATHS[name], payload, {"Content-Type": f"application/{kind}"})
        answer = self._http.getresponse()
        answer.read()
        return answer.status

    def call(self, name: str, payload: bytes) -> str:
        """Call the service with a message; gives the name of the status."""
        try:
            self._grpc.unary_unary(f"/opentelemetry.proto.collector.{CALLS[name]}/Export")(payload, timeout=60)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"

    def __enter__(self) -> Self:
        """Do nothing: it is connected by the first message."""
        return self

    def __exit__(self, *error: object) -> None:
        """Hang up."""
        self._http.close()
        self._grpc.close()


@pytest.fixture
def collector(tool: Any, deployment: Any, kafka: Any, tmp_path: Path) -> Iterator[Any]:
    """Give the Collector, running."""
    with tool.Collector(tmp_path, kafka.address, deployment.topics) as collector:
        yield collector


@pytest.fixture
def agents(collector: Any) -> Iterator[Agents]:
    """Give agents that export to it."""
    with Agents(collector) as agents:
        yield agents


def messages(deployment: Any, live: Any, name: str) -> list[tuple[int, bytes]]:
    """Read a topic to its end: (partition, message)."""
    out = []
    for partition in range(live.PARTITIONS):
        reader = deployment.log.reader(deployment.topics[name], partition, None)
        while reader.lag():
            out += [(partition, message.value) for message in reader.poll(10_000, 64 << 20)]
        reader.close()
    return out


def records(payload: bytes) -> int:
    """Count the log records of a message."""
    return sum(
        len(scope.log_records) for each in LogsData.FromString(payload).resource_logs for scope in each.scope_logs
    )


def logs(count: int, size: int) -> bytes:
    """Make a request of log records with bodies that cannot be compressed."""
    made = LogsData()
    scope = made.resource_logs.add().scope_logs.add()
    for number in range(count):
        record = scope.log_records.add(time_unix_nano=1, event_name="content")
        record.body.bytes_value = random.Random(number).randbytes(size)  # noqa: S311 -- no secret
    return made.SerializeToString()


def test_it_takes_our_configuration(tool: Any, collector: Any) -> None:
    """Without a word of what is deprecated, unknown or wrong; it tells that it is well, and how it does."""
    checked = subprocess.run([tool.program(), "validate", f"--config={tool.CONFIG}"], capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    said = collector.said()
    assert "Everything is ready" in said
    assert [line for line in said.splitlines() if re.search(r"\t(warn|error)\t|deprecat", line)] == []
    assert "otelcol_process_uptime" in collector.metrics()


def test_what_agents_send_is_told_as_by_a_replay(
    deployment: Any, collector: Any, agents: Agents, live: Any, kafka: Any, tmp_path: Path
) -> None:
    """By three protocols, and the broker killed in mid-stream: runs and SLIs are the truth, nothing is a dead letter.

    A trace lies in one partition, and no span is there twice.
    """
    traffic = live.traffic(**SCENARIO)
    oracle = live.expected([payload for _, payload in traffic.messages], tmp_path)
    live.check_truth(oracle, traffic.truth)
    in_json = [each.payload for each in Generation(Scenario(**{"batch": 16} | SCENARIO), Encoding.JSON)]
    deployment.start()
    for number, ((name, payload), text) in enumerate(zip(traffic.messages, in_json, strict=True)):
        if number == len(in_json) // 3:
            kafka.kill()
        if number == len(in_json) // 2:
            kafka.start()
        if number % 3 == 2:
            assert agents.call(name, payload) == "OK"
        else:
            assert agents.post(name, *((payload, "x-protobuf") if number % 3 else (text, "json"))) == 200
    assert agents.post("spans", large_span(live.quiet_span(99, traffic.end_ns))) == 200
    live.until(lambda: deployment.check_alive() and not collector.metrics()["otelcol_exporter_queue_size"], "it waits")
    deployment.append_each(traffic.marks())
    live.until(
        lambda: deployment.check_alive() and deployment.watcher.read().facts() == oracle.facts(),
        lambda: deployment.watcher.told.differences(oracle),
    )
    told = deployment.watcher.read_all()
    live.check_truth(told, traffic.truth)
    assert told.dead_letters == []
    runbook = (live.ROOT / "alerts" / "runbooks" / "telemetry.silent.md").read_text()
    assert set(re.findall(r"otelcol_\w+", runbook)) <= collector.metrics().keys()
    places, seen = defaultdict(set), Counter[bytes]()
    for partition, payload in messages(deployment, live, "spans"):
        for resource in TracesData.FromString(payload).resource_spans:
            for span in (span for scope in resource.scope_spans for span in scope.spans if span.name != "quiet"):
                places[span.trace_id].add(partition)
                seen[span.trace_id + span.span_id] += 1
    assert max(map(len, places.values())) == max(seen.values()) == 1
    deployment.stop()


def large_span(payload: bytes) -> bytes:
    """Give the span of a message an attribute, so that it is as large as a request may be."""
    data = TracesData.FromString(payload)
    (span,) = data.resource_spans[0].scope_spans[0].spans
    span.attributes.add(key="large").value.bytes_value = random.Random(1).randbytes(LARGEST - 200)  # noqa: S311
    return data.SerializeToString()


def test_nothing_that_was_taken_is_too_large(deployment: Any, collector: Any, agents: Agents, live: Any) -> None:
    """Many requests at once, one as large as may be, and one that is larger: it is refused, all others arrive."""
    sent = [logs(1, 1_000_000)] * 20 + [logs(500, 20_000)] * 3 + [logs(1, LARGEST - 100)]
    assert {agents.post("logs", each) for each in sent} == {200}
    assert agents.call("logs", sent[-1]) == "OK"
    assert agents.post("logs", logs(1, LARGEST)) == 400
    assert agents.call("logs", logs(1, LARGEST)) == "RESOURCE_EXHAUSTED"
    count = sum(map(records, sent)) + 1
    live.until(lambda: collector.metrics().get("otelcol_exporter_sent_log_records") == count, collector.said)
    assert sum(records(payload) for _, payload in messages(deployment, live, "logs")) == count
    assert collector.metrics()["otelcol_exporter_send_failed_log_records"] == 0


def test_what_it_cannot_keep_is_refused(tool: Any, tmp_path: Path) -> None:
    """Kafka away and the queue full: senders are told to try again, by both protocols, and it is counted."""
    collector = tool.Collector(tmp_path, "127.0.0.1:9", {"spans": "spans", "logs": "logs"})
    queue = collector.config["exporters"]["kafka"]["sending_queue"]
    queue["queue_size"] = 2_000_000
    payload, answers = logs(1, 500_000), Counter[Any]()
    with collector, Agents(collector) as agents:
        for _ in range(10):
            answers.update([agents.post("logs", payload), agents.call("logs", payload)])
        counted = collector.metrics()
    taken = answers[200] + answers["OK"]
    assert answers.keys() == {200, "OK", 503, "UNAVAILABLE"}
    assert taken * len(payload) <= queue["queue_size"]
    assert counted["otelcol_receiver_refused_log_records"] == 20 - taken


def test_its_end_loses_nothing(tool: Any, deployment: Any, kafka: Any, live: Any, tmp_path: Path) -> None:
    """Ended at once after the last answer, as by an upgrade: all that was taken is in Kafka."""
    with tool.Collector(tmp_path, kafka.address, deployment.topics) as collector, Agents(collector) as agents:
        assert {agents.post("logs", logs(10, 1000)) for _ in range(50)} == {200}
    assert sum(records(payload) for _, payload in messages(deployment, live, "logs")) == 500
