"""The guard over recorded runs of real agents: what ran away is stopped, what went on to succeed is never killed."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from flyball_sdk import Guard, Policy, Subject, Tiers

if TYPE_CHECKING:
    from pathlib import Path

FILES = [
    "airline-gpt-4o",
    "airline-sonnet-4-5",
    "airline-gpt-4.1",
    "airline-gpt-4.1-ft",
    "retail-gpt-4.1",
    "retail-gpt-4.1-ft",
    "telecom-gpt-4.1",
    "telecom-gpt-4.1-ft",
    "airline-gpt-4o-four-trials",
]
pytestmark = pytest.mark.real


def calls_of(file: Path) -> dict[str, list[tuple[str, Any, Any, bool]]]:
    """Read the tool calls of each run, in order: (tool, arguments, result, failed)."""
    runs: dict[str, list[Any]] = defaultdict(list)
    for line in file.read_text().splitlines():
        for resource in json.loads(line).get("resourceSpans", []):
            for span in (span for scope in resource["scopeSpans"] for span in scope["spans"]):
                said = {each["key"]: next(iter(each["value"].values())) for each in span.get("attributes", [])}
                if said.get("gen_ai.operation.name") == "execute_tool":
                    arguments = json.loads(said.get("gen_ai.tool.call.arguments") or "{}")
                    failed = span.get("status", {}).get("code") == 2
                    result = said.get("gen_ai.tool.call.result")
                    call = (int(span["startTimeUnixNano"]), said["gen_ai.tool.name"], arguments, result, failed)
                    runs[span["traceId"]].append(call)
    return {run: [call[1:] for call in sorted(calls, key=lambda call: call[0])] for run, calls in runs.items()}


def guarded(calls: list[tuple[str, Any, Any, bool]], run: str) -> list[Any]:
    """Ask the guard about each call, as if the agent had made it whatever was said before."""
    guard = Guard(Policy(tiers=Tiers(default=0)), on_event=lambda event: None)
    decisions = []
    for tool, arguments, result, failed in calls:
        decisions.append(guard.evaluate(tool, arguments, Subject(run=run)))
        guard.result(decisions[-1], result, error=str(result) if failed else None)
    return decisions


@pytest.mark.parametrize("name", FILES)
def test_no_run_that_succeeded_is_killed(shared_data: Path, name: str) -> None:
    """Of all recorded runs that succeeded the guard would have ended none."""
    labels = json.loads((shared_data / "tau2" / f"{name}.labels.json").read_text())
    runs = calls_of(shared_data / "tau2" / f"{name}.otlp.jsonl")
    assert runs
    succeeded = [run for run in runs if labels[run]["success"]]
    assert [run for run in succeeded if any(decision.killed for decision in guarded(runs[run], run))] == []


def test_runs_that_ran_away_are_stopped(shared_data: Path) -> None:
    """Five runs end by max_steps after 64 to 96 identical calls: each is blocked at the 5th and ended at the 10th."""
    name = "telecom-gpt-4.1-ft"
    labels = json.loads((shared_data / "tau2" / f"{name}.labels.json").read_text())
    runs = calls_of(shared_data / "tau2" / f"{name}.otlp.jsonl")
    away = {run: calls for run, calls in runs.items() if labels[run]["termination"] == "max_steps"}
    assert len(away) == 5
    for run, calls in away.items():
        decisions = guarded(calls, run)
        blocked = next(at for at, decision in enumerate(decisions) if not decision.allowed)
        killed = next(at for at, decision in enumerate(decisions) if decision.killed)
        assert decisions[blocked].reason_code == decisions[killed].reason_code == "repeat.identical"
        assert killed - blocked == 5
        assert len({json.dumps(call[:2], sort_keys=True) for call in calls[blocked - 4 : killed + 1]}) == 1
        assert sum(decision.allowed for decision in decisions[blocked:]) == 0
        assert len(calls) - blocked >= 59
