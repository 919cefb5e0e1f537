"""Alertmanager itself: it keeps our pages while they are open, and its own PagerDuty client proves the stand-in."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from alerts.grouping import begun, changed, group_of, page_key
from alerts.outcome import Refused, Retry, Sent
from alerts.sinks.alertmanager import Alertmanager
from alerts.sinks.base import SinkSettings
from models.incidents.incident import Severity
from models.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
RECEIVER = """
global: {{resolve_timeout: 5m}}
route: {{receiver: pager, group_by: [alertname, workflow], group_wait: 100ms, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: pager
    pagerduty_configs:
      - routing_key: {key}
        url: {url}
        send_resolved: true
        severity: '{{{{ if eq .CommonLabels.severity "SEV-1" }}}}critical{{{{ else }}}}error{{{{ end }}}}'
"""


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Poll until the condition holds; gives what it last gave."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


@pytest.fixture
def start(tmp_path: Path, require_alertmanager: Any) -> Callable[..., Any]:
    """Give the function that makes an Alertmanager with a configuration."""
    return lambda *config: require_alertmanager.Alertmanager(tmp_path, *config)


@pytest.fixture
def page(incidents: Any) -> Any:
    """Give a page that opened ten seconds ago by this machine's clock."""
    told = incidents.incident(opened_at=rfc3339(time.time_ns() - 10 * incidents.SECOND), at=rfc3339(time.time_ns()))
    return replace(begun(told, group_of(told, ("class", "rule", "workflow")), page_key(told, again=False)), revision=1)


def labels(running: Any) -> list[tuple[str, str]]:
    """Ask amtool what is active: alert and severity."""
    return sorted((alert["labels"]["alertname"], alert["labels"]["severity"]) for alert in running.alerts())


def test_a_page_is_an_alert_from_begin_to_end(start: Any, page: Any, incidents: Any) -> None:
    """Open it is active, told again it is one, worse it is the worse one, resolved it is gone; amtool says so."""
    with start() as running:
        sink = Alertmanager(SinkSettings("s", "alertmanager", url=running.url))
        assert isinstance(sink.deliver(page), Sent)
        assert isinstance(sink.deliver(page), Sent)
        assert labels(running) == [("slo.burn", "SEV-2")]
        (alert,) = running.alerts()
        ends = time.mktime(time.strptime(alert["endsAt"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - time.time()
        assert 200 < ends < 250
        assert alert["annotations"]["page"] == page.key
        worse = changed(page, incidents.incident("b", severity=Severity.SEV_1), new=1, opened=1)
        assert isinstance(sink.deliver(worse), Sent)
        assert labels(running) == [("slo.burn", "SEV-1")]
        over = changed(
            replace(worse, open=1), incidents.resolved("a", resolved_at=rfc3339(time.time_ns())), new=0, opened=-1
        )
        assert isinstance(sink.deliver(over), Sent)
        assert until(lambda: not running.alerts())
        sink.close()


def test_an_alert_that_is_not_posted_again_ends_by_itself(start: Any, page: Any) -> None:
    """What we say as its end is what Alertmanager goes by: two seconds after the last post it is gone."""
    with start() as running:
        sink = Alertmanager(SinkSettings("s", "alertmanager", url=running.url), lambda: time.time() - 238.0)
        page = replace(page, opened_at=rfc3339(time.time_ns() - 300 * 10**9))
        assert isinstance(sink.deliver(page), Sent)
        assert labels(running) == [("slo.burn", "SEV-2")]
        assert until(lambda: not running.alerts(), 10)
        sink.close()


def test_what_alertmanager_refuses_and_misses(start: Any, page: Any) -> None:
    """An alert without a usable label set is refused with its words; while it is away, it is waited for."""
    with start() as running:
        sink = Alertmanager(SinkSettings("s", "alertmanager", url=running.url))
        sink._alerts = lambda page: [{"labels": {"no label": "x"}}]  # type: ignore[method-assign]
        refused = sink.deliver(page)
        assert isinstance(refused, Refused)
        assert "400" in refused.reason
    outcome = sink.deliver(page)
    assert isinstance(outcome, Retry)
    assert "refused" in outcome.reason


def test_alertmanagers_own_pagerduty_client_is_taken(start: Any, page: Any, pagerduty: Any, incidents: Any) -> None:
    """A real Alertmanager's PagerDuty receiver triggers and resolves our page at the stand-in, and is taken."""
    with start(RECEIVER.format(key=ROUTING_KEY, url=pagerduty.url)) as running:
        sink = Alertmanager(SinkSettings("s", "alertmanager", url=running.url))
        assert isinstance(sink.deliver(page), Sent)
        assert until(lambda: list(pagerduty.incidents().values()) == ["triggered"])
        over = changed(page, incidents.resolved(resolved_at=rfc3339(time.time_ns())), new=0, opened=-1)
        assert isinstance(sink.deliver(over), Sent)
        assert until(lambda: list(pagerduty.incidents().values()) == ["resolved"])
    assert pagerduty.refused == []
    assert [event["event_action"] for event in pagerduty.events] == ["trigger", "resolve"]
    assert pagerduty.events[0]["payload"]["severity"] == "error"
    sink.close()
