"""What `flyball compare` says of its rows: better, worse, other tools, and whether a model tells the runs apart."""

from __future__ import annotations

import numpy as np
import pytest

from flyball.report.compared import advice, apart, is_worse, print_comparison, verdict
from flyball.report.console import plain_console
from models.drift.classifier import explain
from models.drift.comparing import Run, compare


def run(llm_calls: int = 10, tools: tuple[str, ...] = ()) -> Run:
    """Make a run that is like any other but for these."""
    return Run(
        succeeded=True,
        escalated=False,
        tool_calls=len(tools),
        tool_errors=0,
        llm_calls=llm_calls,
        tokens=1000,
        cost_usd=0.1,
        duration_s=10.0,
        tools=tools,
        most_repeated=1,
    )


def test_values_with_the_same_median_are_told_by_their_ranks() -> None:
    """Four in ten runs of B take thirty steps, the others ten as all of A: the medians are equal, and B is worse."""
    a, b = [run()] * 50, [run(30)] * 20 + [run()] * 30
    (row,) = [each for each in compare(a, b) if each.sli == "trajectory_length_llm_calls"]
    assert (row.before, row.after, row.differs, row.direction) == (10, 10, True, "up")
    assert is_worse(row)
    assert advice(compare(a, b)) == "B is worse in trajectory_length_llm_calls."
    assert advice(compare(b, a)).startswith("B is better in trajectory_length_llm_calls;")


@pytest.mark.parametrize("others", [10, 30])
def test_other_tools_are_told(others: int) -> None:
    """They are neither better nor worse, but they are a difference."""
    a, b = [run(tools=("search",))] * 40, [run(others, ("find",))] * 40
    said = advice(compare(a, b))
    assert said.endswith("B differs in its use of find, search.")
    assert ("B is worse in trajectory_length_llm_calls. " in said) == (others == 30)
    assert advice(compare(a, a)) == "Nothing is shown to differ."


@pytest.mark.parametrize("seed", range(6))
def test_a_model_that_guesses_has_told_nothing(seed: int) -> None:
    """Of two sides of fifty alike runs the AUC is anything from .3 to .7: no trait is named as the difference."""
    chance = np.random.default_rng(seed)
    a, b = ([run(int(steps)) for steps in chance.poisson(9, 50)] for _ in "ab")
    told = explain(a, b)
    assert told is not None
    assert not told.importances
    assert apart(told).startswith("A model does not tell unseen runs of B from those of A: AUC 0.")


def test_names_of_tools_and_files_are_told_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like the end of a style is none."""
    a = [run(tools=("[/b]", "search[v2]"))] * 30
    print_comparison(plain_console(120), ("x[1].jsonl", "[/y].jsonl"), (30, 30), compare(a, a), None)
    said = capsys.readouterr().out
    assert all(name in said for name in ("x[1].jsonl", "[/y].jsonl", "use [/b]", "use search[v2]"))


def test_what_is_beyond_the_bound_of_runs_needed_is_said_as_that() -> None:
    """501 of 1,000 runs against 500: millions would be needed, and a million is no figure for it."""
    a, b = ([run()._replace(succeeded=at < good) for at in range(1000)] for good in (500, 501))
    rows = {row.sli: row for row in compare(a, b)}
    assert verdict(rows["task_success"]) == "not enough evidence yet: more than 1,000,000 more a side"
    assert verdict(rows["escalation_rate"]._replace(still_needed=5)) == "not enough evidence yet: 5 more a side"
