"""Prometheus series of drift, read when scraped: evidence on a log scale against its threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from models.drift.found import contrast_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from models.drift.fleet_table import FleetTable

_MOST = 500
"""Streams that are shown, those in alarm first, then the strongest: series of Prometheus are dear."""
_LEAST = 1e-9


def drift_families(tables: Iterable[FleetTable]) -> Iterator[Metric]:
    """Give all series of drift."""
    labels = ["workflow", "sli", "watch", "dimension", "value"]
    evidence = GaugeMetricFamily(
        "flyball_drift_evidence_log10",
        "Evidence of drift over the threshold of one false alarm a stream and year: an alarm from 0 on.",
        labels=labels,
    )
    alarms = GaugeMetricFamily("flyball_drift_alarms", "Streams in alarm.", labels=["workflow", "sli"])
    streams = GaugeMetricFamily("flyball_drift_streams", "Streams that are watched for drift.")
    by_sli: dict[tuple[str, str], int] = {}
    for table in tables:
        streams.add_metric([], table.streams)
        found = sorted(table.evidence(), key=lambda each: not each.alarm)
        for each in found[:_MOST]:
            names = [each.workflow, each.sli, each.watch, *contrast_of(each)]
            evidence.add_metric(names, math.log10(max(each.ratio, _LEAST)))
            by_sli.setdefault((each.workflow, each.sli), 0)
        for each in (each for each in found if each.alarm):  # all of them, shown or not
            by_sli[each.workflow, each.sli] = by_sli.get((each.workflow, each.sli), 0) + 1
    for (workflow, sli), count in by_sli.items():
        alarms.add_metric([workflow, sli], count)
    yield from (evidence, alarms, streams)
