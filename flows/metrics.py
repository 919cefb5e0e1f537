"""Prometheus metrics of a flow: counters as things happen, gauges read when scraped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from flows.backlog import Backlog
from flows.drift_metrics import drift_families
from flows.rising import Rising, summed
from flows.slo_metrics import slo_families
from models.slis.spread import AT_MOST
from models.spans.columns import Column, SpanKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from models.drift.fleet_table import FleetTable
    from models.runaways.baselines import Baselines
    from models.runs.table import RunTable
    from models.slis.panes import PaneTable
    from models.slos.table import SloTable
    from models.spans.batch import Decoded
    from models.spend.table import SpendTable
    from models.watermark import Watermark

_BATCH_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

_UNJOINED = "evaluations_unjoined"
_RUN_TEXTS = {
    "duplicates": "Spans with a trace and span id seen before, and evaluations seen before: counted once all the same.",
    "late": "Spans that came after their run had closed: they correct it, or are left out where it is forgotten.",
    "forgotten": "Closed runs forgotten before their time, to make room for others.",
    "cohorts_dropped": "Cohorts of a run beyond those that are kept.",
    "runs_closed": "Runs closed.",
    "runs_closed_root": "Runs closed by the end of their root span.",
    "runs_closed_idle": "Runs closed without a root span: idle, or too old.",
    "unpriced": "Closed runs whose cost is not known, or known only in part.",
    "not_agent": "Traces without any agent span, which are no runs.",
    _UNJOINED: "Evaluations that name no trace and found no run so far; falls when one is found.",
}
_SLI_TEXTS = {
    "sli_cells_late": "Counts too late for the panes of minutes: they count by day only, or nowhere.",
    "sli_cells_refused_cohort": "Counts of cohorts beyond the number that is kept apart.",
    "sli_cells_refused_workflow": "Counts of workflows beyond the number that is kept apart.",
    "sli_cells_to_other": "Counts of values beyond `slis.max_values` (by type of task five times it), now `other`.",
    "sli_users_refused": "Users beyond the number that is kept apart.",
}


@dataclass
class Seen:
    """What was read so far; times Unix ns, 0 before the first span."""

    spans: int = 0
    dead_letters: int = 0
    first_ns: int = 0
    last_ns: int = 0


class Metrics:
    """The metrics of one flow process. `clock` gives Unix ns; without one (replay) there is no lag to tell."""

    def __init__(self, clock: Callable[[], int] | None = None, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._clock = clock
        self._runs: dict[str, tuple[RunTable, Watermark]] = {}
        self._slis: dict[str, PaneTable] = {}
        self._run_counts, self._sli_counts = Rising(), Rising()
        self._slos: dict[str, SloTable] = {}
        self._spend: dict[str, SpendTable] = {}
        self._fleet: dict[str, FleetTable] = {}
        self._baselines: list[tuple[Baselines, Callable[[int], str | None]]] = []
        self.backlog = Backlog()
        """How old the input is that is read; alerts rest by it."""
        self._lags: dict[tuple[str, str], Callable[[], int]] = {}
        self.seen = Seen()
        self.problem: str | None = None
        """Why the flow is not healthy; None when it is."""
        self.messages = self._counter("flyball_messages", "OTLP messages read.")
        self.spans = self._counter("flyball_spans", "Spans and events decoded.")
        self.dead_letters = self._counter(
            "flyball_dead_letters", "Messages and spans that could not be used.", "reason"
        )
        self.mended = self._counter("flyball_mended", "Repairs made while decoding, by rule.", "rule")
        self.verdicts = self._counter("flyball_verdicts", "Verdicts on runs.", "workflow", "rule", "action", "mode")
        self.avoided = self._counter(
            "flyball_cost_avoided_usd",
            "What stopped runs would have cost on their way to their caps.",
            "workflow",
            "rule",
            "mode",
        )
        self.batch_seconds = Histogram(
            "flyball_batch_seconds",
            "Processing time of a batch, by step.",
            ["step"],
            buckets=_BATCH_SECONDS,
            registry=self.registry,
        )
        self.registry.register(_Live(self))

    def decoded(self, messages: int, decoded: Decoded) -> None:
        """Count what a batch of messages gave."""
        self.messages.inc(messages)
        is_span = decoded.spans[Column.KIND] != SpanKind.EVALUATION
        spans = int(is_span.sum())
        self.spans.inc(spans)
        self.seen.spans += spans
        self.seen.dead_letters += len(decoded.dead)
        if len(decoded.spans):
            ends = decoded.spans[Column.END]
            first, last = int(ends.min()), int(ends.max())
            self.seen.first_ns = min(self.seen.first_ns or first, first)
            self.seen.last_ns = max(self.seen.last_ns, last)
        for letter in decoded.dead:
            self.dead_letters.labels(letter.reason).inc()
        for rule, count in decoded.mended.items():
            self.mended.labels(rule).inc(count)

    def watch_runs(self, key: str, table: RunTable, watermark: Watermark) -> None:
        """Read this run shard at every scrape."""
        self._runs[key] = table, watermark
        self._run_counts.begin(table.counters)

    def watch_slis(self, key: str, table: PaneTable) -> None:
        """Read this series shard at every scrape."""
        self._slis[key] = table
        self._sli_counts.begin(table.counters)

    def watch_slos(self, key: str, table: SloTable) -> None:
        """Read this judge shard at every scrape."""
        self._slos[key] = table

    def watch_spend(self, key: str, table: SpendTable) -> None:
        """Read this spend shard at every scrape."""
        self._spend[key] = table

    def watch_baselines(self, baselines: Baselines, find_text: Callable[[int], str | None]) -> None:
        """Read these baselines at every scrape; `find_text` gives the text of their names."""
        self._baselines.append((baselines, find_text))

    def watch_fleet(self, key: str, table: FleetTable) -> None:
        """Read the evidence of drift at every scrape."""
        self._fleet[key] = table

    def watch_lag(self, topic: str, partition: str, lag: Callable[[], int]) -> None:
        """Read this source partition's lag at every scrape."""
        self._lags[topic, partition] = lag

    def run_counters(self) -> dict[str, int]:
        """Add up the counters of all run shards, with those of their earlier lives."""
        return summed(table.counters for table, _ in list(self._runs.values()))

    def collect(self) -> Iterator[Metric]:
        """Give what is read when scraped."""
        yield from self._run_families()
        yield from self._sli_families()
        if self._slos:
            yield from slo_families(list(self._slos.values()))
        yield from self._spend_families()
        yield self._baseline_family()
        yield from drift_families(list(self._fleet.values()))
        lag = GaugeMetricFamily(
            "flyball_consumer_lag_messages", "Messages not read yet.", labels=["topic", "partition"]
        )
        for (topic, partition), read in list(self._lags.items()):
            lag.add_metric([topic, partition], read())
        yield lag

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _spend_families(self) -> Iterator[Metric]:
        """Give what workflows and the product have spent in the day and month that it is; never users or tenants."""
        spent = GaugeMetricFamily(
            "flyball_spend_usd",
            "Spent in the day and month that it is; none where nothing has a price.",
            labels=["level", "workflow", "period"],
        )
        now_s = self._clock() // 10**9 if self._clock else None
        for table in list(self._spend.values()):
            for (level, name, period), usd in table.newest(now_s).items():
                spent.add_metric([level, name if level == "workflow" else "", period], usd)
        yield spent
        gone = GaugeMetricFamily(
            "flyball_spend_period_elapsed_ratio",
            "Share of the day and month that it is that has gone by, in `spend.time_zone`.",
            labels=["period"],
        )
        for table in list(self._spend.values())[:1]:  # all have one calendar
            for period, share in table.elapsed(now_s).items() if now_s is not None else ():
                gone.add_metric([period], share)
        yield gone

    def _baseline_family(self) -> Metric:
        """Give how many closed runs stand behind the baseline of a workflow, where it is least."""
        runs = GaugeMetricFamily(
            "flyball_baseline_runs",
            "Closed runs behind a baseline, in the worker with the fewest.",
            labels=["workflow"],
        )
        least: dict[str, int] = {}
        for baselines, find_text in list(self._baselines):
            for digest, count in baselines.evidence().items():
                name = find_text(digest) or "unknown"
                least[name] = min(count, least.get(name, count))
        for name, count in least.items():
            runs.add_metric([name], count)
        return runs

    def _run_families(self) -> Iterator[Metric]:
        now = self.run_counters()
        for name, count in self._run_counts.of(now).items():
            if name == "spans":  # counted where they are decoded
                continue
            value = now[name] if name == _UNJOINED else count
            yield CounterMetricFamily(f"flyball_{name}", _RUN_TEXTS[name], value=value)
        tables = [table for table, _ in list(self._runs.values())]
        yield GaugeMetricFamily("flyball_open_runs", "Runs in progress.", value=sum(t.open_runs for t in tables))
        yield GaugeMetricFamily(
            "flyball_remembered_runs", "Closed runs kept for corrections.", value=sum(t.remembered for t in tables)
        )
        size = GaugeMetricFamily("flyball_state_bytes", "Size of the state.", labels=["step"])
        size.add_metric(["track"], sum(t.memory_bytes for t in tables))
        size.add_metric(["measure"], sum(t.memory_bytes for t in list(self._slis.values())))
        yield size
        # a shard that holds no run does not tick: its watermark stands where the last one went
        held = [(table, watermark.current) for table, watermark in list(self._runs.values()) if watermark.current]
        heard = [at for table, at in held if table.open_runs or table.remembered]
        if self._clock and heard:
            lag = (self._clock() - min(heard)) / 1e9
            yield GaugeMetricFamily(
                "flyball_event_time_lag_seconds", "Clock less the oldest watermark of shards that hold runs.", value=lag
            )

    def _spread_family(self, now: int) -> Metric:
        lengths = GaugeMetricFamily(
            "flyball_trajectory_length_at_most", "Runs of the last 5 minutes by steps.", labels=["workflow", "le"]
        )
        for table in list(self._slis.values()):
            for workflow, counts in table.spread(now):
                for limit, count in zip((*map(str, AT_MOST), "+Inf"), counts, strict=True):
                    lengths.add_metric([workflow, limit], count)
        return lengths

    def _sli_families(self) -> Iterator[Metric]:
        labels = ["sli", "workflow", "dimension", "value", "window"]
        good = GaugeMetricFamily("flyball_sli_good", "Good events in the rolling window.", labels=labels)
        total = GaugeMetricFamily("flyball_sli_total", "All events in the rolling window.", labels=labels)
        quantiles = GaugeMetricFamily(
            "flyball_sli_quantile", "Quantile in the rolling window.", labels=[*labels, "quantile"]
        )
        now = self._clock() if self._clock else 0
        for table in list(self._slis.values()):
            for sli, group, window, n_good, n_total, points in table.gauges(now):
                extra = [(name, value) for name, value in group.items() if name != "workflow"] or [("", "")]
                values = [sli, group["workflow"], *extra[0], window]
                good.add_metric(values, n_good)
                total.add_metric(values, n_total)
                for quantile, value in zip(("0.5", "0.95", "0.99"), points or (), strict=False):
                    if value is not None:
                        quantiles.add_metric([*values, quantile], value)
        yield from (good, total, quantiles)
        yield self._spread_family(now)
        counted = summed(table.counters for table in list(self._slis.values()))
        for name, count in self._sli_counts.of(counted).items():
            yield CounterMetricFamily(f"flyball_{name}", _SLI_TEXTS[name], value=count)


class _Live:
    """Adapter: prometheus-client wants a collector object per registry."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> list[Metric]:
        """Give nothing: names are only known when scraped."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give what is read when scraped."""
        return self._metrics.collect()
