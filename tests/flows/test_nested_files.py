"""Nested agents over restarts of a flow: a task that goes round is counted on, by whichever worker has the run now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flows.decode import RUN_SHARDS
from flows.items import ShardTouched, Watched
from flows.metrics import Metrics
from flows.nested_files import NestedFiles
from flows.watch import WatchStep
from models.runaways.nested import Agent, Nested
from models.runaways.policy import RunawayPolicy
from models.runaways.touched import Touched
from models.runs.policy import RunPolicy
from models.runs.table import RunTable
from models.spans.columns import SpanKind
from tests.helpers.span_rows import row, spans_of

if TYPE_CHECKING:
    from pathlib import Path

NOW = time.time_ns()
"""Of files the system says when they were written."""


def told(step: WatchStep, table: RunTable, number: int) -> list[tuple[str, str, list[str]]]:
    """Let the planner or the writer begin; give (rule, action, sequence) of what is said."""
    name = ("planner", "writer")[number % 2]
    spans = spans_of([row(SpanKind.RUN, 10 + number, 1, number, number + 0.5, agent=name, workflow="air")])
    table.update(spans, np.arange(1), 0)
    touched = [Touched(pulses, spans, np.arange(1)) for pulses in table.pulses()]
    items = [(RUN_SHARDS[0], ShardTouched(RUN_SHARDS[0], table, each)) for each in touched]
    seen = [each for each in step(list(items)) if isinstance(each, Watched)]
    return [(v.rule, str(v.action), v.evidence["sequence"]) for each in seen for v in each.verdicts]


@pytest.mark.parametrize("restarts", [(), (4,), (2, 3, 5)])
def test_a_task_that_goes_round_is_counted_over_restarts(tmp_path: Path, restarts: tuple[int, ...]) -> None:
    """The warning comes with the sixth agent, whenever the flow was restarted; also of names told before it."""
    table = RunTable(RunPolicy(), is_journaled=True)
    table.is_watched = True
    step, found = WatchStep(RunawayPolicy(), Metrics(), lambda: NOW, tmp_path), []
    for number in range(1, 7):
        if number in restarts:
            table = RunTable.load(RunPolicy(), table.dump(), [], is_journaled=True)
            table.is_watched = True
            step = WatchStep(RunawayPolicy(), Metrics(), lambda: NOW, tmp_path)
        found.append(told(step, table, number))
    assert found[:5] == [[]] * 5
    assert found[5] == [("pingpong.agents", "warn", ["writer", "planner"])]


def agents(*spans: int) -> list[Agent]:
    """Give nested agents of one run."""
    return [Agent(1, 2, span, span, 7, "planner\ud800") for span in spans]


def test_files_are_bounded_and_go_when_they_are_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two newest of a life stay, what is torn is left out, and after a day nothing is left."""
    monkeypatch.setattr("flows.nested_files._A_FILE", 3)
    nested = Nested()
    files = NestedFiles(tmp_path, "a", nested, NOW)
    for span in range(12):
        nested.add(agents(span))
        files.keep()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-2.jsonl", "a-3.jsonl"]
    with (tmp_path / "a-3.jsonl").open("ab") as file:
        file.write(b'[1,2,99[1,2,100,100,7,null]\n[1]\n[1,2,12,12,7,"planner?"]\n[1,2,99')  # as a full disk leaves it
    written = (tmp_path / "a-3.jsonl").stat().st_mtime_ns
    again = Nested()
    NestedFiles(tmp_path, "b", again, written)
    assert [start for start, _ in again.of((1, 2))] == [6, 7, 8, 9, 10, 11, 12]
    assert again.text(7) == "planner?"
    NestedFiles(tmp_path, "c", Nested(), written + 26 * 3600 * 10**9)
    assert list(tmp_path.iterdir()) == []
