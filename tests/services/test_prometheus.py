"""Prometheus itself: it scrapes what a flow exports of its SLOs, under both names, and our rules fire on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from flows.metrics import Metrics
from flows.metrics_server import MetricsServer
from flyball.prometheus_rules import BURNS, RECORDED, rules_text
from models.slos.table import SloTable
from tests.conftest import load, require
from tests.helpers.slo_events import DAY, HOUR, Row, events, rule, slo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = 20_500 * DAY
RULES = (
    rule("5", HOUR, 300, name="page-fast", confidence=0.95),
    rule("1", 6 * HOUR, 1800, name="ticket", page=False, after_s=HOUR, confidence=0.95),
)
SLOS = (slo("works", "0.9", rules=RULES, split="workflow"),)
OWN = ("objective_ratio", "period_events", "period_bad_events", "error_budget_remaining_ratio")
SLOTH = {
    "slo:objective:ratio": 0.9,
    "slo:error_budget:ratio": 0.1,
    "slo:time_period:days": 30,
    "slo:current_burn_rate:ratio": 10,
    "slo:period_burn_rate:ratio": 10,
    "slo:period_error_budget_remaining:ratio": -9,
    "slo:sli_error:ratio_rate5m": 1,
    "slo:sli_error:ratio_rate1h": 1,
    "sloth_slo_info": 1,
}


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Any]:
    """Give a Prometheus that scrapes a flow in which all tasks of `air` fail and one of 100 of `rail` does."""
    tool = load("prometheus_tool", "services/prometheus.py")
    require(tool.missing() is None, f"no Prometheus: {tool.missing()}")
    table = SloTable(SLOS)
    table.apply(events(Row("works", NOW - 2 * run, bad=True, value="air") for run in range(100)))
    table.apply(events(Row("works", NOW - 2 * run, bad=run == 5, value="rail") for run in range(100)))
    table.look(NOW + 20)
    metrics = Metrics()
    metrics.watch_slos("0", table)
    with (
        MetricsServer(metrics, "127.0.0.1", 0) as server,
        tool.Prometheus(tmp_path, f"127.0.0.1:{server.port}", rules_text(SLOS)) as running,
    ):
        yield running


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Poll until the condition holds; gives what it last gave."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def test_prometheus_scrapes_slos_and_alerts_on_them(prometheus: Any) -> None:
    """Series under Flyball's names and Sloth's, with exact values; what burns fires, once, and nothing else does."""

    def burning() -> list[tuple[str, ...]]:
        """Give the burn alerts: SLO, workflow, rule, severity, state."""
        labels = [(each["labels"], each["state"]) for each in prometheus.alerts()]
        names = ("slo", "workflow", "rule", "severity")
        return sorted((*(said[name] for name in names), state) for said, state in labels if said["alertname"] == BURNS)

    assert until(lambda: len(burning()) == 2), prometheus.targets()
    assert burning() == [
        ("works:air", "air", "page-fast", "page", "firing"),
        ("works:air", "air", "ticket", "ticket", "pending"),
    ]
    # a rule evaluated before the first scrape finds no flow, and waits some minutes before it says so
    assert until(lambda: {each["labels"]["alertname"] for each in prometheus.alerts()} == {BURNS}), prometheus.alerts()
    (page,) = [each for each in prometheus.alerts() if each["labels"].get("rule") == "page-fast"]
    assert page["annotations"]["summary"] == "works:air burns its error budget 10 times too fast"
    assert page["annotations"]["description"].endswith("Budget left: -900%.")

    def values(series: str) -> list[float]:
        return [float(each["value"][1]) for each in prometheus.query(series)]

    for name in OWN:
        assert len(values(f'flyball_slo_{name}{{workflow=~"air|rail"}}')) == 2
    assert values('flyball_slo_burn_rate_ratio{slo="works:air",window="5m"}') == pytest.approx([10])
    assert values('flyball_slo_info{slo="works:air",workflow="air",sli="task_success"}') == [1]
    for name, value in SLOTH.items():
        selector = '{sloth_id="shop-works:air",sloth_service="shop",sloth_slo="works:air"}'
        assert values(name + selector) == pytest.approx([value]), name
    assert values(f'{RECORDED}{{slo="works:rail",rule="page-fast"}}') == [0.1]
    assert [each["health"] for each in prometheus.targets()] == ["up"]
    assert {(each["health"], each.get("lastError")) for each in prometheus.rules()} == {("ok", None)}
