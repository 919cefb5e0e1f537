"""Every query of every panel, on a real Prometheus that scrapes a real `flyball up` with simulated agents."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from control.keys import ROLES, Keys
from tests.conftest import load, require

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "dashboards" / "grafana").glob("*.json"))}
RULES = (ROOT / "dashboards" / "prometheus" / "rules.yaml").read_text()
PICKED = {"workflow": "support", "slo": "tool-success:support", "sli": "tool_success", "environment": ".*"}
BUILT_IN = {"__rate_interval": "15s", "__range": "5m"}
EMPTY = {
    ("flyball-enforcement", "Decided without all parts"): "a part of the guard has to fail",
    ("flyball-workflow", "New version"): "a version has to come up while Prometheus looks on",
}
"""Panels that may be empty while all is well, and why."""
SERIES = re.compile(r"\b(flyball[_:][a-z_:]+|slo:[a-z_:0-9]+|sloth_[a-z_]+)\b(?=\s*[{\[)]|\s*$|\s)")
POLICY = {
    "runaways": {"rules": {"repeat.identical": {"warn": 2, "block": 3, "kill": 4}}},
    "spend": {"budgets": [{"name": level, "level": level, "limit": 0.02} for level in ("user", "tenant", "workflow")]},
}
ROUTES = {
    "sinks": [{"name": "nobody", "type": "alertmanager", "url": "http://127.0.0.1:9"}],  # deliveries are put off
    "routes": [{"name": "all", "sinks": ["nobody", "stdout"]}],
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


class Place:
    """`flyball up` with ten minutes of simulated agents, in which tools fail, and a Prometheus that scrapes it."""

    def __init__(self, live: Any, folder: Path) -> None:
        self.live = live
        self.deployment = live.Deployment(folder, ensure=False)
        self.deployment.topics |= {"spans": "otlp_spans", "logs": "otlp_logs"}
        self.otlp, self.control, self.deliver = live.free_ports(3)
        self.deployment.configure(
            otlp={"port": self.otlp},
            control={"port": self.control},
            deliver={"metrics": {"port": self.deliver}},
            slis={"max_values": 6},  # a scrape of a thousand tenants takes its time
        )
        (self.deployment.config / "policy.yaml").write_text(json.dumps(POLICY))
        (self.deployment.config / "routes.yaml").write_text(json.dumps(ROUTES))
        self.targets = [f"127.0.0.1:{port}" for port in (self.deployment.metrics_port, self.deliver, self.control)]

    def start(self) -> None:
        """Simulate, start, and ask the control plane for some decisions."""
        begun = datetime.now(UTC) - timedelta(minutes=6)
        said = ["--start", begun.isoformat(), "--duration", "6m", "--rate", "1", "--seed", "7", "--fast"]
        self.run(
            "simulate", "--to", f"embedded:{self.deployment.data / 'log'}", *said, "--incident", "tool_outage@1m+4m"
        )
        self.deployment.append([("spans", b"\xff\xff no OTLP")])
        keys = Keys(self.deployment.data / "control")
        agent, operator = keys.agent("t1", "support"), keys.operator("ann", ROLES)
        started = self.deployment.command("up")
        self.live.until(lambda: self.ask("GET", "/healthz") == 200, lambda: started.said)
        assert self.ask("POST", "/v1/kill", {"scope": {"level": "user", "id": "u1"}}, operator) == 200
        for user in ("u1", "u2", "u2"):
            call = {"tool": {"name": "search"}, "subject": {"user": user}}
            assert self.ask("POST", "/v1/guard/evaluate", call, agent) == 200
        assert self.ask("GET", "/v1/signals") == 401

    def run(self, *words: str) -> str:
        """Run a command of `flyball`; it must end well. Gives what it said."""
        call = [sys.executable, "-m", "flyball", *words]
        done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, method: str, path: str, body: Any = None, key: str = "none") -> int:
        """Ask the control plane; gives the status, 0 while there is nobody."""
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.control}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 -- our own
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


@pytest.fixture(scope="module")
def prometheus(live: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Give a Prometheus that has scraped all three servers of a deployment some times."""
    tool = load("prometheus_tool", "services/prometheus.py")
    require(tool.missing() is None, f"no Prometheus: {tool.missing()}")
    folder = tmp_path_factory.mktemp("dashboards")
    place = Place(live, folder)
    with place.deployment, tool.Prometheus(folder, place.targets, RULES) as running:
        place.start()
        live.until(lambda: all_up(running) and running.query("slo:objective:ratio"), lambda: str(running.targets()))
        yield running


def all_up(running: Any) -> bool:
    """Tell whether all targets are scraped."""
    return [each["health"] for each in running.targets()] == ["up"] * 3


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
def test_every_panel_shows_something(prometheus: Any) -> None:
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
def test_every_series_that_is_asked_for_exists(prometheus: Any) -> None:
    """Each name in a query was scraped, or recorded by the rules; so a metric that is renamed is noticed."""
    names = {name for _, _, expr in questions() for name in SERIES.findall(expr)}
    assert len(names) > 40
    assert names - prometheus.names() == set()


@pytest.mark.slow
@pytest.mark.parametrize("board", sorted(BOARDS))
def test_what_is_picked_has_values(prometheus: Any, board: str) -> None:
    """Each variable that Prometheus is asked for finds something."""
    for each in BOARDS[board]["templating"]["list"]:
        if each["type"] == "query":
            series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", each["query"]).groups()
            found = prometheus.query(f"count by ({label}) ({filled(BOARDS[board], series)})")
            assert [row for row in found if row["metric"].get(label)], each["query"]


@pytest.mark.slow
def test_dashboards_made_for_sloth_work(prometheus: Any) -> None:
    """Their queries give series, one each where they ask for one SLO."""
    for expr in SLOTH:
        found = prometheus.query(expr)
        assert found, expr
        assert DETAIL not in expr or len(found) == 1, expr
