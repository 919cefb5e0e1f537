"""Prometheus metrics of the control plane: counters as things happen, the rest as it is when scraped."""

from __future__ import annotations

from collections import Counter as Counts
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flyball_sdk.decision import ALLOW
from flyball_sdk.scope import PRODUCT, TENANT, USER, WORKFLOW
from flyball_sdk.state import FULL, NEUTRAL, STATIC
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from flyball_sdk.envelope import Envelope
    from flyball_sdk.state import State
    from prometheus_client.core import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
_BUDGETED: Final = (PRODUCT, WORKFLOW, TENANT, USER)
_MOST_RULES: Final = 200
"""Names of rules kept apart; what is beyond goes to `other`."""


class Look(NamedTuple):
    """How the control plane stands when somebody scrapes."""

    active: Mapping[tuple[str, str], int]
    """Signals that are not neutral, by level of their scope and by kind."""
    guards: int
    streams: int
    waiting_kills: int
    """Kills that not all of their guards have acknowledged since; 0 where there is no guard."""
    entries: int
    """Height of the audit log."""
    unsigned: int
    """Audit entries after the last checkpoint."""
    unwritten: int
    """Audit entries that wait for the disk."""
    healthy: bool
    read_age_s: float | None
    """Since the log was last read to where it is; None: there is no log."""
    lags: Mapping[tuple[str, int], int]
    """Messages that are not taken yet, by topic and partition."""
    near_budget: Mapping[str, int] = MappingProxyType({})
    """How many scopes have used 75 % or more of a budget, by level."""


class Metrics:
    """The metrics of one control plane. Never a run's, user's or tenant's name; those are in the audit log."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._rules: set[str] = set()
        self._decisions = self._counter(
            "flyball_guard_decisions", "Decisions of /v1/guard.", "kind", "decision", "rule", "mode", "degraded"
        )
        self._seconds = Histogram(
            "flyball_guard_decision_seconds",
            "How long a decision of /v1/guard took, without HTTP.",
            ["kind"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._refused = self._counter("flyball_control_refused", "Requests that were not answered.", "status")
        self._signals = self._counter("flyball_signals", "Signals given out, by kind.", "level", "kind")
        self._commands = self._counter("flyball_commands", "Commands of people.", "command")
        self._verdicts = self._counter(
            "flyball_verdicts_taken", "Verdicts read from the log.", "level", "rule", "action", "changed"
        )
        self._unreadable = self._counter("flyball_control_unreadable", "Records of the log that could not be read.")
        self._lost = self._counter("flyball_audit_lost_decisions", "Decisions that found no room in the audit log.")
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Have the series that everybody looks for from the start: what comes up at 1 has no rate."""
        for kind in ("tool", "llm"):
            self._decisions.labels(kind, ALLOW, "", "enforce", "none")
            self._seconds.labels(kind)
        for status in ("401", "403", "429", "503"):
            self._refused.labels(status)
        for command in ("kill", "resume", "set"):
            self._commands.labels(command)

    def decided(self, kind: str, said: Mapping[str, Any], seconds: float) -> None:
        """Count a decision, as it is answered."""
        rule, degraded = self._rule(said["reason_code"]), said["degraded"]
        self._decisions.labels(kind, said["decision"], rule, said["mode"], degraded).inc()
        self._seconds.labels(kind).observe(seconds)

    def refused(self, status: int) -> None:
        """Count a request that got no answer: 401 and 403 have no key for it, 429 come too often, 5xx have to wait."""
        self._refused.labels(str(status)).inc()

    def told(self, changed: Sequence[Envelope]) -> None:
        """Count signals that are given out."""
        for each in changed:
            self._signals.labels(each.scope.level, kind_of(each.state)).inc()

    def noted(self, kind: str, what: Mapping[str, Any]) -> None:
        """Count what goes into the audit log."""
        if kind == "command":
            self._commands.labels(what["command"]).inc()
        elif kind == "verdict":
            changed = "yes" if what["changed"] else "no"
            self._verdicts.labels(what["scope"]["level"], self._rule(what["rule"]), what["action"], changed).inc()
        elif kind == "unreadable":
            self._unreadable.inc()
        elif kind == "lost":
            self._lost.inc(what["decisions"])

    def watch(self, look: Callable[[], Look]) -> None:
        """Ask how the control plane stands whenever somebody scrapes."""
        self.registry.register(_Live(look))

    def text(self) -> bytes:
        """Write all of it, as Prometheus reads it."""
        return generate_latest(self.registry)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self.registry)

    def _rule(self, name: str) -> str:
        """Keep the number of series bounded, whatever rules are called."""
        if name not in self._rules:
            if len(self._rules) >= _MOST_RULES:
                return "other"
            self._rules.add(name)
        return name


def kind_of(state: State) -> str:
    """Name the strictest thing that a state asks: kill, block, bound, throttle; `clear` where it asks nothing."""
    if state == NEUTRAL:
        return "clear"
    if state.kill:
        return "kill"
    if state.deny or state.level == STATIC:
        return "block"
    return "bound" if state.tools is not None or state.level != FULL else "throttle"


def active(signals: Mapping[Any, Envelope]) -> Counts[tuple[str, str]]:
    """Count signals by level and kind."""
    return Counts((each.scope.level, kind_of(each.state)) for each in signals.values())


class _Live:
    """Gauges that are asked for when scraped."""

    def __init__(self, look: Callable[[], Look]) -> None:
        self._look = look

    def describe(self) -> list[Metric]:
        """Promise nothing in advance: asking is left to scrapes."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give the gauges."""
        look = self._look()
        active = GaugeMetricFamily(
            "flyball_signals_active", "Scopes of which something is asked.", None, ["level", "kind"]
        )
        for labels, count in look.active.items():
            active.add_metric(labels, count)
        lag = GaugeMetricFamily(
            "flyball_consumer_lag_messages", "Messages not read yet.", labels=["topic", "partition"]
        )
        for (topic, partition), count in look.lags.items():
            lag.add_metric([topic, str(partition)], count)
        near = GaugeMetricFamily(
            "flyball_scopes_near_budget", "Scopes that have used 75 % or more of a budget of money.", labels=["level"]
        )
        for level in _BUDGETED:
            near.add_metric([level], look.near_budget.get(level, 0))
        yield from (active, lag, near)
        yield CounterMetricFamily("flyball_audit_entries", "Height of the audit log.", look.entries)
        if look.read_age_s is not None:
            yield _gauge("flyball_control_read_age_seconds", "Since the log was last read.", look.read_age_s)
        yield _gauge("flyball_control_healthy", "1 while /healthz says that all is well.", int(look.healthy))
        yield _gauge("flyball_guards_connected", "Guards that are there.", look.guards)
        yield _gauge("flyball_guard_streams", "Open streams of signals.", look.streams)
        yield _gauge("flyball_kills_waiting", "Kills that not all guards have acknowledged.", look.waiting_kills)
        yield _gauge("flyball_audit_unsigned_entries", "Audit entries after the last checkpoint.", look.unsigned)
        yield _gauge("flyball_audit_unwritten_entries", "Audit entries that wait for the disk.", look.unwritten)


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value)
