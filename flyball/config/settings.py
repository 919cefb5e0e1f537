# ruff: noqa: RUF009, TC003 -- `key` declares a field as `dataclasses.field` does; the types are read at run time
"""The keys of `flyball.yaml`. A key is one line: type, default, meaning. The reference page is made from them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from flyball.config.control import Control
from flyball.config.kafka import Kafka
from flyball.config.schema import Between, Count, Dollars, Port, Tree, Wrong, key, required, section
from flyball.config.units import Duration, Size, duration, show_duration, size

Share = Annotated[int, Between(1, 1024)]
Workers = Annotated[int, Between(1, 16)]  # the recovery store is made for at most this many
Period = Annotated[Duration, Between(0, duration("3650d"))]
Longer = Annotated[Duration, Between(duration("1s"), duration("3650d"))]
Body = Annotated[Size, Between(size("1kB"), size("1GiB"))]
Kept = Annotated[Size, Between(size("1kB"))]
Epoch = Annotated[Duration, Between(duration("100ms"), duration("60s"))]
_TOPIC = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,200}")  # what the embedded log and Kafka both take


@dataclass(frozen=True)
class Otlp:
    """Where agents and Collectors send OTLP, over HTTP and over gRPC."""

    host: str = key("127.0.0.1", "address to listen on; 0.0.0.0 is all of them, and there is no authentication")
    port: Port = key(4318, "port to listen on for HTTP; 0 takes a free one")
    grpc_port: Port | None = key(4317, "port to listen on for gRPC; 0 takes a free one, null listens on none")
    max_body: Body = key(size("16MB"), "larger requests, after decompression, are refused")

    def wrong(self) -> Iterator[Wrong]:
        """Yield a port that is taken twice."""
        if self.port and self.port == self.grpc_port:
            yield Wrong("grpc_port", f"{self.grpc_port}, which is otlp.port already", "a port of its own")


@dataclass(frozen=True)
class Metrics:
    """Where Prometheus reads `/metrics`."""

    host: str = key("127.0.0.1", "address to listen on")
    port: Port = key(9464, "port to listen on; 0 takes a free one")


@dataclass(frozen=True)
class Topics:
    """Names of the topics."""

    spans: str = key("otlp_spans", "read: spans, as the Collector's Kafka exporter writes them")
    logs: str = key("otlp_logs", "read: log events (evaluations, feedback)")
    runs: str = key("flyball.runs", "written: run records")
    slis: str = key("flyball.slis", "written: SLI records")
    slos: str = key("flyball.slos", "written: the state of SLOs, once a minute each; `gate` reads it")
    incidents: str = key(
        "flyball.incidents",
        "written by the flow, read by `deliver`: what people must hear; `control` adds what explains drift",
    )
    verdicts: str = key("flyball.verdicts", "written: what the stream decides about agents")
    spend: str = key("flyball.spend", "written: what users, tenants and workflows have spent")
    drift: str = key("flyball.drift", "written: streams with evidence of drift")
    orders: str = key("flyball.orders", "written by `control`, read by the flow: kills in force, accepted drift")
    dead_letters: str = key("flyball.dead_letters", "written: what could not be read, and why")

    def wrong(self) -> Iterator[Wrong]:
        """Yield names that stand for two topics, and those that no topic can have."""
        seen: dict[str, str] = {}
        for name, topic in vars(self).items():
            if not _TOPIC.fullmatch(topic):
                yield Wrong(name, f"'{topic}'", "at most 200 letters, digits, '.', '_' and '-', not beginning with '.'")
            first = seen.setdefault(topic, name)
            if first != name:
                yield Wrong(name, f"'{topic}', which is {first} already", "a topic of its own")


@dataclass(frozen=True)
class Log:
    """The log between the parts: embedded on this machine's disk, or Kafka when `brokers` are named."""

    embedded: Path | None = key(None, "folder of the embedded log; without it, `log` in the data folder")
    brokers: tuple[str, ...] = key((), "Kafka bootstrap addresses, as in [kafka-1:9092, kafka-2:9092]")
    kafka: Kafka = section(Kafka)
    partitions: Share = key(4, "of a topic that does not exist yet; an existing one keeps its own")
    retention_age: Longer = key(duration("72h"), "embedded log: older messages are dropped")
    retention_size: Kept = key(size("10GB"), "embedded log: the oldest messages of a topic beyond this are dropped")
    topics: Topics = section(Topics)
    start: Literal["oldest", "newest"] = key("oldest", "where to begin a topic that was never read before")
    on_lost: Literal["stop", "oldest", "newest"] = key(
        "stop", "when the messages to go on with are gone from the log: stop and say so, or go on there, with a gap"
    )

    def wrong(self) -> Iterator[Wrong]:
        """Yield keys that exclude each other."""
        if self.embedded and self.brokers:
            yield Wrong("brokers", "both embedded and brokers", "one of them")
        if self.kafka != Kafka() and not self.brokers:
            yield Wrong("brokers", "nothing, and how to speak to them", "the addresses of the brokers")


@dataclass(frozen=True)
class Flow:
    """The dataflow."""

    workers: Workers = key(1, "processes that share the work; may differ from one start to the next")
    epoch: Epoch = key(duration("1s"), "time between snapshots: what a crash repeats")
    lateness: Period = key(duration("60s"), "how late spans may come, in event time, before a pane is final")
    lag_limit: Longer = key(duration("5m"), "how old input may be when it is read; beyond, alerts rest and it is told")
    silent_after: Longer | None = key(
        None,
        "a workflow of which no run ends for this long is silent; without it, three times its longest gap of a week,"
        " 15m at least, once it has been heard for a week",
    )
    resolve_after: Longer = key(duration("1m"), "how long something must be right until its incident is resolved")
    tell_again_after: Longer = key(duration("4h"), "what stays wrong is told again after this long")
    recovery: Path | None = key(None, "folder of the snapshots; without it, `recovery` in the data folder")
    max_batch: Body = key(size("8MB"), "messages handed on at once from one partition")


@dataclass(frozen=True)
class Runs:
    """How spans become runs. Times are event time."""

    idle: Longer = key(duration("15m"), "a run without a root span closes after this long without a span")
    max_age: Longer = key(duration("24h"), "a run closes at this age in any case")
    remember: Longer = key(duration("24h"), "closed runs are kept this long for late spans and outcomes to correct")
    remember_max: Count = key(1_280_000, "closed runs kept at most, all together; the oldest are forgotten first")
    grace: Longer = key(duration("15m"), "in workflows that have evaluations, how long a closed run waits for its own")
    unknown: Literal["exclude", "good", "bad"] = key("exclude", "how task_success counts a run with no known outcome")
    escalation_tools: tuple[str, ...] = key(("transfer_to_human_agents",), "tools that hand the task to a person")

    def wrong(self) -> Iterator[Wrong]:
        """Yield times that contradict each other."""
        if self.idle > self.max_age:
            yield Wrong("idle", show_duration(self.idle), f"at most max_age, {show_duration(self.max_age)}")
        if self.grace > self.remember:
            yield Wrong("grace", show_duration(self.grace), f"at most remember, {show_duration(self.remember)}")


@dataclass(frozen=True)
class Caps:
    """Up to which a run counts as good in the trajectory_length SLIs."""

    steps: Count = key(150, "model calls and tool calls")
    llm_calls: Count = key(50, "model calls")
    tool_calls: Count = key(100, "tool calls")


@dataclass(frozen=True)
class Slis:
    """How SLIs are counted and told."""

    caps: Caps = section(Caps)
    early: Period = key(duration("50ms"), "a changing pane of a whole workflow is told this often")
    early_breakdowns: Period = key(duration("1s"), "and one of a version, tool, tenant ... this often")
    max_values: Count = key(200, "values kept apart per workflow and dimension; what is beyond goes to `other`")


@dataclass(frozen=True)
class DeliverMetrics:
    """Where Prometheus reads `/metrics` of `deliver`."""

    host: str = key("127.0.0.1", "address to listen on")
    port: Port = key(9463, "port to listen on; 0 takes a free one")


@dataclass(frozen=True)
class Deliver:
    """Delivery of pages; who is told of what stands in `routes.yaml`."""

    metrics: DeliverMetrics = section(DeliverMetrics)
    outbox: Path | None = key(None, "folder of the outbox; without it, `deliver` in the data folder")
    max_rows: Count = key(100_000, "deliveries that wait, and that are parked, at most; SEV-1 never gives way")
    give_up: Longer = key(duration("72h"), "what a sink has not taken for this long is parked")
    keep: Longer = key(duration("720h"), "how long ended pages are remembered; longer than the log keeps messages")


@dataclass(frozen=True)
class Price:
    """What a model costs, in USD per million tokens."""

    input: Dollars = required("tokens read")
    output: Dollars = required("tokens written")
    cache_read: Dollars | None = key(None, "input tokens found in the cache; without it, as input")
    cache_write: Dollars | None = key(None, "input tokens put into the cache; without it, as input")


@dataclass(frozen=True)
class Settings:
    """Everything that `flyball.yaml` says."""

    otlp: Otlp = section(Otlp)
    metrics: Metrics = section(Metrics)
    log: Log = section(Log)
    flow: Flow = section(Flow)
    runs: Runs = section(Runs)
    slis: Slis = section(Slis)
    deliver: Deliver = section(Deliver)
    control: Control = section(Control)
    attributes: Tree = key(Tree({}), "your own source attributes, asked before the built-in ones")
    prices: Mapping[str, Price] = key({}, "prices of your own by model name, before the built-in ones")

    def wrong(self) -> Iterator[Wrong]:
        """Yield a port that the process which receives would take twice; other processes may be elsewhere."""
        taken = {self.otlp.port: "otlp.port", self.otlp.grpc_port: "otlp.grpc_port"}
        hosts = {self.otlp.host, self.metrics.host}
        meet = len(hosts) == 1 or hosts & {"0.0.0.0", "::"}  # noqa: S104 - what it says, not what is listened on
        if meet and self.metrics.port and (other := taken.get(self.metrics.port)):
            yield Wrong("metrics.port", f"{self.metrics.port}, which is {other} already", "a port of its own")
