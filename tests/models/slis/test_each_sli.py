"""Each SLI on one run, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.digest import digest_of
from models.runs.changes import CALL, Changes
from models.runs.record import RUN
from models.slis import ALL, Histogram, Ratio
from models.slis.bins import value_of
from models.slis.cells import cells_of
from models.slis.panes import PaneTable
from models.slis.settings import SliSettings
from models.spans.columns import UNKNOWN

MINUTE_NS = 60 * 10**9
ENDED = 28_334_160 * MINUTE_NS
RUN_OF_TWO = {
    "llm_calls": 2,
    "reported": 1,
    "computed": 1,
    "cost": 1_500_000_000,
    "input_tokens": 900,
    "output_tokens": 100,
}


def read(call: dict[str, int] | None = None, **fields: int) -> dict[str, Any]:
    """Count one run (and one row of calls of it) and give (total, good, p50) by SLI."""
    run = np.zeros(1, RUN)
    run["workflow"], run["started_at"], run["ended_at"] = digest_of("airline"), ENDED - 90 * 10**9, ENDED
    run["agent_cost"] = UNKNOWN
    for field, value in fields.items():
        run[field] = value
    calls = np.zeros(1 if call else 0, CALL)
    for field, value in (call or {}).items():
        calls[field] = value
    table = PaneTable(SliSettings())
    names = {digest_of("airline"): "airline"}
    table.apply(cells_of([Changes(run, np.ones(1, np.int64), calls, run[:0], names)]))
    found = {}
    for gauge in table.gauges(ENDED):
        if gauge.window == "30d":
            found[gauge.sli] = (gauge.total, gauge.good, gauge.quantiles[0] if gauge.quantiles else None)
    return found


@pytest.mark.parametrize(
    ("sli", "fields", "total", "good"),
    [
        ("task_success", {"task": 1}, 1, 1),
        ("task_success", {"task": 2}, 1, 0),
        ("escalation_rate", {}, 1, 1),
        ("escalation_rate", {"escalated": 1}, 1, 0),
        ("duplicate_call_rate", {"tool_calls": 7, "duplicate_calls": 2}, 7, 5),
        ("blocked_rate", {"guarded": 4, "blocked": 1}, 4, 3),
        ("guard_coverage", {"tool_calls": 7, "guarded_calls": 5}, 7, 5),
        ("guard_coverage", {"tool_calls": 3, "guarded_calls": 4}, 3, 3),
        ("approval_rate", {"approvals": 3, "approved": 2}, 3, 2),
        ("feedback_score", {"feedback": 5, "feedback_good": 4}, 5, 4),
    ],
)
def test_ratios_of_runs(sli: str, fields: dict[str, int], total: int, good: int) -> None:
    """Total and good are those of the run's own counts."""
    assert read(**fields)[sli][:2] == (total, good)


@pytest.mark.parametrize(
    "sli",
    [
        "task_success",
        "duplicate_call_rate",
        "blocked_rate",
        "guard_coverage",
        "approval_rate",
        "feedback_score",
        "cost_per_task",
    ],
)
def test_what_a_run_has_nothing_of_does_not_count(sli: str) -> None:
    """An empty run has no calls, no guard, no feedback, no known outcome and no price: there is nothing to tell."""
    assert sli not in read()


def test_tool_calls_count_by_their_own_minute() -> None:
    """Calls, errors and timeouts come from the call rows."""
    found = read(call={"minute": ENDED // MINUTE_NS, "calls": 9, "errors": 3, "timeouts": 1})
    assert (found["tool_success"], found["tool_timeout"]) == ((9, 6, None), (9, 8, None))


@pytest.mark.parametrize(("llm", "tools", "good"), [(50, 100, [1, 1, 1]), (51, 100, [0, 0, 1]), (49, 101, [1, 1, 0])])
def test_trajectory_caps_are_exact(llm: int, tools: int, good: list[int]) -> None:
    """150 steps, 50 LLM calls and 100 tool calls are within the caps, one more is a hit."""
    found = read(llm_calls=llm, tool_calls=tools)
    names = ("trajectory_length", "trajectory_length_llm_calls", "trajectory_length_tool_calls")
    assert [found[name][1] for name in names] == good


def test_histograms_of_a_run() -> None:
    """Cost in USD, tokens, seconds and steps land within 1 % (whole numbers up to 50 exactly)."""
    found = read(tool_calls=3, **RUN_OF_TWO)
    assert found["trajectory_length"] == (1, 1, 5)
    assert found["cost_per_task"][2] == pytest.approx(1.5, rel=0.01)
    assert found["tokens_per_task"][2] == pytest.approx(1000, rel=0.011)
    assert found["time_to_resolution"][2] == value_of(228)  # ceil(ln 90 / ln 1.02) = ceil(227.2)


def test_a_partly_priced_run_has_no_cost() -> None:
    """Two calls priced and one not would look cheap."""
    assert "cost_per_task" not in read(**(RUN_OF_TWO | {"unpriced": 1}))


def test_without_llm_spans_the_agent_span_counts() -> None:
    """Tokens and cost that only the agent span tells are used only when no LLM span is there."""
    agent = {"agent_input_tokens": 40, "agent_output_tokens": 2, "agent_cost": 3_000_000_000}
    alone = read(**agent)
    assert alone["tokens_per_task"][2] == 42
    assert alone["cost_per_task"][2] == pytest.approx(3, rel=0.01)
    assert read(**RUN_OF_TWO, **agent)["tokens_per_task"] == read(**RUN_OF_TWO)["tokens_per_task"]


def test_without_llm_spans_a_bill_counts_before_the_agent_span() -> None:
    """A computed cost is the agent span's then; what a bill says was paid comes before it."""
    computed = {"agent_cost": 3_000_000_000, "computed": 1}
    assert read(**computed)["cost_per_task"][2] == pytest.approx(3, rel=0.01)
    billed = {"agent_cost": 3_000_000_000, "reported": 1, "cost": 2_000_000_000}
    assert read(**billed)["cost_per_task"][2] == pytest.approx(2, rel=0.01)


def test_tokens_nobody_told_are_not_zero() -> None:
    """UNKNOWN (-1) and 0 tokens do not count as a task without tokens."""
    assert "tokens_per_task" not in read(llm_calls=1)
    assert "tokens_per_task" not in read(agent_input_tokens=-1, agent_output_tokens=-1)


def test_every_sli_is_what_its_name_says() -> None:
    """Names are unique and say what good means or in which unit a value is."""
    assert len({sli.name for sli in ALL}) == len(ALL) == 15
    assert all(sli.good_means for sli in ALL if isinstance(sli, Ratio))
    assert all(sli.unit for sli in ALL if isinstance(sli, Histogram))
