"""The page of metrics: what each part's `/metrics` can have, as found by scraping parts that did a little of all."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client.metrics import MetricWrapperBase

from alerts.metrics import Metrics as DeliveryMetrics
from control.metrics import Look
from control.metrics import Metrics as ControlMetrics
from flows.metrics import Metrics as FlowMetrics
from flows.replay import replay
from flows.settings import FlowSettings
from flyball.openslo.load import slos_of
from models.simulation import Encoding, Scenario, generate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry

_HEAD = """# Metrics

What a scrape of each part gives. Counters end in `_total`, histograms have `_bucket`, `_sum` and `_count`. Runs and
users are never labels; SLIs are split by one dimension at a time, tenants among them, up to `slis.max_values` values
each. Series named as Sloth's are there so that its dashboards work ([SLOs](slos.md)). Who uses them:
[Dashboards](dashboards.md).
"""
_WINDOW = re.compile(r"(?<=_rate)\d+[mhd]$")
_START_NS = 1_772_442_000 * 10**9


class _Told(NamedTuple):
    name: str
    kind: str
    labels: tuple[str, ...]
    about: str


def metrics() -> str:
    """Write the page."""
    parts = {
        "The flow, `:9464`": _flow().registry,
        "Delivery, `:9463`": _delivery().registry,
        "The control plane, `:8088`": _control().registry,
    }
    return _HEAD + "".join(_section(title, registry) for title, registry in parts.items())


def _section(title: str, registry: CollectorRegistry) -> str:
    rows = sorted(set(_told(registry)))
    return f"\n## {title}\n\n| metric | kind | labels | |\n|---|---|---|---|\n" + "".join(map(_row, rows))


def _row(told: _Told) -> str:
    labels = ", ".join(f"`{label}`" for label in told.labels)
    return f"| `{told.name}` | {told.kind} | {labels} | {told.about} |\n"


def _told(registry: CollectorRegistry) -> Iterator[_Told]:
    for collector in list(registry._collector_to_names):  # noqa: SLF001 -- a scrape leaves out what has no value yet
        own = collector._labelnames if isinstance(collector, MetricWrapperBase) else None  # noqa: SLF001
        for family in collector.collect():
            labels: Any = own if own is not None else getattr(family, "_labelnames", ())
            suffix = "_total" if family.type == "counter" else ""
            name = _WINDOW.sub("WINDOW", family.name + suffix)
            yield _Told(name, family.type, tuple(labels), family.documentation)


def _flow() -> FlowMetrics:
    """Give the metrics of a flow that has read a little of everything."""
    found = FlowMetrics(clock=lambda: _START_NS + 10**12)
    found.watch_lag("otlp_spans", "0", lambda: 0)
    scenario = Scenario(seed=1, start_ns=_START_NS, duration_s=300.0, rate=1.0)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "traffic.jsonl"
        path.write_bytes(b"\n".join(exported.payload for exported in generate(scenario, Encoding.JSON)))
        replay([path], FlowSettings(slos=slos_of(None).slos), lambda _: None, metrics=found)
    return found


def _delivery() -> DeliveryMetrics:
    found = DeliveryMetrics()
    found.watch(dict, dict)
    return found


def _control() -> ControlMetrics:
    found = ControlMetrics()
    found.watch(lambda: Look({}, 0, 0, 0, 0, 0, 0, healthy=True, read_age_s=0.0, lags={}))
    return found
