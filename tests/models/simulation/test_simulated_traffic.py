"""What an agent's exporter would send: order, tree, times and rates, read back from the encoded messages."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson
import pytest

from models.simulation import Encoding, Generation, Scenario, generate
from models.simulation.scenario import MONDAY, SECOND
from models.simulation.workflows import coding, research, support

SCENARIO = Scenario(seed=3, duration_s=400.0, rate=5.0)


def attributes(record: dict[str, Any]) -> dict[str, Any]:
    """Give a record's attributes as plain values."""
    values = {"intValue": int, "doubleValue": float, "stringValue": str, "boolValue": bool}
    plain = {}
    for pair in record["attributes"]:
        ((kind, value),) = pair["value"].items()
        plain[pair["key"]] = values[kind](value)
    return plain


@dataclass
class Read:
    """What was read from the messages of a scenario."""

    spans: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """By trace, in order of export; `flush`, `message`, `resource` and `said` (attributes) added."""
    logs: list[dict[str, Any]] = field(default_factory=list)
    truth: dict[str, dict[str, Any]] = field(default_factory=dict)


def read(scenario: Scenario) -> Read:
    """Generate a scenario in JSON and read it back."""
    generation, found = Generation(scenario, Encoding.JSON), Read()
    for number, message in enumerate(generation):
        body = orjson.loads(message.payload)
        logs = message.signal == "logs"
        for outer in body["resourceLogs" if logs else "resourceSpans"]:
            for inner in outer["scopeLogs" if logs else "scopeSpans"]:
                for record in inner["logRecords" if logs else "spans"]:
                    record |= {"flush": message.event_ns, "message": number, "said": attributes(record)}
                    record["resource"] = attributes(outer["resource"])
                    (found.logs if logs else found.spans[record["traceId"]]).append(record)
    found.truth = {run["run_id"]: run for run in generation.truth.take()}
    return found


@pytest.fixture(scope="module")
def found() -> Read:
    """Give the scenario as read back."""
    return read(SCENARIO)


def test_truth_is_what_the_spans_say(found: Read) -> None:
    """Counts of spans, model calls, tool calls, errors and tokens in the truth are those of the spans."""
    assert found.spans.keys() == found.truth.keys()
    for run_id, spans in found.spans.items():
        truth = found.truth[run_id]
        chats = [s["said"] for s in spans if s["said"].get("gen_ai.operation.name") == "chat"]
        tools = [s["said"] for s in spans if s["said"].get("gen_ai.operation.name") == "execute_tool"]
        assert truth["spans"] == len(spans) == len({s["spanId"] for s in spans})
        assert truth["llm_calls"] == len(chats)
        assert truth["tool_calls"] == len(tools)
        assert truth["tool_errors"] == sum("error.type" in tool for tool in tools)
        assert truth["tool_timeouts"] == sum(tool.get("error.type") == "timeout" for tool in tools)
        assert truth["input_tokens"] == sum(chat["gen_ai.usage.input_tokens"] for chat in chats)
        assert truth["output_tokens"] == sum(chat["gen_ai.usage.output_tokens"] for chat in chats)
        assert truth["approvals"] == sum("decision" in s["said"] for s in spans)
        transfers = sum(tool["gen_ai.tool.name"] == support.TRANSFER for tool in tools)
        assert truth["escalated"] == (transfers > 0)
        assert truth["blocked"] == any(s["said"].get("gen_ai.guardrail.action.type") == "block" for s in spans)


def test_every_run_is_a_tree_within_its_root(found: Read) -> None:
    """A run has one root; every parent is there, and a child lies within its parent in time."""
    for spans in found.spans.values():
        by_id = {span["spanId"]: span for span in spans}
        assert sum("parentSpanId" not in span for span in spans) == 1
        for span in spans:
            start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
            assert start <= end
            if "parentSpanId" in span:
                parent = by_id[span["parentSpanId"]]
                assert int(parent["startTimeUnixNano"]) <= start
                assert end <= int(parent["endTimeUnixNano"])


def test_children_are_exported_before_their_parents(found: Read) -> None:
    """In the order of messages and of records in them, no parent comes before its child."""
    for spans in found.spans.values():
        position = {span["spanId"]: i for i, span in enumerate(spans)}
        for span in spans:
            if "parentSpanId" in span:
                assert position[span["spanId"]] < position[span["parentSpanId"]]


def test_spans_are_exported_at_the_flush_after_their_end(found: Read) -> None:
    """Exports come in order, every 2 s, and hold what has ended since the one before."""
    flush = round(SCENARIO.flush_s * SECOND)
    for spans in found.spans.values():
        for span in spans:
            late = span["flush"] - int(span["endTimeUnixNano"])
            assert 0 <= late < flush
            assert (span["flush"] - MONDAY) % flush == 0


def test_messages_interleave_runs(found: Read) -> None:
    """Most messages hold spans of several runs."""
    runs: dict[int, set[str]] = defaultdict(set)
    for trace, spans in found.spans.items():
        for span in spans:
            runs[span["message"]].add(trace)
    assert np.median([len(of_message) for of_message in runs.values()]) > 3


def test_evaluations_follow_the_runs_they_score(found: Read) -> None:
    """Evaluations come by the configured share, after the run's end, on its root, and tell the truth."""
    scores = [log for log in found.logs if log["said"]["gen_ai.evaluation.name"] == "task_success"]
    assert all(log["eventName"] == "gen_ai.evaluation.result" for log in found.logs)
    of_support = [run for run in found.truth.values() if run["workflow"] == "support"]
    assert len(scores) == sum(run["evaluated"] for run in of_support)
    assert len(scores) / len(of_support) == pytest.approx(support.WORKFLOW.evaluated, abs=0.03)
    for log in scores:
        (root,) = (span for span in found.spans[log["traceId"]] if "parentSpanId" not in span)
        assert log["spanId"] == root["spanId"]
        assert int(log["timeUnixNano"]) > int(root["endTimeUnixNano"])
        assert found.truth[log["traceId"]]["success"] == (log["said"]["gen_ai.evaluation.score.value"] == 1.0)


def test_feedback_leans_towards_the_truth(found: Read) -> None:
    """Thumbs come, and mostly up where the run succeeded."""
    given = [run for run in found.truth.values() if run["feedback"]]
    logs = [log for log in found.logs if log["said"]["gen_ai.evaluation.name"] == "user_feedback"]
    assert len(given) == len(logs) > 50
    assert sum((run["feedback"] == "good") == run["success"] for run in given) / len(given) > 0.75


def test_outcomes_are_said_in_each_workflows_way(found: Read) -> None:
    """Coding says flyball.outcome on its root, research has an error status there, support says neither."""
    for trace, spans in found.spans.items():
        truth, (root,) = found.truth[trace], (span for span in spans if "parentSpanId" not in span)
        said, failed = root["said"].get("flyball.outcome"), root.get("status", {}).get("code") == 2
        assert root["resource"]["flyball.workflow"] == truth["workflow"]
        if truth["workflow"] == "coding":
            expected = "success" if truth["success"] else "failure"
            assert said == ("escalated" if truth["escalated"] else expected)
        elif truth["workflow"] == "research":
            assert failed != truth["success"]
        else:
            assert failed == truth["crashed"]


@pytest.mark.parametrize("workflow", [support.WORKFLOW, research.WORKFLOW, coding.WORKFLOW], ids=lambda w: w.name)
def test_rates_are_near_the_configured_ones(found: Read, workflow: Any) -> None:
    """Arrivals, success and escalation are within four standard errors of what the workflow says."""
    runs = [run for run in found.truth.values() if run["workflow"] == workflow.name]
    expected = SCENARIO.rate * SCENARIO.duration_s * workflow.weight / 5.0
    assert abs(len(runs) - expected) < 4 * expected**0.5
    whole = [run for run in runs if not run["crashed"] and not run["blocked"]]
    for name in ("success", "escalation"):
        p = getattr(workflow, name)
        rate = np.mean([run["escalated" if name == "escalation" else name] for run in whole])
        assert abs(rate - p) <= 4 * (p * (1 - p) / len(whole)) ** 0.5


def test_lengths_and_costs_spread(found: Read) -> None:
    """Model calls, durations and costs differ by run as they do in reality: a long tail to the right."""
    for name in ("llm_calls", "cost_usd"):
        values = np.array([run[name] for run in found.truth.values()])
        assert np.percentile(values, 95) > 3 * np.median(values) > 0
        assert values.mean() > np.median(values)


def test_users_tenants_and_tiers_are_said_on_every_span(found: Read) -> None:
    """Each span says user, tenant and tier, one each in a run; a tenant has one tier."""
    tiers = defaultdict(set)
    for trace, spans in found.spans.items():
        truth = found.truth[trace]
        for span in spans:
            assert span["said"]["user.id"] == truth["user"]
            assert span["said"]["flyball.tenant.id"] == truth["tenant"]
            assert span["said"]["flyball.user.tier"] == truth["tier"]
        tiers[truth["tenant"]].add(truth["tier"])
    assert all(len(of_tenant) == 1 for of_tenant in tiers.values())
    assert len(tiers) > 20
    assert set.union(*tiers.values()) == {"free", "pro", "enterprise"}


def test_reported_costs_add_up(found: Read) -> None:
    """Where costs are reported, those of the spans add up to the truth; elsewhere none is said."""
    for trace, spans in found.spans.items():
        costs = [s["said"]["gen_ai.usage.cost"] for s in spans if "gen_ai.usage.cost" in s["said"]]
        truth = found.truth[trace]
        if truth["workflow"] == "research":
            assert sum(costs) == pytest.approx(truth["cost_usd"], abs=1e-12)
        else:
            assert not costs


def test_changing_one_workflow_leaves_the_runs_of_others_as_they_were() -> None:
    """Runs of coding have the same spans whatever support does; only which messages carry them may differ."""
    short = replace(SCENARIO, duration_s=30.0)
    other = replace(support.WORKFLOW, success=0.1, rounds=20.0)
    changed = replace(short, workflows=(other, research.WORKFLOW, coding.WORKFLOW))

    def of_coding(found: Read) -> list[Any]:
        keys = ("traceId", "spanId", "name", "startTimeUnixNano", "endTimeUnixNano", "attributes")
        runs = [spans for spans in found.spans.values() if spans[0]["resource"]["flyball.workflow"] == "coding"]
        return sorted([span[key] for key in keys[:5]] + [str(span["said"])] for spans in runs for span in spans)

    assert of_coding(read(short)) == of_coding(read(changed)) != []


def test_flush_and_batch_change_messages_only() -> None:
    """The spans are the same however they are batched."""
    short = replace(SCENARIO, duration_s=20.0)
    packed = read(replace(short, flush_s=0.5, batch=7))
    ids = Counter(span["spanId"] for spans in read(short).spans.values() for span in spans)
    assert ids == Counter(span["spanId"] for spans in packed.spans.values() for span in spans)
    assert max(message.records for message in generate(replace(short, flush_s=0.5, batch=7))) == 7


def test_a_scenario_without_end_goes_on() -> None:
    """Without a duration messages keep coming, in order of export."""
    traffic = generate(replace(SCENARIO, duration_s=None, rate=0.5))
    times = [message.event_ns for message, _ in zip(traffic, range(1000), strict=False)]
    assert times == sorted(times)
    assert times[-1] > MONDAY + 900 * SECOND


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"rate": 0}, "rate"),
        ({"duration_s": -1.0}, "duration_s"),
        ({"workflows": ()}, "workflows"),
        ({"batch": 0}, "batch"),
    ],
)
def test_impossible_scenarios_are_refused(change: dict[str, Any], complaint: str) -> None:
    """A scenario that cannot be simulated says which field is wrong."""
    with pytest.raises(ValueError, match=complaint):
        Scenario(**change)
