"""`flyball compare` on recorded runs: it tells what the labels differ in, and nothing where they do not."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest

from flows.replay import records_of, spans_of
from flows.settings import FlowSettings
from flyball.cli import main
from flyball.compare.sides import runs_of_file, side_of
from models.drift.comparing import Compared, Run, compare

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
LABELLED = ("task_success", "escalation_rate", "tool_success", "repeated_calls")


def sides_of(path: Path, *choices: str) -> list[list[Run]]:
    """Give the runs of a file, or of parts of it."""
    settings = FlowSettings()
    records, spans = records_of(path, settings, b'{"kind":"run",'), spans_of(path, settings)
    return [runs_of_file(records, spans, side_of(f"{path}{choice}")) for choice in choices or ("",)]


def labelled(shared_data: Path, a: str, b: str) -> dict[str, Compared]:
    """Compare two files, by SLI."""
    (one,), (other,) = (sides_of(shared_data / "tau2" / f"{name}.otlp.jsonl") for name in (a, b))
    return {row.sli: row for row in compare(one, other) if row.sli in LABELLED}


@pytest.mark.parametrize(
    ("a", "b", "differ"),
    [
        ("airline-gpt-4o", "airline-sonnet-4-5", {"task_success", "escalation_rate", "tool_success"}),
        ("airline-gpt-4.1", "airline-gpt-4.1-ft", set()),
        ("retail-gpt-4.1", "retail-gpt-4.1-ft", set()),
        ("telecom-gpt-4.1", "telecom-gpt-4.1-ft", {"task_success", "repeated_calls"}),
    ],
)
def test_pairs_of_models(shared_data: Path, a: str, b: str, differ: set[str]) -> None:
    """What Fisher's test of the labels finds under Holm, and only that; else it says how many more runs it takes."""
    rows = labelled(shared_data, a, b)
    assert {name for name, row in rows.items() if row.differs} == differ
    assert all(row.still_needed for name, row in rows.items() if name not in differ)


def test_counts_are_those_of_the_labels(shared_data: Path) -> None:
    """Success of 23 and 36 of 50, tool errors 11 of 277 and 1 of 371."""
    rows = labelled(shared_data, "airline-gpt-4o", "airline-sonnet-4-5")
    success, tools = rows["task_success"], rows["tool_success"]
    assert (success.before, success.after, success.events) == (23 / 50, 36 / 50, (50, 50))
    assert (tools.before, tools.after) == (266 / 277, 370 / 371)
    assert success.p == pytest.approx(0.014, abs=0.001)


def test_four_trials_of_one_agent_do_not_differ(shared_data: Path) -> None:
    """All six pairs, all SLIs, values and tools too."""
    path = shared_data / "tau2" / "airline-gpt-4o-four-trials.otlp.jsonl"
    trials = sides_of(path, *(f"#variant=trial-{number}" for number in range(4)))
    assert [len(trial) for trial in trials] == [50] * 4
    for a, b in itertools.combinations(trials, 2):
        assert [row.sli for row in compare(a, b) if row.differs] == []


def test_the_command(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3 where B is worse in something; one object an SLI; 0 where nothing is shown to differ."""
    folder = shared_data / "tau2"
    telecom = [str(folder / f"telecom-gpt-4.1{end}.otlp.jsonl") for end in ("", "-ft")]
    assert main(["compare", *telecom, "--json"]) == 3
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["sli"] for row in rows if row["verdict"] == "differs"} >= {"task_success", "repeated_calls"}
    trials = [f"{folder / 'airline-gpt-4o-four-trials.otlp.jsonl'}#variant=trial-{number}" for number in (0, 1)]
    assert main(["compare", *trials]) == 0
    page = capsys.readouterr().out
    assert "Nothing is shown to differ." in page
    assert "not enough evidence yet" in page
    assert "AUC" in page
