"""Recorded runs against the rules on runaways: what ended in max_steps is stopped, what succeeded is not."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from flows.replay import parsed, replay
from flows.settings import FlowSettings
from flyball.report.collected import collect
from flyball.report.stopped import in_force

if TYPE_CHECKING:
    from pathlib import Path

    from flows.items import Outbound

pytestmark = pytest.mark.real

FILES = (
    "airline-gpt-4.1",
    "airline-gpt-4.1-ft",
    "airline-gpt-4o",
    "airline-gpt-4o-four-trials",
    "airline-sonnet-4-5",
    "retail-gpt-4.1",
    "retail-gpt-4.1-ft",
    "telecom-gpt-4.1",
    "telecom-gpt-4.1-ft",
)


def told(path: Path) -> list[dict[str, Any]]:
    """Replay a recording with the built-in rules; give all records."""
    out: list[Outbound] = []
    replay([path], FlowSettings(), out.extend)
    return parsed(out)


def verdicts_of(records: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Give the verdicts of rules in force, by run."""
    found = defaultdict(list)
    for record in records:
        if record["kind"] == "verdict" and record["evidence"]["mode"] == "enforce":
            found[record["scope"]["id"]].append(record)
    return found


def labels(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """Give the labels by run id."""
    read = json.loads((folder / "tau2" / f"{name}.labels.json").read_text())
    return read.get("runs", read)


@pytest.mark.parametrize("name", FILES)
def test_who_is_stopped(shared_data: Path, name: str) -> None:
    """Every run that max_steps ended is blocked at its 5th and stopped at its 10th identical call; no success is."""
    found = verdicts_of(told(shared_data / "tau2" / f"{name}.otlp.jsonl"))
    for run_id, label in labels(shared_data, name).items():
        said = {(each["rule"], each["action"]): each["evidence"] for each in found[run_id]}
        killed = [rule for rule, action in said if action == "kill"]
        if label["termination"] == "max_steps":
            assert said["repeat.identical", "warn"]["count"] == 3
            assert said["repeat.identical", "block"]["count"] == 5
            assert said["repeat.identical", "kill"]["count"] == said["repeat.identical", "kill"]["limit"] == 10
            assert "repeat.identical" in killed
        if label["success"]:
            assert not killed
        if label["max_identical_calls"] < 3:
            assert not [rule for rule, _ in said if rule == "repeat.identical"]


def test_what_is_saved(shared_data: Path) -> None:
    """Of 656 calls the five runaways made 346 after they would have been stopped: counted here from the recording."""
    name = "telecom-gpt-4.1-ft"
    records = told(shared_data / "tau2" / f"{name}.otlp.jsonl")
    found = in_force(collect([*records, {"kind": "summary"}]))
    calls = _calls(shared_data / "tau2" / f"{name}.otlp.jsonl")
    after = 0
    for run_id, label in labels(shared_data, name).items():
        if label["termination"] == "max_steps":
            after += len(calls[run_id]) - _tenth_in_row(calls[run_id])
    assert (found.killed, found.calls_saved, found.succeeded_anyway) == (5, after, 0)
    assert after == 346


def test_the_order_of_export_does_not_matter(shared_data: Path, tmp_path: Path) -> None:
    """Lines told twice, and in other batches: the same verdicts, by id, with the same evidence."""
    path = shared_data / "tau2" / "telecom-gpt-4.1-ft.otlp.jsonl"
    twice = tmp_path / "twice.otlp.jsonl"
    twice.write_text("".join(line * 2 for line in path.read_text().splitlines(keepends=True)))

    def said(of: Path) -> list[dict[str, Any]]:
        return sorted((each for each in told(of) if each["kind"] == "verdict"), key=lambda each: each["id"])

    assert said(twice) == said(path)


def _calls(path: Path) -> dict[str, list[tuple[int, str, str]]]:
    """Read (end, tool, arguments) of the tool calls by run, by end."""
    found = defaultdict(list)
    for line in path.read_text().splitlines():
        for resource in json.loads(line).get("resourceSpans", ()):
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    said = {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}
                    if said.get("gen_ai.operation.name") == "execute_tool":
                        what = said["gen_ai.tool.name"], said.get("gen_ai.tool.call.arguments", "")
                        found[span["traceId"]].append((int(span["endTimeUnixNano"]), *what))
    return {run_id: sorted(calls) for run_id, calls in found.items()}


def _tenth_in_row(calls: list[tuple[int, str, str]]) -> int:
    """Give the number of calls up to the tenth in a row that are alike."""
    row = 0
    for number, (_, *what) in enumerate(calls, 1):
        row = row + 1 if number > 1 and list(calls[number - 2][1:]) == what else 1
        if row == 10:
            return number
    raise AssertionError(calls[0])
