"""Each kind of incident does what it says to the runs it touches, and nothing to the others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pytest

from models.simulation import Encoding, Generation, Incident, Scenario, parse_incident
from models.simulation.scenario import MONDAY, SECOND
from models.simulation.vocabulary import INJECTION
from models.simulation.workflows import coding, research, support

CALM = Scenario(seed=11, duration_s=240.0, rate=2.0)
START, STOP = 60.0, 180.0


class Story:
    """A scenario with one incident, read back."""

    def __init__(self, *incidents: str, calm: Scenario = CALM) -> None:
        """`incidents` in the compact form."""
        scenario = replace(calm, incidents=tuple(map(parse_incident, incidents)))
        generation = Generation(scenario, Encoding.JSON)
        self.spans: dict[str, list[dict[str, Any]]] = {}
        for message in generation:
            for outer in orjson.loads(message.payload).get("resourceSpans", ()):
                for inner in outer["scopeSpans"]:
                    for span in inner["spans"]:
                        span["resource"] = outer["resource"]
                        self.spans.setdefault(span["traceId"], []).append(span)
        self.incidents = list(generation.truth.incidents())
        self.runs = {run["run_id"]: run for run in generation.truth.take()}
        self.touched = [run for run in self.runs.values() if run["incidents"]]

    def calls(self, run: dict[str, Any]) -> list[dict[str, str]]:
        """Give the tool calls of a run in order of time, their attributes as texts."""
        spans = sorted(self.spans[run["run_id"]], key=lambda span: int(span["startTimeUnixNano"]))
        plain = [{a["key"]: a["value"].get("stringValue", "") for a in span["attributes"]} for span in spans]
        return [said for said in plain if said.get("gen_ai.operation.name") == "execute_tool"]


def seconds(run: dict[str, Any]) -> float:
    """Give a run's start as seconds since the start of the scenario."""
    return datetime.fromisoformat(run["started_at"]).timestamp() - MONDAY / SECOND


def names(calls: list[dict[str, str]]) -> list[str]:
    """Give the tools called."""
    return [call["gen_ai.tool.name"] for call in calls]


@pytest.fixture(scope="module")
def calm() -> Story:
    """Give the scenario without incidents."""
    return Story()


@pytest.mark.parametrize(
    "incident",
    ["retry_loop", "cycle", "cost_blowup", "model_upgrade", "slow_decline", "hallucinated_tool", "injection"],
)
def test_only_runs_in_time_are_touched_and_others_stay_as_they_were(incident: str, calm: Story) -> None:
    """Touched runs start during the incident; every other run has exactly the spans it has without it."""
    story = Story(f"{incident}@{START}+{STOP - START}:share=0.4")
    started = [seconds(run) for run in story.touched]
    assert min(started) >= START
    assert max(started) < STOP
    during = [run for run in story.runs.values() if START <= seconds(run) < STOP]
    assert abs(len(story.touched) / len(during) - 0.4) < 4 * (0.24 / len(during)) ** 0.5
    assert story.runs.keys() == calm.runs.keys()
    for run_id, run in story.runs.items():
        if not run["incidents"]:
            assert story.spans[run_id] == calm.spans[run_id]
            assert run == calm.runs[run_id]


def test_retry_loop_repeats_one_failing_call() -> None:
    """A touched run makes one call, with the same arguments and the same error, `count` times in a row; it fails."""
    story = Story("retry_loop@1m+2m:workflow=support,tool=get_order,count=25,share=0.3")
    assert {run["workflow"] for run in story.touched} == {"support"}
    for run in story.touched:
        last = story.calls(run)[-25:]
        assert len({str({k: v for k, v in call.items() if k != "gen_ai.tool.call.id"}) for call in last}) == 1
        assert last[0]["gen_ai.tool.name"] == "get_order"
        assert last[0]["error.type"] == "tool_error"
        assert run["crashed"]
        assert not run["success"]


def test_cycle_alternates_two_calls() -> None:
    """A touched run calls A, B, A, B ... with the same arguments, without an error."""
    story = Story("cycle@1m+2m:workflow=coding,tool=read_file,other=edit_file,count=10,share=0.5")
    assert story.touched
    for run in story.touched:
        last = story.calls(run)[-20:]
        assert names(last) == ["read_file", "edit_file"] * 10
        assert len({call["gen_ai.tool.call.arguments"] for call in last}) == 2
        assert not any("error.type" in call for call in last)


def test_cost_blowup_multiplies_tokens(calm: Story) -> None:
    """A touched run has the same calls with about `factor` times the tokens."""
    story = Story("cost_blowup@1m+2m:factor=10")
    for run in story.touched:
        before = calm.runs[run["run_id"]]
        assert run["llm_calls"] == before["llm_calls"]
        if run["llm_calls"]:
            assert 9 < run["output_tokens"] / before["output_tokens"] < 11
            assert run["cost_usd"] > 3 * before["cost_usd"]


def test_model_upgrade_brings_a_version_that_succeeds_less(calm: Story) -> None:
    """During the incident version and model are new; fewer runs succeed, and none that failed before."""
    story = Story("model_upgrade@1m+2m:workflow=support,version=9.0.0,model=gpt-4.1-mini,drop=0.4")
    assert len(story.touched) > 100
    for run in story.touched:
        assert (run["version"], run["model"]) == ("9.0.0", "gpt-4.1-mini")
        assert run["success"] <= calm.runs[run["run_id"]]["success"]
        said = {a["key"]: a["value"]["stringValue"] for a in story.spans[run["run_id"]][0]["resource"]["attributes"]}
        assert said["service.version"] == "9.0.0"
    rate = np.mean([run["success"] for run in story.touched])
    assert rate == pytest.approx(support.WORKFLOW.success - 0.4, abs=0.12)
    assert {run["version"] for run in story.runs.values() if not run["incidents"]}.isdisjoint({"9.0.0"})


def test_slow_decline_falls_in_a_line() -> None:
    """Success falls by `drop` from the start of the incident to its end."""
    alone = replace(CALM, duration_s=1200.0, rate=1.0, workflows=(support.WORKFLOW,))
    story = Story("slow_decline@0+20m:workflow=support,drop=0.8", calm=alone)
    runs = [run for run in story.touched if not run["crashed"] and not run["blocked"]]
    for first, last in ((0, 300), (300, 600), (600, 900), (900, 1200)):
        part = [run["success"] for run in runs if first <= seconds(run) < last]
        expected = support.WORKFLOW.success - 0.8 * (first + last) / 2 / 1200
        assert np.mean(part) == pytest.approx(expected, abs=4 * (0.25 / len(part)) ** 0.5)


@pytest.mark.parametrize("error", ["timeout", "tool_error"])
def test_tool_outage_fails_most_calls_of_one_tool_in_its_time(error: str) -> None:
    """In the time of the outage about `rate` of the tool's calls fail; a run is touched where one of its calls was."""
    story = Story(f"tool_outage@{START}+{STOP - START}:tool=run_tests,rate=0.8,error={error}")
    inside = []
    for run_id, spans in story.spans.items():
        failed = []
        for span in spans:
            at = (int(span["startTimeUnixNano"]) - MONDAY) / SECOND
            if span["name"] == "execute_tool run_tests" and START <= at < STOP:
                failed.append(span.get("status", {}).get("message") == error)
        inside += failed
        if story.runs[run_id]["incidents"]:
            assert any(failed)
    # a call that would have failed anyway fails too
    assert len(inside) > 50
    assert np.mean(inside) == pytest.approx(0.82, abs=0.1)


def test_hallucinated_tool_is_called_once_and_is_not_found() -> None:
    """A touched run calls a tool that no workflow has, and is told so."""
    story = Story("hallucinated_tool@1m+2m:tool=delete_customer")
    own = {tool.name for w in (support, research, coding) for tool in w.WORKFLOW.tools}
    assert "delete_customer" not in own
    for run in story.runs.values():
        strange = [call for call in story.calls(run) if call["gen_ai.tool.name"] == "delete_customer"]
        assert len(strange) == (1 if run["incidents"] and not run["blocked"] else 0)
        assert all(call["error.type"] == "tool_not_found" for call in strange)


def test_injection_is_followed_by_a_call_out_of_scope() -> None:
    """In a touched run a tool's result carries the injection, and the next call is one no workflow has."""
    story = Story("injection@1m+2m:tool=get_order,calls=send_email")
    assert len(story.touched) > 5
    assert {run["workflow"] for run in story.touched} == {"support"}
    for run in story.runs.values():
        calls = story.calls(run)
        poisoned = [i for i, call in enumerate(calls) if call.get("gen_ai.tool.call.result") == INJECTION]
        assert len(poisoned) == bool(run["incidents"])
        assert names(calls).count("send_email") == len(poisoned)
        assert all(names(calls)[i : i + 2] == ["get_order", "send_email"] for i in poisoned)


def test_truth_of_spans_and_counts_holds_in_incidents() -> None:
    """Several incidents at once: the truth still counts what is in the spans, and numbers them as given."""
    story = Story("retry_loop@1m+2m", "injection@1m+2m:share=1", "tool_outage@1m+2m:tool=get_order")
    assert [incident["kind"] for incident in story.incidents] == ["retry_loop", "injection", "tool_outage"]
    assert {i for run in story.touched for i in run["incidents"]} == {0, 1, 2}
    for run in story.runs.values():
        assert run["spans"] == len(story.spans[run["run_id"]])
        assert run["tool_calls"] == len(story.calls(run))
        assert run["tool_errors"] == sum("error.type" in call for call in story.calls(run))


def test_spans_never_say_what_is_true() -> None:
    """Nothing in the spans names an incident."""
    generation = Generation(replace(CALM, duration_s=30.0, incidents=(Incident("retry_loop", 0, 30),)), Encoding.JSON)
    assert not any(b"retry_loop" in message.payload or b"incident" in message.payload for message in generation)


def test_start_is_utc() -> None:
    """Simulated time starts on a Monday morning."""
    assert datetime.fromtimestamp(MONDAY / SECOND, UTC).isoformat() == "2026-03-02T09:00:00+00:00"
