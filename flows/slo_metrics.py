"""Prometheus series of SLOs, read when scraped: under Flyball's names and Sloth's, whose dashboards then work.

One difference to Sloth: `slo:period_burn_rate:ratio` and what follows from it stand on exact counts of the period;
Sloth takes the mean of 5 minute ratios over 30 days, which is not weighted by traffic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from models.slos.period import period_s
from models.slos.words import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from prometheus_client.core import Metric

    from models.slos.instances import Instance
    from models.slos.table import Reading, SloTable

_DAY_S = 86_400
_SHORTEST = "5m"


class _Family(NamedTuple):
    name: str
    text: str


_OWN = {
    "objective": _Family("flyball_slo_objective_ratio", "Target of an SLO."),
    "total": _Family("flyball_slo_period_events", "Events of the SLO's period."),
    "bad": _Family("flyball_slo_period_bad_events", "Bad events of the SLO's period."),
    "remaining": _Family("flyball_slo_error_budget_remaining_ratio", "Share of the error budget that is left."),
}
_SLOTH = {
    "objective": _Family("slo:objective:ratio", "Target."),
    "budget": _Family("slo:error_budget:ratio", "1 - target."),
    "days": _Family("slo:time_period:days", "Days of the period."),
    "current": _Family("slo:current_burn_rate:ratio", "Burn rate over 5 minutes."),
    "used": _Family("slo:period_burn_rate:ratio", "Share of the error budget that is used, by exact counts."),
    "remaining": _Family("slo:period_error_budget_remaining:ratio", "1 - the share used."),
}


def slo_families(tables: Iterable[SloTable]) -> Iterator[Metric]:
    """Give all series of all SLOs; what has no events has no series, it is neither 0 nor 1."""
    tables = list(tables)
    readings = [reading for table in tables for reading in table.readings()]
    yield from _own(readings)
    yield from _sloth(readings)
    refused = sum(table.instances.refused for table in tables)
    yield CounterMetricFamily("flyball_slo_instances_refused", "Times that an SLO instance had no room.", value=refused)


def _own(readings: list[Reading]) -> Iterator[Metric]:
    families = {key: GaugeMetricFamily(*family, labels=["slo", "workflow"]) for key, family in _OWN.items()}
    burn = GaugeMetricFamily("flyball_slo_burn_rate_ratio", "Burn rate.", labels=["slo", "workflow", "window"])
    info = GaugeMetricFamily("flyball_slo_info", "1; what the SLO is of.", labels=["slo", "workflow", "sli"])
    for reading in readings:
        labels = [reading.instance.name, reading.instance.workflow or ""]
        info.add_metric([*labels, reading.instance.slo.indicator.sli], 1)
        values = {
            "objective": float(reading.budget.target),
            "total": reading.budget.total,
            "bad": reading.budget.bad,
            "remaining": _float(reading.budget.remaining),
        }
        for key, value in values.items():
            if value is not None:
                families[key].add_metric(labels, value)
        allowed = 1 - float(reading.budget.target)
        for window, (total, bad) in reading.windows.items():
            if total:
                burn.add_metric([*labels, duration(window)], bad / total / allowed)
    yield from (*families.values(), burn, info)


def _sloth(readings: list[Reading]) -> Iterator[Metric]:
    names = ["sloth_id", "sloth_service", "sloth_slo"]
    families = {key: GaugeMetricFamily(*family, labels=names) for key, family in _SLOTH.items()}
    rates: dict[str, GaugeMetricFamily] = {}
    more = ["sloth_mode", "sloth_version", "sloth_spec", "sloth_objective"]
    info = GaugeMetricFamily("sloth_slo_info", "SLO.", labels=[*names, *more])
    for reading in readings:
        labels, target = _labels(reading.instance), reading.budget.target
        info.add_metric([*labels, "flyball", "", "openslo/v1", f"{float(target * 100):g}"], 1)
        ratios = {duration(w): bad / total for w, (total, bad) in reading.windows.items() if total}
        for window, ratio in ratios.items():
            name = f"slo:sli_error:ratio_rate{window}"
            family = rates.setdefault(name, GaugeMetricFamily(name, "Error ratio.", labels=[*names, "sloth_window"]))
            family.add_metric([*labels, window], ratio)
        values = {
            "objective": float(target),
            "budget": float(1 - target),
            "days": period_s(reading.instance.slo.window, reading.now) / _DAY_S,
            "current": ratios[_SHORTEST] / float(1 - target) if _SHORTEST in ratios else None,
            "used": _float(reading.budget.used),
            "remaining": _float(reading.budget.remaining),
        }
        for key, value in values.items():
            if value is not None:
                families[key].add_metric(labels, value)
    yield from (*families.values(), *rates.values(), info)


def _labels(instance: Instance) -> list[str]:
    return [f"{instance.slo.service}-{instance.name}", instance.slo.service, instance.name]


def _float(ratio: Fraction | None) -> float | None:
    return None if ratio is None else float(ratio)
