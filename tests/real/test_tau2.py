"""Replays of recorded runs give exactly the labels: JSON or protobuf, in any order, duplicated, without roots."""

from __future__ import annotations

import json
import random
import re
import struct
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from flows.replay import parsed, replay
from flows.settings import FlowSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flows.items import Outbound

FILES = (
    "airline-gpt-4.1-ft",
    "airline-gpt-4.1",
    "airline-gpt-4o-four-trials",
    "airline-gpt-4o",
    "airline-sonnet-4-5",
    "retail-gpt-4.1-ft",
    "retail-gpt-4.1",
    "telecom-gpt-4.1-ft",
    "telecom-gpt-4.1",
)
UNPRICED = {"airline-gpt-4.1-ft", "retail-gpt-4.1-ft", "telecom-gpt-4.1-ft", "airline-gpt-4o-four-trials"}
MINUTE = 60_000_000_000

pytestmark = [pytest.mark.real, pytest.mark.parametrize("name", FILES)]


def records_of(*paths: Path) -> list[dict[str, Any]]:
    """Replay and give all records, the summary last."""
    out: list[Outbound] = []
    summary = replay(list(paths), FlowSettings(), out.extend)
    return [*parsed(out), summary.record()]


def final_runs(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Give the last revision of every run; each (run, revision) is told once."""
    runs = [record for record in records if record["kind"] == "run"]
    assert len({(run["run_id"], run["revision"]) for run in runs}) == len(runs)
    return {run["run_id"]: run for run in sorted(runs, key=lambda run: run["revision"])}


def final_slis(records: list[dict[str, Any]], sli: str, group: set[str]) -> Counter[str]:
    """Add up the last revision of every pane of an SLI over the groups with these dimensions."""
    panes = {}
    for record in records:
        if record["kind"] == "sli" and record["sli"] == sli and set(record["group"]) == group:
            key = (json.dumps(record["group"], sort_keys=True), record["pane_start"])
            assert key not in panes or panes[key]["revision"] < record["revision"]
            panes[key] = record
    total: Counter[str] = Counter()
    for record in panes.values():
        total.update(total=record["total"], good=record["good"])
    return total


def check(records: list[dict[str, Any]], labels: dict[str, Any], name: str, *, roots: bool = True) -> None:
    """Compare run records and SLIs with the labels."""
    runs = final_runs(records)
    assert set(runs) == set(labels)
    for trace, label in labels.items():
        run = runs[trace]
        said = (
            run["outcome"],
            run["outcome_from"],
            run["escalated"],
            run["llm_calls"],
            run["tool_calls"],
            run["tool_errors"],
        )
        assert said == (
            "success" if label["success"] else "failure",
            "evaluation",
            label["escalated"],
            label["llm_calls"],
            label["tool_calls"],
            label["tool_errors"],
        )
        assert run["closed_by"] == ("root" if roots else "idle")
        if name in UNPRICED:
            assert (run["cost_usd"], run["priced"]) == (None, "unpriced")
        else:
            assert run["priced"] == "reported"
            assert run["cost_usd"] == pytest.approx(label["cost_usd"], abs=1e-6)
    values = labels.values()
    calls, errors = sum(v["tool_calls"] for v in values), sum(v["tool_errors"] for v in values)
    success, escalated = sum(v["success"] for v in values), sum(v["escalated"] for v in values)
    assert final_slis(records, "task_success", {"workflow"}) == {"total": len(labels), "good": success}
    assert final_slis(records, "escalation_rate", {"workflow"}) == {
        "total": len(labels),
        "good": len(labels) - escalated,
    }
    assert final_slis(records, "tool_success", {"workflow"}) == {"total": calls, "good": calls - errors}
    assert final_slis(records, "tool_success", {"workflow", "tool"}) == {"total": calls, "good": calls - errors}
    assert final_slis(records, "trajectory_length", {"workflow"})["total"] == len(labels)
    domain = name.split("-", maxsplit=1)[0] + ("" if roots else "-agent")
    assert {run["workflow"] for run in runs.values()} == {domain}


@pytest.fixture
def recording(shared_data: Path, name: str) -> Path:
    """Give the recorded file."""
    return shared_data / "tau2" / f"{name}.otlp.jsonl"


@pytest.fixture
def labels(shared_data: Path, name: str) -> dict[str, Any]:
    """Give the truth."""
    return json.loads((shared_data / "tau2" / f"{name}.labels.json").read_text())  # type: ignore[no-any-return]


def write_lines(path: Path, lines: list[str]) -> Path:
    """Write lines to a new file."""
    path.write_text("".join(lines))
    return path


def test_as_recorded(recording: Path, labels: dict[str, Any], name: str) -> None:
    """Every run, outcome, count and cost is the label's."""
    records = records_of(recording)
    check(records, labels, name)
    summary = records[-1]
    assert summary["kind"] == "summary"
    assert (summary["runs"], summary["duplicates"], summary["dead_letters"]) == (len(labels), 0, 0)
    assert summary["unpriced"] == (len(labels) if name in UNPRICED else 0)


def test_as_protobuf(recording: Path, labels: dict[str, Any], name: str, tmp_path: Path) -> None:
    """The same data as length-prefixed protobuf gives the same."""
    to_protobuf: Callable[[str], bytes] = _protobuf
    path = tmp_path / "recording.binpb"
    with recording.open() as lines, path.open("wb") as out:
        for line in lines:
            message = to_protobuf(line)
            out.write(struct.pack(">I", len(message)) + message)
    check(records_of(path), labels, name)


def test_shuffled_within_a_minute(recording: Path, labels: dict[str, Any], name: str, tmp_path: Path) -> None:
    """Lines may come in any order within the allowed lateness."""
    rng = random.Random(7)  # noqa: S311  # a test's shuffle
    lines = recording.read_text().splitlines(keepends=True)
    shuffled = sorted(lines, key=lambda line: _time(line) + rng.randrange(MINUTE))
    assert shuffled != lines
    check(records_of(write_lines(tmp_path / "shuffled.jsonl", shuffled)), labels, name)


def test_duplicated(recording: Path, labels: dict[str, Any], name: str, tmp_path: Path) -> None:
    """Lines sent twice count once."""
    lines = recording.read_text().splitlines(keepends=True)
    records = records_of(write_lines(tmp_path / "twice.jsonl", [line for line in lines for _ in range(2)]))
    check(records, labels, name)
    assert records[-1]["duplicates"] > 0


def test_without_roots(recording: Path, labels: dict[str, Any], name: str, tmp_path: Path) -> None:
    """Runs whose root never comes close by idle time, with the same facts."""
    lines = [_without_roots(line) for line in recording.read_text().splitlines()]
    check(records_of(write_lines(tmp_path / "rootless.jsonl", lines)), labels, name, roots=False)


def _time(line: str) -> int:
    found = re.search(r'"(?:endTimeUnixNano|timeUnixNano)":"(\d+)"', line)
    assert found
    return int(found.group(1))


def _without_roots(line: str) -> str:
    message = json.loads(line)
    for resource in message.get("resourceSpans", []):
        for scope in resource["scopeSpans"]:
            scope["spans"] = [span for span in scope["spans"] if span.get("parentSpanId")]
    return json.dumps(message) + "\n"


def _protobuf(line: str) -> bytes:
    from google.protobuf.json_format import ParseDict  # noqa: PLC0415  # only this test needs the library
    from opentelemetry.proto.logs.v1.logs_pb2 import LogsData  # noqa: PLC0415
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData  # noqa: PLC0415

    message = json.loads(line, object_hook=_ids_as_base64)
    return ParseDict(message, TracesData() if "resourceSpans" in message else LogsData()).SerializeToString()


def _ids_as_base64(value: dict[str, Any]) -> dict[str, Any]:
    import base64  # noqa: PLC0415

    ids = ("traceId", "spanId", "parentSpanId")
    return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ids else v for k, v in value.items()}
