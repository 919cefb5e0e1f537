"""An outage from end to end: agents, log, flow, incident, delivery, Alertmanager, the pager; and its end.

Everything is real but PagerDuty, which has a stand-in that refuses what PagerDuty refuses.
"""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any

import pytest
from loopback import free_ports

from alerts.delivery import opened

if TYPE_CHECKING:
    from pathlib import Path

RESOLVE_S = 150.0
"""At most: what was wrong must be right for ten seconds, here, before it is resolved."""
OTHERS_KEY = "fedcba9876543210fedcba9876543210"
RECEIVER = """
global: {{resolve_timeout: 5m}}
route: {{receiver: pager, group_by: [alertname, workflow], group_wait: 100ms, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: pager
    pagerduty_configs:
      - routing_key: {key}
        url: {url}
        send_resolved: true
        severity: critical
        details: {{page: '{{{{ .CommonAnnotations.page }}}}'}}
"""
PATHS = {"spans": "/v1/traces", "logs": "/v1/logs"}


def bad(live: Any, paging: Any) -> Any:
    """Simulate three workflows up to now; every tool of one of them is out."""
    three = tuple(paging.quick(name) for name in ("support", "research", "coding"))
    out = paging.outage(three[0], 3600.0)
    return paging.until_now(live, seed=41, duration_s=20.0, rate=3.0, workflows=three, incidents=out)


def good(live: Any, paging: Any) -> Any:
    """Simulate several times as much, in which all is well."""
    three = tuple(paging.quick(name) for name in ("support", "research", "coding"))
    return paging.until_now(live, seed=42, duration_s=20.0, rate=12.0, workflows=three)


@pytest.mark.slow
@pytest.mark.kafka
def test_from_agents_over_kafka_to_pagers_and_back(
    kafka: Any, live: Any, paging: Any, pagerduty: Any, pagerduty_tool: Any, require_alertmanager: Any, tmp_path: Path
) -> None:
    """Agents -> Kafka -> flow -> deliver -> PagerDuty, and Alertmanager with a pager of its own: one page, ended.

    Each pager has one trigger, under the key that the incident's record determines, and one resolve.
    """
    with (
        pagerduty_tool.PagerDuty() as behind,
        require_alertmanager.Alertmanager(tmp_path, RECEIVER.format(key=OTHERS_KEY, url=behind.url)) as alertmanager,
        live.Deployment(tmp_path, kafka.address) as deployment,
    ):
        deployment.topics |= {name: f"{name}-{deployment.topics['spans']}" for name in paging.TOPICS}
        deployment.configure(flow={"resolve_after": "10s"})
        alerts = {"name": "am", "type": "alertmanager", "url": alertmanager.url}
        paging.configure(deployment.config, [paging.pager(pagerduty.url), alerts])
        deployment.start()
        deployment.command("deliver")
        told = paging.Topic(deployment.log, deployment.topics["incidents"])
        deployment.append(bad(live, paging).messages)
        key = await_page(live, paging, deployment, told, pagerduty)
        live.until(lambda: deployment.check_alive() and list(behind.incidents().values()) == ["triggered"], "no alert")
        assert [alert["labels"]["workflow"] for alert in alertmanager.alerts()] == ["support"]
        deployment.append(good(live, paging).messages)
        await_end(live, deployment, told, pagerduty, RESOLVE_S)
        live.until(lambda: deployment.check_alive() and list(behind.incidents().values()) == ["resolved"], "no end")
        deployment.stop()
        told.close()
        check(paging, deployment, pagerduty, key)
        assert behind.refused == []
        (trigger, end) = behind.events
        assert [trigger["event_action"], end["event_action"]] == ["trigger", "resolve"]
        assert trigger["dedup_key"] == end["dedup_key"]
        assert trigger["payload"]["custom_details"]["page"] == key


@pytest.mark.slow
def test_the_same_on_one_machine(live: Any, paging: Any, pagerduty: Any, tmp_path: Path) -> None:
    """Agents -> OTLP over HTTP -> `flyball up` with its log on disk -> the pager: one page, ended."""
    with live.Deployment(tmp_path, ensure=False) as deployment:
        deployment.topics |= {name: f"flyball.{name}" for name in paging.TOPICS}
        port = free_ports(1)[0]
        deployment.configure(otlp={"port": port}, flow={"resolve_after": "10s"})
        paging.configure(deployment.config, [paging.pager(pagerduty.url)])
        started = deployment.command("up")
        live.until(
            lambda: deployment.check_alive() and _health(live, port) and deployment.metrics(), lambda: started.said
        )
        told = paging.Topic(deployment.log, deployment.topics["incidents"])
        post(port, bad(live, paging).messages)
        key = await_page(live, paging, deployment, told, pagerduty)
        post(port, good(live, paging).messages)
        await_end(live, deployment, told, pagerduty, RESOLVE_S)
        deployment.stop()
        told.close()
        check(paging, deployment, pagerduty, key)


def _health(live: Any, port: int) -> bool:
    return bool(live.get(f"http://127.0.0.1:{port}/healthz")[0] == 200)


def post(port: int, messages: list[tuple[str, bytes]]) -> None:
    """Post messages as agents do; each must be taken."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for name, payload in messages:
        connection.request("POST", PATHS[name], payload, {"Content-Type": "application/x-protobuf"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    connection.close()


def await_page(live: Any, paging: Any, deployment: Any, told: Any, pagerduty: Any) -> str:
    """Wait for the incident and its page; gives the key that the page has to have."""
    live.until(lambda: deployment.check_alive() and told.read(), "no incident is told")
    (record,) = told.records
    assert (record["kind"], record["status"], record["class"]) == ("incident", "open", "slo.burn")
    assert (record["workflow"], record["rule"]) == ("support", "tool-calls")
    assert record["evidence"]["count"] > record["evidence"]["limit"]
    key = str(paging.key_of_page(record))
    live.until(lambda: deployment.check_alive() and pagerduty.incidents() == {key: "triggered"}, "nobody is paged")
    return key


def await_end(live: Any, deployment: Any, told: Any, pagerduty: Any, seconds: float) -> None:
    """Wait until the incident and the page are resolved."""
    live.until(
        lambda: deployment.check_alive() and told.read()[-1]["status"] == "resolved", "it is not resolved", seconds
    )
    live.until(lambda: deployment.check_alive() and list(pagerduty.incidents().values()) == ["resolved"], "no end told")


def check(paging: Any, deployment: Any, pagerduty: Any, key: str) -> None:
    """See that the pager had just one trigger and one resolve, and that nothing waits in the outbox."""
    assert pagerduty.refused == []
    assert paging.actions(pagerduty.events) == [("trigger", key), ("resolve", key)]
    with opened(deployment.data / "deliver") as outbox:
        assert outbox.queue("pager").depth == 0
        assert outbox.parked() == []
