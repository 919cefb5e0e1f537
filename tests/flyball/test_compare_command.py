"""`flyball compare` of recorded files: how they are named, and those that cannot be read."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest

from flyball.cli import main
from flyball.compare.sides import side_of, tasks_of
from models.runs.policy import RunPolicy
from models.runs.table import RunTable
from models.spans.columns import SpanKind
from streams.embedded.log import EmbeddedLog
from tests.helpers.console import run
from tests.helpers.run_ledger import Ledger
from tests.helpers.span_rows import row, spans_of

if TYPE_CHECKING:
    from pathlib import Path


def test_a_cut_recording_is_told_in_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As in a replay: the file's name and what is wrong with it, without the engine's backtrace."""
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(b'{"resourceSpans":[]}\n' * 100)[:-9])
    assert main(["compare", str(cut), str(cut)]) == 1
    assert capfd.readouterr().err == f"flyball: {cut}: ends in the middle of its compressed data\n"


@pytest.mark.parametrize("choice", ["", "#version=2", "#cohort.plan=free", "#version=a#1"])
def test_a_path_may_hold_the_mark_of_a_choice(choice: str, tmp_path: Path) -> None:
    """A folder `ticket#12` and a file `run#3.jsonl`: what is there is the file, what is behind it is the choice."""
    path = tmp_path / "ticket#12" / "run#3.jsonl"
    path.parent.mkdir()
    path.touch()
    side = side_of(f"{path}{choice}")
    assert (side.path, f"#{side.dimension}={side.value}" if choice else "") == (path, choice)


def _recorded(path: Path, parts: dict[tuple[str, str], tuple[int, int]]) -> Path:
    """Write a file of runs, each one span: version and type of task -> good and failed."""
    lines, number = [], 0
    for (version, task), (good, failed) in parts.items():
        for code in [1] * good + [2] * failed:
            number += 1
            start = 1_750_000_000_000_000_000 + number * 10**9
            said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "desk", "flyball.cohort.task": task}
            attributes = [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]
            span = {"traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": "run", "status": {"code": code}}
            span |= {"startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 10**9), "attributes": attributes}
            of = [{"key": "service.version", "value": {"stringValue": version}}]
            resource = {"resource": {"attributes": of}, "scopeSpans": [{"spans": [span]}]}
            lines.append(orjson.dumps({"resourceSpans": [resource]}))
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_versions_are_compared_within_types_of_task(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Version 2 is mostly asked for what fails in one of five: that is said, and that it is no worse."""
    old, new = {("1", "ask"): (97, 3), ("1", "book"): (16, 4)}, {("2", "ask"): (29, 1), ("2", "book"): (80, 20)}
    path = _recorded(tmp_path / "runs.jsonl", old | new | {("2", "pay"): (3, 1)})
    assert main(["compare", f"{path}#version=1", f"{path}#version=2"]) == 0
    told = " ".join(capfd.readouterr().out.split())
    assert "Compared within the types of task that both were asked for: ask, book." in told
    assert "Left out: 0 runs of A and 4 runs of B of other types or none." in told
    assert main(["compare", f"{path}#version=1", f"{path}#version=2", "--json"]) == 0
    rows = [orjson.loads(line) for line in capfd.readouterr().out.splitlines()]
    (success,) = [row for row in rows if row["sli"] == "task_success"]
    assert (success["within"], success["events"]) == (["ask", "book"], [120, 130])
    assert success["before"] == pytest.approx((30 * 0.97 + 100 * 0.8) / 130)


def test_a_canary_with_no_type_in_common_is_told_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is asked for what fails more often; a pipeline must not roll it back for that."""
    path = _recorded(tmp_path / "runs.jsonl", {("1", "ask"): (97, 3), ("2", "book"): (80, 20)})
    assert main(["compare", f"{path}#version=1", f"{path}#version=2", "--canary"]) == 1
    assert "have no whole hour in common with runs of the same type of task" in capfd.readouterr().err


@pytest.mark.parametrize("said", [("ask", "book"), ("book", "ask")])
def test_a_run_of_two_types_is_of_the_one_that_the_flow_counts(said: tuple[str, str]) -> None:
    """Whichever of its spans comes first in the file."""
    spans = spans_of([row(SpanKind.RUN, 2 + at, 0, 0, 1, cohorts={"task": task}) for at, task in enumerate(said)])
    ledger = Ledger()
    ledger.add(RunTable(RunPolicy(), is_journaled=True).update(spans, slice(0, 2), 0))
    ((facts, _),) = ledger.truth()[0].items()
    assert [("task", task) for task in tasks_of(spans).values()] == [*facts[9]]


def _told(
    data: Path, parts: dict[tuple[str, str | None], tuple[int, int]], *, says: bool = True, day: int = 2
) -> list[str]:
    """Write run records into the log of a deployment, by version and type of task: good and failed, over ten hours.

    Gives the arguments that compare both versions. `says` False: records from before they said a type.
    """
    number, hour = 100_000 * day, datetime(2026, 3, day, 9, tzinfo=UTC)
    with closing(EmbeddedLog(data / "log")) as log:
        log.ensure("flyball.runs", 1)
        with closing(log.writer()) as writer:
            for (version, task), (good, failed) in parts.items():
                for place in range(many := good + failed):
                    number += 1
                    at = hour + timedelta(hours=10 * place / many)
                    outcome = "failure" if place * failed % many < failed else "success"
                    said = {"version": version, "outcome": outcome, "input_tokens": 1_000, "cost_usd": 0.1}
                    said |= {"task": task} if says else {}
                    value = json.dumps(run(number, ended=at, **said)).encode()
                    writer.append("flyball.runs", [(None, value)])
            writer.flush()
    return ["compare", "#version=1", "#version=2", "--data", str(data)]


PARTS: dict[tuple[str, str | None], tuple[int, int]] = {
    ("1", "ask"): (194, 6),
    ("1", "book"): (32, 8),
    ("2", "ask"): (58, 2),
    ("2", "book"): (160, 40),
    ("2", None): (3, 1),
}


def test_versions_of_a_deployment_are_compared_within_types_of_task(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As those of files: version 2 is no worse; by records that do not say types it is."""
    command = _told(tmp_path, PARTS)
    assert main(command) == 0
    told = " ".join(capfd.readouterr().out.split())
    assert "Compared within the types of task that both were asked for: ask, book." in told
    assert "Left out: 0 runs of A and 4 runs of B of other types or none." in told
    assert main([*command, "--json"]) == 0
    rows = [orjson.loads(line) for line in capfd.readouterr().out.splitlines()]
    (success,) = [row for row in rows if row["sli"] == "task_success"]
    assert (success["within"], success["events"]) == (["ask", "book"], [240, 260])
    assert main(_told(tmp_path / "before", PARTS, says=False)) == 3
    told = capfd.readouterr().out
    assert "type of task" not in told


def test_it_is_said_where_too_few_runs_say_their_type(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of the old version some are from before: what differs may be what was asked for."""
    _told(tmp_path, {("1", "ask"): (97, 3)}, says=False, day=1)
    assert main(_told(tmp_path, PARTS)) == 3
    told = " ".join(capfd.readouterr().out.split())
    assert "Compared over all: 240 of 340 runs of A and 260 of 264 runs of B say their type of task" in told
    assert "what was asked for is not told apart." in told


def test_a_canary_of_a_deployment_is_judged_within_types_of_task(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is not rolled back for what it is asked; by records that do not say types it would be."""
    many = {part: (20 * good, 20 * failed) for part, (good, failed) in PARTS.items() if part[1]}
    assert main([*_told(tmp_path, many), "--canary"]) != 3
    assert "and 2 types of task, within each" in capfd.readouterr().out
    assert main([*_told(tmp_path / "before", many, says=False), "--canary"]) == 3


def test_a_canary_is_judged_by_what_the_hours_of_both_say(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Records of the old version from the day before say no type: those hours are no look, and decide nothing."""
    many = {part: (20 * good, 20 * failed) for part, (good, failed) in PARTS.items() if part[1]}
    _told(tmp_path, {("1", "ask"): (970, 30)}, says=False, day=1)
    assert main([*_told(tmp_path, many), "--canary"]) != 3
    assert "and 2 types of task, within each" in capfd.readouterr().out


def test_a_path_that_is_not_there_is_told_without_its_choice(capsys: pytest.CaptureFixture[str]) -> None:
    """However long the value is."""
    assert main(["compare", f"none.jsonl#version={'2' * 300}", "none.jsonl"]) == 1
    assert capsys.readouterr().err == "flyball: none.jsonl: found nothing, expected a file of recorded traces\n"


@pytest.mark.parametrize(("unknown", "share"), [("exclude", 1.0), ("bad", 0.5), ("good", 1.0)])
def test_runs_of_unknown_outcome_count_as_configured(
    unknown: str, share: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`runs.unknown` holds here as for the SLI: of version 2 half of the runs are of unknown outcome."""
    (tmp_path / "flyball.yaml").write_text(f"runs: {{unknown: {unknown}}}\n")
    with closing(EmbeddedLog(tmp_path / "data" / "log")) as log:
        log.ensure("flyball.runs", 1)
        with closing(log.writer()) as writer:
            for number in range(80):
                version = str(1 + number % 2)
                outcome = "unknown" if number % 4 == 1 else "success"
                said = run(number, version=version, outcome=outcome)
                writer.append("flyball.runs", [(None, json.dumps(said).encode())])
            writer.flush()
    main(["compare", "#version=1", "#version=2", "--json", "--config", str(tmp_path), "--data", str(tmp_path / "data")])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (found,) = [row for row in rows if row.get("sli") == "task_success"]
    assert (found["before"], found["after"]) == (1.0, share)
