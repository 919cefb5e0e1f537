"""From an outage to the people who hear of it: an SLO that burns in minutes, the routes, traffic that ends now."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from alerts.grouping import page_key
from models.incidents.incident import Incident
from models.simulation import Incident as Trouble
from models.simulation import Scenario
from models.simulation.workflow import OutcomeBy
from models.simulation.workflows import support

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

ROUTING_KEY = "0123456789abcdef0123456789ABCDEF"
TOPICS = ("incidents", "slos", "verdicts")
"""Written by a flow that judges, by the names that the configuration has for them."""
RULE = {"long": "10m", "short": "5m"}
SLO = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: tool-calls, annotations: {flyball.dev/split: workflow}}
spec:
  service: agents
  indicator:
    spec:
      ratioMetric:
        rawType: success
        raw: {metricSource: {type: flyball, spec: {sli: tool_success}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.9}]
  alertPolicies:
    - metadata: {name: page-long, annotations: {flyball.dev/and-group: page}}
      spec: {alertWhenBreaching: true, conditions: [{conditionRef: burns-long}]}
    - metadata: {name: page-short, annotations: {flyball.dev/and-group: page}}
      spec: {alertWhenBreaching: true, conditions: [{conditionRef: burns-short}]}
"""
CONDITION = """---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {{name: burns-{name}}}
spec: {{severity: page, condition: {{kind: burnrate, op: gt, threshold: 5, lookbackWindow: {window}}}}}
"""


def configure(config: Path, sinks: Sequence[dict[str, Any]], **windows: str) -> None:
    """Write an SLO of each workflow's tool calls (half of them may fail) and routes: every page to every sink."""
    rule = RULE | windows
    (config / "pager.key").write_text(ROUTING_KEY)
    (config / "slo.yaml").write_text(SLO + "".join(CONDITION.format(name=n, window=w) for n, w in rule.items()))
    routes = [{"name": "all", "sinks": [sink["name"] for sink in sinks]}]
    (config / "routes.yaml").write_text(json.dumps({"sinks": list(sinks), "routes": routes}))


def pager(url: str, **more: Any) -> dict[str, Any]:
    """Give the sink of a PagerDuty at `url`."""
    return {"name": "pager", "type": "pagerduty", "url": url, "secret": "${FILE:pager.key}"} | more


def outage(workflow: Any, seconds: float) -> tuple[Trouble, ...]:
    """Let every call of every tool of a workflow fail, from the start on."""
    said = {"rate": 1.0, "error": "tool_error"}
    return tuple(
        Trouble("tool_outage", 0.0, seconds, workflow.name, said | {"tool": tool.name}) for tool in workflow.tools
    )


def until_now(live: Any, **scenario: Any) -> Any:
    """Simulate traffic whose last span ends now: so all of it lies within windows that end now."""
    lasts = live.traffic(**scenario).end_ns - Scenario.start_ns
    return live.traffic(start_ns=time.time_ns() - lasts, **scenario)


def quick(name: str) -> Any:
    """Give a workflow whose runs take some seconds: no person is waited for, nothing is evaluated later."""
    tools = tuple(replace(tool, approval=0.0, seconds=0.2) for tool in support.WORKFLOW.tools)
    fast = {"pause_s": 0.1, "rounds": 4.0, "outcome_by": OutcomeBy.STATUS, "feedback": 0.0, "escalation": 0.0}
    return replace(support.WORKFLOW, name=name, tools=tools, weight=1.0, output_tokens=40.0, **fast)


class Topic:
    """Reads the records of one topic as it grows."""

    def __init__(self, log: Any, topic: str) -> None:
        self._log, self._topic = log, topic
        self._readers: list[Any] = []
        self.records: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """Take what has come; gives all records so far, those of one partition in order."""
        if not self._readers:
            self._readers = [
                self._log.reader(self._topic, i, None) for i in range(self._log.partitions(self._topic) or 0)
            ]
        for reader in self._readers:
            while batch := reader.poll(10_000, 16 << 20):
                self.records += [orjson.loads(message.value) for message in batch]
        return self.records

    def close(self) -> None:
        """Close the readers."""
        for reader in self._readers:
            reader.close()


def key_of_page(record: dict[str, Any]) -> str:
    """Give the key of the page that an incident record begins."""
    return page_key(Incident.of(record), again=False)


def actions(events: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """Give what a pager was sent in short: what is to be done, and of which key."""
    return [(event["event_action"], event["dedup_key"]) for event in events]
