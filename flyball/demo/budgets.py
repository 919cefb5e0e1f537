"""Budgets: the SLOs as the flow's metrics say they are now."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from flyball.errors import CommandError
from models.figures import percent

if TYPE_CHECKING:
    from collections.abc import Iterable

_TARGET, _TOTAL, _BAD = "flyball_slo_objective_ratio", "flyball_slo_period_events", "flyball_slo_period_bad_events"
_LEFT, _BURN = "flyball_slo_error_budget_remaining_ratio", "flyball_slo_burn_rate_ratio"
_WINDOW = "1h"
_ANSWERED_S = 60.0
"""The flow has just read three hours at once: on a busy machine its metrics take their time."""


class Budget(NamedTuple):
    """One SLO as it stands."""

    slo: str
    target: float
    total: int
    bad: int
    left: float
    """Share of the error budget; below 0 when overspent."""
    burn: float
    """Over the last hour, in multiples of what the objective allows."""


def budgets(port: int) -> list[Budget]:
    """Ask the flow's metrics; SLOs without events are left out."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_ANSWERED_S) as answer:
            return read(answer.read().decode())
    except OSError as error:
        msg = f"the flow's metrics did not answer within {_ANSWERED_S:g} s ({error}): is the machine very busy?"
        raise CommandError(msg) from error


def read(metrics: str) -> list[Budget]:
    """Read them from a page of metrics."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.labels.get("window", _WINDOW) == _WINDOW and "slo" in sample.labels:
                found.setdefault(sample.labels["slo"], {})[sample.name] = sample.value
    return [
        Budget(slo, of[_TARGET], int(of[_TOTAL]), int(of[_BAD]), of[_LEFT], of.get(_BURN, 0.0))
        for slo, of in sorted(found.items())
        if {_TARGET, _TOTAL, _BAD, _LEFT} <= of.keys()
    ]


def table(found: Iterable[Budget]) -> list[str]:
    """Write them, one a line."""
    lines = [f"{'SLO':18}{'target':>8}{'good':>9}{'runs':>8}{'budget left':>13}{'burn 1h':>9}"]
    for each in found:
        good = 1 - each.bad / max(1, each.total)
        shares = f"{percent(each.target)}%".rjust(8) + f"{percent(good)}%".rjust(9)
        figures = f"{shares}{each.total:>8,}{percent(each.left, 0) + '%':>13}{each.burn:>8.1f}x"
        lines.append(f"{each.slo:18}{figures}")
    return lines
