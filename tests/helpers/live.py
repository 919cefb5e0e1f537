"""A deployment under test: simulated traffic with its truth, flow processes to start and kill, records to read back."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import orjson
from confluent_kafka import Producer
from loopback import free_ports
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from flows.replay import parsed, replay
from flows.settings import FlowSettings
from models.simulation import Encoding, Generation, Scenario
from streams.embedded import EmbeddedLog, Settings
from streams.kafka import KafkaLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from flows.items import Outbound
    from streams.port import Log, Writer

ROOT = Path(__file__).resolve().parents[2]
READ, WRITTEN = ("spans", "logs"), ("runs", "slis", "dead_letters")
"""Topics, by the names that the configuration has for them."""
PARTITIONS = 4
PROCESSES = 3
"""The most of a flow: each has a port for metrics."""
HOUR = 3600 * 10**9
WAIT_S = 120.0
"""How long anything may take: on a fresh machine every kernel is compiled first."""


def until(condition: Callable[[], Any], what: Callable[[], str] | str, seconds: float = WAIT_S) -> Any:
    """Poll until the condition holds and give what it gave; fails, saying `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(what if isinstance(what, str) else what())
        time.sleep(0.02)
    return found


# what goes in


@dataclass(frozen=True)
class Traffic:
    """Messages as (spans or logs, payload) in order of export, and what is true of them."""

    messages: list[tuple[str, bytes]] = field(repr=False)
    truth: dict[str, dict[str, Any]] = field(repr=False)
    """What was simulated, by run id."""
    end_ns: int

    def marks(self) -> list[bytes]:
        """Give messages, one a partition of each topic read, an hour later: with them everything before settles."""
        return [quiet_span(number, self.end_ns + HOUR) for number in range(len(READ) * PARTITIONS)]


def traffic(**scenario: Any) -> Traffic:
    """Simulate; the settings are those of `Scenario`."""
    generation = Generation(Scenario(**{"batch": 16} | scenario), Encoding.PROTOBUF)
    exported = list(generation)
    messages = [("spans" if each.signal == "traces" else "logs", each.payload) for each in exported]
    truth = {run["run_id"]: run for run in generation.truth.take()}
    return Traffic(messages, truth, max(each.event_ns for each in exported))


def quiet_span(number: int, end_ns: int) -> bytes:
    """Give a message with one span that is of no agent: it moves the watermark and nothing else."""
    data = TracesData()
    span = data.resource_spans.add().scope_spans.add().spans.add()
    span.name, span.trace_id, span.span_id = "quiet", bytes(15) + bytes([number + 1]), b"\1" * 8
    span.start_time_unix_nano = span.end_time_unix_nano = end_ns
    return data.SerializeToString()


# what comes out


@dataclass
class Told:
    """The truth that records tell: the last revision of each run, and of each pane of each group of each SLI."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    panes: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict, repr=False)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    records: int = 0

    def add(self, record: dict[str, Any]) -> None:
        """Take a record; told again under the same revision it must say the same."""
        self.records += 1
        if record["kind"] == "run":
            _keep(self.runs, record["run_id"], record)
        elif record["kind"] == "sli":
            group = json.dumps(record["group"], sort_keys=True)
            _keep(self.panes, (record["sli"], group, record["pane_start"]), record)
        elif record["kind"] == "dead_letter":
            self.dead_letters.append(record)

    def totals(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Add up the panes: (SLI, group) -> total, good."""
        out: dict[tuple[str, str], tuple[int, int]] = {}
        for (sli, group, _), record in self.panes.items():
            total, good = out.get((sli, group), (0, 0))
            out[sli, group] = total + record["total"], good + record["good"]
        return out

    def facts(self) -> tuple[dict[str, Any], dict[Any, Any]]:
        """Give what two deployments must agree on: all but revisions; a pane that was emptied is none."""
        runs = {key: facts_of(record) for key, record in self.runs.items()}
        panes = {key: facts_of(record) for key, record in self.panes.items() if record["total"]}
        return runs, panes

    def differences(self, other: Told) -> str:
        """Say where the facts differ, a few of them."""
        lines = []
        for name, mine, theirs in zip(("runs", "panes"), self.facts(), other.facts(), strict=True):
            keys = sorted({key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)}, key=str)
            lines.append(f"{len(mine)} {name} and {len(theirs)} expected, {len(keys)} differ")
            lines += [f"  {key}: {mine.get(key)}\n     expected {theirs.get(key)}" for key in keys[:3]]
        return "\n".join(lines)


def _keep(kept: dict[Any, dict[str, Any]], key: Any, record: dict[str, Any]) -> None:
    known = kept.get(key)
    if known is None or record["revision"] > known["revision"]:
        kept[key] = record
    elif record["revision"] == known["revision"]:
        assert record == known, f"one revision, two contents: {record} and {known}"


def facts_of(record: dict[str, Any]) -> dict[str, Any]:
    """Give a record without its revision."""
    return {name: value for name, value in record.items() if name != "revision"}


class Watcher:
    """Reads the record topics of a log as they grow."""

    def __init__(self, log: Log, topics: Sequence[str]) -> None:
        self._log = log
        self._topics = topics
        self._readers: list[Any] = []
        self.told = Told()

    def read(self) -> Told:
        """Take what has come."""
        if not self._readers:
            counts = {topic: self._log.partitions(topic) for topic in self._topics}
            if not all(counts.values()):
                return self.told
            self._readers = [self._log.reader(topic, i, None) for topic in self._topics for i in range(counts[topic])]
        for reader in self._readers:
            while batch := reader.poll(10_000, 16 << 20):
                for message in batch:
                    self.told.add(orjson.loads(message.value))
        return self.told

    def read_all(self) -> Told:
        """Take what there is, to the end of every partition."""
        until(lambda: self.read() and self._readers and not any(reader.lag() for reader in self._readers), "no end")
        return self.told

    def close(self) -> None:
        """Close the readers."""
        for reader in self._readers:
            reader.close()
        self._readers = []


def expected(messages: Iterable[bytes], folder: Path) -> Told:
    """Replay the messages in this process: what any deployment must come to tell."""
    path = folder / "oracle.pb"
    path.write_bytes(b"".join(struct.pack(">I", len(payload)) + payload for payload in messages))
    out: list[Outbound] = []
    replay([path], FlowSettings(), out.extend)
    told = Told()
    for record in parsed(out):
        told.add(record)
    return told


def check_truth(told: Told, truth: dict[str, dict[str, Any]]) -> None:
    """Hold the records of runs, and the totals of SLIs, against what was simulated."""
    assert told.runs.keys() == truth.keys()
    for run_id, run in truth.items():
        found = told.runs[run_id]
        for name in ("workflow", "version", "environment", "tenant", "user", "llm_calls", "tool_calls", "tool_errors"):
            assert (name, found[name]) == (name, run[name])
        assert (found["input_tokens"], found["output_tokens"]) == (run["input_tokens"], run["output_tokens"])
        assert found["escalated"] == run["escalated"]
        if run["evaluated"]:
            assert found["outcome"] == ("success" if run["success"] else "failure")
    totals = told.totals()
    for workflow in {run["workflow"] for run in truth.values()}:
        runs = [run for run in truth.values() if run["workflow"] == workflow]
        group = json.dumps({"workflow": workflow})
        escalated, calls = sum(run["escalated"] for run in runs), sum(run["tool_calls"] for run in runs)
        assert totals["escalation_rate", group] == (len(runs), len(runs) - escalated)
        assert totals["tool_success", group] == (calls, calls - sum(run["tool_errors"] for run in runs))


def drop_old_messages(folder: Path) -> None:
    """Let an embedded log's retention drop all there is."""
    EmbeddedLog(folder, Settings(segment_bytes=1, max_bytes=PARTITIONS)).retain()


def keyed_by_trace(messages: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes, bytes]]:
    """Cut messages as a Collector does with partition_traces_by_id: (name, trace id, payload of that trace alone)."""
    out = []
    for name, payload in messages:
        if name != "spans":
            continue
        parts: dict[bytes, TracesData] = {}
        for resource in TracesData.FromString(payload).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    own = parts.setdefault(span.trace_id, TracesData()).resource_spans.add(resource=resource.resource)
                    own.scope_spans.add(scope=scope.scope, spans=[span])
        out += [(name, trace, data.SerializeToString()) for trace, data in parts.items()]
    return out


# what runs


def get(url: str) -> tuple[int, str]:
    """Ask a server; status 0 while nobody listens, or only we: a port of our own may be given us to call from."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 -- our own servers
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""


def descendants(pid: int) -> list[int]:
    """List the processes below one."""
    children = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _parent(entry) == pid]
    return children + [below for child in children for below in descendants(child)]


def is_running(pid: int) -> bool:
    """Tell whether the process is there, and no zombie."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int) -> None:
    """Kill a process that we started, if it still is there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return -1


class Command:
    """A `flyball` command as a process group of its own; its words go to a file."""

    def __init__(self, folder: Path, *arguments: str, fork: Callable[..., Any] | None = None) -> None:
        """`fork` starts it, as `forked.Nursery.fork` does; without it, Python does."""
        self.said_in = folder / f"{time.monotonic_ns()}.log"
        if fork:
            self.process: Any = fork(self.said_in, *arguments)
            return
        with self.said_in.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flyball", *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Give what it printed."""
        return self.said_in.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it still is there."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 60.0) -> int:
        """Send the signal and wait for the exit code."""
        self.send(number)
        return self.process.wait(seconds)


class Deployment:
    """A log, embedded or at `broker`, with configuration, data and processes. Ends what it started when left."""

    def __init__(self, folder: Path, broker: str | None = None, *, ensure: bool = True, **settings: Any) -> None:
        """`ensure` makes the topics; without it that is left to the flow, and the broker need not be there yet."""
        self.folder = folder
        self.config, self.data = folder / "config", folder / "data"
        self.config.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(exist_ok=True)
        self.metrics_port = free_ports(PROCESSES)[0]
        self.running: list[Command] = []
        self.fork: Callable[..., Any] | None = None
        """Starts commands from now on, see `Command`."""
        own = uuid.uuid4().hex[:8]  # other tests may use the same broker
        self.topics = {name: f"{name}-{own}" for name in (*READ, *WRITTEN)}
        self._broker = broker
        self.log: Log = KafkaLog(broker) if broker else EmbeddedLog(self.data / "log")
        for topic in self.topics.values() if ensure else ():
            self.log.ensure(topic, PARTITIONS)
        self._writer: Writer | None = None
        self.watcher = Watcher(self.log, [self.topics[name] for name in WRITTEN])
        self.configure(**settings)

    def configure(self, **settings: Any) -> None:
        """Write the configuration; what is not said is as usual but for names, ports and short epochs."""
        log: dict[str, Any] = {"topics": self.topics} | ({"brokers": [self._broker]} if self._broker else {})
        said: dict[str, Any] = {"metrics": {"port": self.metrics_port}, "flow": {"epoch": "300ms"}, "log": log}
        said["otlp"] = {"grpc_port": None}
        said["deliver"], said["control"] = {"metrics": {"port": 0}}, {"port": 0}  # others test at the same time
        for name, section in settings.items():
            said[name] = said.get(name, {}) | section
        (self.config / "flyball.yaml").write_text(json.dumps(said))

    def __enter__(self) -> Self:
        """Do nothing: processes are started by `start`."""
        return self

    def __exit__(self, *error: object) -> None:
        """Kill what is still there."""
        self.kill()
        self.watcher.close()
        if self._writer:
            self._writer.close()
        self.log.close()

    def append(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Append (spans or logs, payload) to the log as a Collector does, without keys, and wait till it has them."""
        self._writer = self._writer or self.log.writer()
        for name, payload in messages:
            self._writer.append(self.topics[name], [(None, payload)])
        self._writer.flush()

    def backlog(self) -> int | None:
        """Count the messages of spans that the flow has not said to have read; None before it said anything."""
        return self.log.backlog(self.topics["spans"])

    def append_each(self, marks: Iterable[bytes]) -> None:
        """Append one message to each partition of each topic read."""
        left = list(marks)
        for name in READ:
            topic = self.topics[name]
            if self._broker:
                producer = Producer({"bootstrap.servers": self._broker})
                for partition in range(PARTITIONS):
                    producer.produce(topic, left.pop(), partition=partition)
                assert producer.flush(30) == 0
            else:  # in turn
                self.append((name, left.pop()) for _ in range(PARTITIONS))

    def command(self, *arguments: str) -> Command:
        """Start a command with this configuration and data."""
        told = ("--config", str(self.config), "--data", str(self.data))
        started = Command(self.folder, *arguments, *told, fork=self.fork)
        self.running.append(started)
        return started

    def run(self, *arguments: str) -> str:
        """Run a command with this configuration and data to its end, which must be good; gives what it said."""
        call = [sys.executable, "-m", "flyball", *arguments, "--config", str(self.config), "--data", str(self.data)]
        done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait until something is so, while all processes still run."""
        return until(lambda: self.check_alive() and condition(), lambda: "".join(each.said for each in self.running))

    def start(self, workers: int = 1) -> None:
        """Start the processes of a flow."""
        assert workers <= PROCESSES
        addresses = ";".join(f"127.0.0.1:{port}" for port in free_ports(workers)) if workers > 1 else ""
        for number in range(workers):
            self.command("flow", "--process", str(number), "--addresses", addresses)

    def check_alive(self) -> bool:
        """Fail with its words when a process has ended."""
        for each in self.running:
            assert each.process.poll() is None, each.said
        return True

    def kill(self) -> None:
        """Kill every process on the spot, with its children."""
        for each in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(each.process.pid, signal.SIGKILL)
            each.process.wait(30)
        self.running = []

    def stop(self) -> None:
        """End every process with SIGTERM; each must end well."""
        for each in self.running:
            each.send(signal.SIGTERM)
        for each in self.running:
            assert each.process.wait(60) == 0, each.said
        self.running = []

    def kill_trees(self) -> None:
        """Kill every process with all that descend from it, wherever they put themselves."""
        for each in self.running:
            for pid in (*descendants(each.process.pid), each.process.pid):
                kill(pid)
        self.kill()

    def metrics(self, process: int = 0) -> str:
        """Give what a flow process serves at /metrics; empty while it does not."""
        return get(f"http://127.0.0.1:{self.metrics_port + process}/metrics")[1]
