"""Every query of every panel, on the real Prometheus of a real stack with simulated agents (scripts/stack.py)."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from control.keys import ROLES, Keys
from streams.kafka import KafkaLog
from tests.conftest import load, require

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "dashboards" / "grafana").glob("*.json"))}
PICKED = {"workflow": "support", "slo": "tool-success:support", "sli": "tool_success", "environment": ".*"}
BUILT_IN = {"__rate_interval": "15s", "__range": "5m"}
EMPTY = {
    ("flyball-enforcement", "Decided without all parts"): "a part of the guard has to fail",
    ("flyball-drift", "Against an objective"): "an SLO has to name one workflow",
    ("flyball-drift", "Upgrades against what was before"): "something has to be rolled out",
    ("flyball-drift", "Cohorts against the rest"): "what cohorts usually are takes some hundred failures",
    ("flyball-workflow", "New version"): "a version has to come up while Prometheus looks on",
}
"""Panels that may be empty while all is well, and why."""
SERIES = re.compile(r"\b(flyball[_:][a-z_:]+|slo:[a-z_:0-9]+|sloth_[a-z_]+)\b(?=\s*[{\[)]|\s*$|\s)")
POLICY = {
    "drift": {"least_baseline": "1m"},
    "runaways": {"rules": {"repeat.identical": {"warn": 2, "block": 3, "kill": 4}}},
    "spend": {"budgets": [{"name": level, "level": level, "limit": 0.02} for level in ("user", "tenant", "workflow")]},
}
ROUTES = {
    "sinks": [{"name": "nobody", "type": "alertmanager", "url": "http://127.0.0.1:9"}],  # deliveries are put off
    "routes": [{"name": "all", "sinks": ["nobody", "alertmanager"]}],
}
DETAIL = '{sloth_service="agents",sloth_slo="tool-success:support"}'
SLOTH = (
    # the detail of one SLO
    f"1 - (max(slo:sli_error:ratio_rate5m{DETAIL}) OR on() vector(0))",
    f"slo:objective:ratio{DETAIL}",
    f"slo:time_period:days{DETAIL}",
    f"slo:current_burn_rate:ratio{DETAIL}",
    f"slo:period_burn_rate:ratio{DETAIL}",
    f"slo:period_error_budget_remaining:ratio{DETAIL}",
    f"slo:sli_error:ratio_rate1h{DETAIL} / on(sloth_id) group_left slo:error_budget:ratio{DETAIL}",
    f"slo:sli_error:ratio_rate6h{DETAIL} / on(sloth_service, sloth_slo) group_left slo:error_budget:ratio{DETAIL}",
    # there over 32 days by the hour: this deployment has not seen one
    f"""1 - (sum_over_time((slo:sli_error:ratio_rate1h{DETAIL}
        * on() group_left() (month() == bool vector(11)))[5m:1s])
        / on(sloth_id) (slo:error_budget:ratio{DETAIL} * on() group_left() (24 * days_in_month())))""",
    f"max_over_time(slo:sli_error:ratio_rate5m{DETAIL}[1h])",
    f"max(slo:error_budget:ratio{DETAIL}) * 14.4",
    # all SLOs at a glance
    "count(sloth_slo_info)",
    "count by (sloth_mode, sloth_version, sloth_spec) (sloth_slo_info)",
    "avg(slo:objective:ratio)",
    "count(slo:current_burn_rate:ratio > bool 1)",
    "topk(10, slo:current_burn_rate:ratio)",
    "bottomk(10, slo:period_error_budget_remaining:ratio)",
    "sum by (sloth_service) (slo:period_error_budget_remaining:ratio < bool 0)",
    "slo:current_burn_rate:ratio * on(sloth_id, sloth_service, sloth_slo) group_left(sloth_objective) sloth_slo_info",
)
"""What dashboards made for Sloth ask (grafana.com 14348 and 14643, and those made after them), in our words."""


def fill(stack: Any) -> None:
    """Send forty minutes of simulated agents and a message that is none, and ask the control plane for decisions.

    Tools fail twice: early enough for drift, which looks at a minute when all of its runs are over, and just now.
    """
    begun = datetime.now(UTC) - timedelta(minutes=40)
    said = ["--start", begun.isoformat(), "--duration", "40m", "--rate", "0.5", "--seed", "7", "--fast"]
    outages = ["--incident", "tool_outage@12m+6m", "--incident", "tool_outage@35m+4m"]
    to = ["--to", f"kafka://{stack.broker.address}", *outages]
    line = [sys.executable, "-m", "flyball", "simulate", *to, *said]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    log = KafkaLog(stack.broker.address)
    with closing(log), closing(log.writer()) as writer:
        writer.append("otlp_spans", [(None, b"\xff\xff no OTLP")])
        writer.flush()
    keys = Keys(stack.folder / "data" / "control" / "control")
    agent, operator = keys.agent("t1", "support"), keys.operator("ann", ROLES)
    assert ask(stack, "POST", "/v1/kill", {"scope": {"level": "user", "id": "u1"}}, operator) == 200
    for user in ("u1", "u2", "u2"):
        call = {"tool": {"name": "search"}, "subject": {"user": user}}
        assert ask(stack, "POST", "/v1/guard/evaluate", call, agent) == 200
    assert ask(stack, "GET", "/v1/signals") == 401


def ask(stack: Any, method: str, path: str, body: Any = None, key: str = "none") -> int:
    """Ask the control plane, until it knows the key; gives the status."""
    sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    end = time.monotonic() + 10
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", stack.ports["control"], timeout=10)
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        status = connection.getresponse().status
        connection.close()
        if status != 401 or key == "none" or time.monotonic() > end:
            return status
        time.sleep(0.1)


class Prometheus:
    """Asks the stack's Prometheus."""

    def __init__(self, stack: Any) -> None:
        self._address = stack.address("prometheus")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Give the series of an expression as they are now."""
        return list(self.get("query", query=expression)["result"])

    def get(self, what: str, **arguments: str) -> Any:
        """Ask the API."""
        url = f"http://{self._address}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]


@pytest.fixture(scope="module")
def prometheus(kafka_broker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Give the Prometheus of a stack that has seen some agents."""
    tool = load("stack", "../scripts/stack.py")
    require(tool.missing() is None, f"no stack: {tool.missing()}")
    kafka_broker.start()
    fewer = {"slis": {"max_values": 6}}  # a scrape of a thousand tenants takes its time
    stack = tool.Stack(tmp_path_factory.mktemp("stack"), scrape="2s", more=fewer, broker=kafka_broker)
    stack.write("policy.yaml", POLICY)
    stack.write("routes.yaml", ROUTES | {"sinks": [*ROUTES["sinks"], stack.sink()]})
    with stack:
        fill(stack)
        yield Prometheus(stack)
        stack.check()


def questions() -> list[tuple[str, str, str]]:
    """List (dashboard, panel, expression) with all variables filled in."""
    asked = [
        (uid, panel["title"], target["expr"])
        for uid, board in BOARDS.items()
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]
    asked += [
        (uid, note["name"], note["expr"])
        for uid, board in BOARDS.items()
        for note in board["annotations"]["list"]
        if "expr" in note
    ]
    return [(uid, title, filled(BOARDS[uid], expr)) for uid, title, expr in asked]


def filled(board: dict[str, Any], expr: str) -> str:
    """Fill in the variables, as Grafana does."""
    for each in board["templating"]["list"]:
        value = each.get("allValue") or PICKED.get(each["name"], "")
        expr = re.sub(rf"\${each['name']}\b", value, expr)
    for name, value in BUILT_IN.items():
        expr = expr.replace(f"${name}", value)
    assert "$" not in expr, expr
    return expr


@pytest.mark.slow
@pytest.mark.kafka
def test_every_panel_shows_something(prometheus: Prometheus) -> None:
    """Every query is understood and gives series, those aside that may be empty while all is well."""
    waiting = [each for each in questions() if each[:2] not in EMPTY]
    end = time.monotonic() + 60
    while waiting and time.monotonic() < end:
        waiting = [each for each in waiting if not prometheus.query(each[2])]
        time.sleep(1)
    assert waiting == []
    for uid, panel, expr in questions():
        if (uid, panel) in EMPTY:
            prometheus.query(expr)


@pytest.mark.slow
@pytest.mark.kafka
def test_every_series_that_is_asked_for_exists(prometheus: Prometheus) -> None:
    """Each name in a query was scraped, or recorded by the rules; so a metric that is renamed is noticed."""
    names = {name for _, _, expr in questions() for name in SERIES.findall(expr)}
    assert len(names) > 40
    assert names - set(prometheus.get("label/__name__/values")) == set()


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.parametrize("board", sorted(BOARDS))
def test_what_is_picked_has_values(prometheus: Prometheus, board: str) -> None:
    """Each variable that Prometheus is asked for finds something."""
    for each in BOARDS[board]["templating"]["list"]:
        if each["type"] == "query":
            series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", each["query"]).groups()
            found = prometheus.query(f"count by ({label}) ({filled(BOARDS[board], series)})")
            assert [row for row in found if row["metric"].get(label)], each["query"]


@pytest.mark.slow
@pytest.mark.kafka
def test_the_stack_is_scraped_and_its_pages_arrive(prometheus: Prometheus) -> None:
    """All parts are up under the names that compose has for them, and Alertmanager has heard of a page of Flyball's."""
    up = {row["metric"]["job"]: row["value"][1] for row in prometheus.query("up")}
    assert up == dict.fromkeys(("flow", "control", "deliver", "prometheus"), "1")
    sent = 'flyball_deliveries_total{sink="alertmanager",outcome="sent"} > 0'
    assert prometheus.query(sent)


@pytest.mark.slow
@pytest.mark.kafka
def test_dashboards_made_for_sloth_work(prometheus: Prometheus) -> None:
    """Their queries give series, one each where they ask for one SLO."""
    for expr in SLOTH:
        found = prometheus.query(expr)
        assert found, expr
        assert DETAIL not in expr or len(found) == 1, expr
