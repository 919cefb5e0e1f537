"""Expressions that several dashboards need. Gauges are of one process each: `max` passes over restarts and moves."""

from __future__ import annotations

from typing import Final

FLOW: Final = "flyball_spans_total"
CONTROL: Final = "flyball_control_healthy"
DELIVERY: Final = "flyball_pages_unrouted_total"
"""What each part tells from its start on."""


def slo(name: str, by: str = "slo", **labels: str) -> str:
    """Read a series of SLOs, as in `slo("burn_rate_ratio", window="1h")`."""
    return f"max by ({by}) (flyball_slo_{name}{{{_labels(labels)}}})"


def sli(kind: str, name: str, by: str = "workflow", **labels: str) -> str:
    """Read `good`, `total` or `quantile` of an SLI over a rolling window; without `dimension`: of whole workflows."""
    said = {"sli": name, "dimension": "", "window": "5m"} | labels
    return f"max by ({by}) (flyball_sli_{kind}{{{_labels(said)}}})"


def ratio(name: str, by: str = "workflow", **labels: str) -> str:
    """Give the share of good events; nothing where there were none."""
    total = sli("total", name, by, **labels)
    return f"{sli('good', name, by, **labels)} / ({total} > 0)"


def share(name: str, **labels: str) -> str:
    """Give the share of good events of all that match, added up before it is divided."""
    by = "workflow, dimension, value"
    total = f"sum({sli('total', name, by, **labels)})"
    return f"sum({sli('good', name, by, **labels)}) / ({total} > 0)"


def rise(counter: str, window: str, labels: str = "") -> str:
    """Give by how much each series of a counter rose, where it may come up at the first thing that it counts.

    `increase` begins with the first value that it finds: of a first kill it says 0. So a series that was not there
    within a day before the window gives all that it has; it may be away in between, as while nobody could scrape.
    """
    now = f"{counter}{{{labels}}}"
    return f"(({now} unless last_over_time({now}[1d] offset {window})) or increase({now}[{window}]))"


def or_zero(expr: str, told_by: str) -> str:
    """Give 0 where nothing was counted yet: a number that is missing looks like one that is broken.

    Only while `told_by` is there, which whoever counts always tells: of a part that is away 0 would be good news.
    """
    return f"{expr} or on() 0 * max({told_by})"


def _labels(labels: dict[str, str]) -> str:
    """Write matchers; a value that begins with `~` or `!` brings its own operator."""
    return ",".join(f"{name}{_matcher(value)}" for name, value in labels.items())


def _matcher(value: str) -> str:
    if value.startswith("~"):
        return f'=~"{value[1:]}"'
    return f'!="{value[1:]}"' if value.startswith("!") else f'="{value}"'
