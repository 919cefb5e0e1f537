"""The control plane's /metrics: what was decided, ordered and told, and how it stands."""

from __future__ import annotations

from typing import Any

import pytest
from flyball_sdk.state import State, Throttle
from prometheus_client.parser import text_string_to_metric_families

from control.metrics import Metrics, kind_of

ALLOWED = {"decision": "allow", "reason_code": "", "mode": "enforce", "degraded": "none"}


def scrape(served: Any) -> dict[tuple[str, tuple[str, ...]], float]:
    """Give all series: (name, values of the labels in the order of their names) -> value."""
    status, text, headers = served.ask("GET", "/metrics")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = {}
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            labels = tuple(value for _, value in sorted(each.labels.items()))
            assert (each.name, labels) not in found
            found[each.name, labels] = each.value
    return found


def test_decisions_are_counted_by_answer_and_rule(served: Any) -> None:
    """Allowed without a rule; blocked by the one that decided; with the time each took, by kind of call."""
    call = {"tool": {"name": "read"}, "subject": {"user": "u1"}}
    assert served.ask("POST", "/v1/guard/evaluate", call, served.agent)[0] == 200
    served.ask("POST", "/v1/kill", {"scope": {"level": "user", "id": "u1"}}, served.admin)
    served.ask("POST", "/v1/guard/batch", {"calls": [call, call]}, served.agent)
    series = scrape(served)  # decision, degraded, kind, mode, rule
    assert series["flyball_guard_decisions_total", ("allow", "none", "tool", "enforce", "")] == 1
    assert series["flyball_guard_decisions_total", ("block", "none", "tool", "enforce", "operator")] == 2
    assert series["flyball_guard_decision_seconds_count", ("tool",)] == 3
    assert series["flyball_guard_decision_seconds_bucket", ("tool", "+Inf")] == 3


def test_signals_and_commands_are_counted(served: Any, planes: Any) -> None:
    """By kind: what was given out in all, and what stands now; who is to obey it; the log is read to its end."""
    product = {"scope": planes.PRODUCT, "tenant": "t1"}
    served.ask("POST", "/v1/kill", product, served.admin)
    served.ask("POST", "/v1/resume", product, served.admin)
    served.tell(planes.verdict("kill"), planes.verdict("throttle", scope=("workflow", "air")), planes.verdict("warn"))
    planes.until(lambda: len(served.plane.authority.shown.signals) == 3)
    served.writer.append(planes.VERDICTS, [(None, b"no verdict")])
    served.writer.flush()
    planes.until(lambda: scrape(served)["flyball_control_unreadable_total", ()] == 1)
    assert scrape(served)["flyball_kills_waiting", ()] == 0  # nobody is there to hear them
    stream = served.stream()
    series = scrape(served)
    assert series["flyball_commands_total", ("kill",)] == 1
    assert series["flyball_commands_total", ("resume.asked",)] == 1
    assert series["flyball_signals_total", ("kill", "run")] == 1
    active = {labels: value for (name, labels), value in series.items() if name == "flyball_signals_active"}
    assert active == {("kill", "product"): 1, ("kill", "run"): 1, ("throttle", "workflow"): 1}
    assert series["flyball_verdicts_taken_total", ("kill", "yes", "run", "repeat.identical")] == 1
    assert series["flyball_verdicts_taken_total", ("warn", "no", "run", "repeat.identical")] == 1
    assert (series["flyball_guard_streams", ()], series["flyball_guards_connected", ()]) == (1, 1)
    assert series["flyball_kills_waiting", ()] == 2
    lags = {labels[1]: value for (name, labels), value in series.items() if name == "flyball_consumer_lag_messages"}
    assert lags == {planes.VERDICTS: 0, planes.SPEND: 0}
    stream.close()


def test_how_it_stands(served: Any, planes: Any) -> None:
    """The height of the audit log rises, the log is read now, and health is said as /healthz does."""
    before = scrape(served)["flyball_audit_entries_total", ()]
    served.ask("POST", "/v1/kill", {"scope": planes.PRODUCT}, served.admin)
    series = scrape(served)
    assert series["flyball_audit_entries_total", ()] > before >= 1

    def one_waits_to_be_signed() -> bool:  # what was just written, unless a checkpoint came in between
        served.ask("POST", "/v1/kill", {"scope": planes.PRODUCT}, served.admin)
        return bool(scrape(served)["flyball_audit_unsigned_entries", ()] >= 1)

    planes.until(one_waits_to_be_signed)
    assert series["flyball_audit_unwritten_entries", ()] == 0
    assert series["flyball_control_healthy", ()] == 1
    assert 0 <= series["flyball_control_read_age_seconds", ()] < 20


def test_requests_without_an_answer_are_counted(served: Any) -> None:
    """By status: without a key, with one that may not, without a route."""
    served.ask("GET", "/v1/signals")
    served.ask("POST", "/v1/kill", {}, served.agent)
    served.ask("GET", "/nowhere")
    series = scrape(served)
    refused = {labels[0]: value for (name, labels), value in series.items() if name == "flyball_control_refused_total"}
    assert refused == {"401": 1, "403": 1, "404": 1, "429": 0, "503": 0}


def test_names_of_rules_are_bounded() -> None:
    """Beyond 200 they are `other`: nobody fills Prometheus by what rules are called."""
    metrics = Metrics()
    for number in range(1_000):
        metrics.decided("tool", ALLOWED | {"reason_code": f"rule-{number}"}, 0.001)
    text = metrics.text().decode()
    assert text.count('flyball_guard_decisions_total{decision="allow",degraded="none",kind="tool"') == 202
    assert 'rule="other"} 800.0' in text


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (State(), "clear"),
        (State(kill=True, level="static"), "kill"),
        (State(deny=frozenset({"pay"}), throttle=Throttle(1)), "block"),
        (State(level="static"), "block"),
        (State(level="human"), "bound"),
        (State(tools=frozenset()), "bound"),
        (State(throttle=Throttle(30, 2)), "throttle"),
    ],
)
def test_a_signal_is_named_by_the_strictest_that_it_asks(state: State, kind: str) -> None:
    """In the words that verdicts have."""
    assert kind_of(state) == kind
