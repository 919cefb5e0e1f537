"""The report of a replay: what it says of hand-made records, how little of the page it takes, what it does not know."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from flyball.report.collected import Collected, Tool, collect, is_needed
from flyball.report.figures import quantiles, wilson
from flyball.report.page import print_page
from flyball.report.text import count, dollars, percent, period, span

SUMMARY = {
    "kind": "summary",
    "spans": 1234,
    "runs": 2,
    "duplicates": 3,
    "late": 0,
    "dead_letters": 2,
    "unpriced": 1,
    "first_at": "2026-08-01T10:00:00.000000Z",
    "last_at": "2026-08-01T10:26:40.000000Z",
    "spans_per_s": 56789.1,
}


def run(number: int, **said: Any) -> dict[str, Any]:
    """Make a run record."""
    record = {
        "kind": "run",
        "run_id": f"{number:032x}",
        "workflow": "airline",
        "version": "1",
        "outcome": "success",
        "outcome_from": "evaluation",
        "escalated": False,
        "llm_calls": 5,
        "tool_calls": 2,
        "tool_errors": 0,
        "duration_s": 62.4,
        "cost_usd": 0.25,
        "priced": "reported",
        "revision": 0,
    }
    return record | said


def pane(sli: str, total: int, good: int, minute: int = 0, revision: int = 0, **group: str) -> dict[str, Any]:
    """Make an SLI record."""
    group = {"workflow": "airline", "tool": "book"} | group
    start = f"2026-08-01T10:{minute:02d}:00Z"
    said = {"pane_start": start, "pane_s": 60, "total": total, "good": good, "revision": revision}
    return {"kind": "sli", "sli": sli, "group": group} | said


def printed(records: list[dict[str, Any]], width: int = 110) -> list[str]:
    """Print the report as lines of plain text."""
    out = io.StringIO()
    print_page(collect(records), ["a.jsonl"], Console(file=out, width=width, highlight=False))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_whole_page() -> None:
    """Runs, outcomes, steps, cost, tools, worst runs, dead letters and counts stand where a reader looks for them."""
    records = [
        run(1),
        run(2, outcome="failure", tool_errors=1, llm_calls=18, escalated=True, duration_s=312, cost_usd=0.5),
        run(3, outcome="unknown", outcome_from=None, cost_usd=None, priced="unpriced"),
        pane("tool_success", 6, 5),
        pane("tool_timeout", 6, 6),
        {
            "kind": "dead_letter",
            "reason": "truncated message",
            "topic": "a.jsonl",
            "partition": 0,
            "offset": 1,
            "bytes": 9,
        },
        SUMMARY,
    ]
    expected = """\
3 runs in a.jsonl: 2026-08-01 10:00:00 to 10:26:40 UTC, 26m40s

workflow  runs  success  failed  unknown  escalated  tool calls  tool errors       cost
airline      3   50.0 %       1        1          1           6            1  ≥ $0.7500

per run  steps p50  p95  p99  duration p50    p95    p99  cost p50      p95      p99
airline          7   20   20         1m02s  5m12s  5m12s   $0.2500  $0.5000  $0.5000

tool  workflow  calls  errors  error rate  timeouts
book  airline       6       1      16.7 %         0

worst runs                        workflow  tool errors  steps  duration     cost
00000000000000000000000000000002  airline             1     20     5m12s  $0.5000

Outcomes     2 by evaluation; 1 unknown, in no rate
Cost         $0.7500 for 2 runs; 1 run without a price: the truth is higher
Dead letters 1: 1 x truncated message
Read         1,234 spans, 3 twice, at 56,789 spans/s
"""
    assert "\n".join(printed(records)) + "\n" == expected


def test_the_page_is_short() -> None:
    """However much there is, the report is at most 40 lines."""
    runs = [
        run(i, workflow=f"workflow {i % 9}", version=f"version {i % 4}", outcome=("failure", "success")[i % 2])
        for i in range(400)
    ]
    tools = [pane("tool_success", 9, 3, tool=f"tool {i}", workflow=f"workflow {i % 9}") for i in range(60)]
    letters = [{"kind": "dead_letter", "reason": f"a long reason, number {i}, of many more"} for i in range(20)]
    page = printed([*runs, *tools, *letters, SUMMARY])
    assert len(page) == 40
    assert "5 more" in page[7]
    assert "and 17 more reasons" in page[-2] or page[-2].endswith("…")


def test_no_digit_is_cut_off() -> None:
    """A narrow terminal wraps lines itself; the report never shortens a number."""
    records = [run(1), run(2, outcome="failure", cost_usd=0.1234, workflow="a workflow of a long name"), SUMMARY]
    assert printed(records, width=60) == printed(records, width=100)


def test_incidents_come_before_the_names_of_objectives() -> None:
    """What people would have heard is told however long the names of the spent budgets are."""
    names = [f"an-objective-with-a-name-of-its-own-{i}:a-workflow-with-one" for i in range(3)]
    slos = [{"kind": "slo", "slo": name, "budget_used": 2.5} for name in names]
    incidents = [{"kind": "incident", "key": str(i), "severity": f"SEV-{1 + i // 2}"} for i in range(3)]
    (line,) = [line for line in printed([*slos, *incidents, SUMMARY]) if line.startswith("SLOs")]
    assert line.startswith("SLOs         3 of 3 error budgets spent; incidents: 2 SEV-1, 1 SEV-2; spent: an-objective")


def test_nothing_is_said_of_nothing() -> None:
    """Without runs there are no tables and no rates, only what was read."""
    summary = SUMMARY | {"spans": 0, "duplicates": 0, "first_at": None, "last_at": None, "spans_per_s": 0.0}
    assert printed([summary]) == ["0 runs in a.jsonl: nothing", "", "Read         0 spans, at 0 spans/s"]


def test_unknown_outcomes_are_never_rates() -> None:
    """A workflow in which no outcome is known has no success rate, rather than 0 or 100 %."""
    page = printed([run(1, outcome="unknown", outcome_from=None), SUMMARY])
    assert page[3].split() == ["airline", "1", "–", "0", "1", "0", "2", "0", "$0.2500"]  # noqa: RUF001 -- a dash


def test_a_status_is_not_a_judgement() -> None:
    """Outcomes that stand on a status alone are told with what they are worth."""
    page = printed([run(1, outcome_from="status"), SUMMARY])
    assert "1 by status alone" in page[-3]


def test_versions_are_compared_within_a_workflow() -> None:
    """A workflow of two versions is split by them, one with a single version is not."""
    failed = [run(i, version="2", outcome="failure" if i < 3 else "success") for i in range(10)]
    page = printed([*failed, *(run(i) for i in range(10, 20)), run(30, workflow="other"), SUMMARY])
    start = next(i for i, line in enumerate(page) if line.startswith("version "))
    assert [line.split()[:6] for line in page[start + 1 : start + 3]] == [
        ["1", "airline", "10", "100.0", "%", "72"],
        ["2", "airline", "10", "70.0", "%", "40"],
    ]
    assert page[start + 3] == ""


def test_the_newest_revision_counts() -> None:
    """Corrections replace, in any order, and a record that comes twice counts once."""
    records = [
        run(1, revision=1, outcome="failure"),
        run(1),
        run(1, revision=1, outcome="failure"),
        pane("tool_success", 9, 7, revision=2),
        pane("tool_success", 5, 5, revision=1),
        pane("tool_success", 4, 4, minute=1),
        pane("tool_timeout", 9, 8),
    ]
    for order in (records, records[::-1]):
        collected = collect(order)
        assert [found.outcome for found in collected.runs.values()] == ["failure"]
        assert collected.tools() == [Tool("airline", "book", 13, 2, 1)]


def test_other_slis_need_not_be_parsed() -> None:
    """Of SLI records only those of tools are parsed, of all others everything."""
    records = [run(1), pane("tool_success", 1, 1), pane("task_success", 1, 1), SUMMARY]
    values = [json.dumps(record, separators=(",", ":")).encode() for record in records]
    assert [is_needed(value) for value in values] == [True, True, False, True]


def test_groups_that_are_not_by_tool_do_not_count_twice() -> None:
    """The panes of the workflow alone, and those by version, hold the same calls again."""
    whole = pane("tool_success", 5, 5)
    whole["group"] = {"workflow": "airline"}
    cohort = pane("tool_success", 5, 5)
    cohort["group"] = {"workflow": "airline", "version": "1"}
    assert collect([whole, cohort]).tools() == []


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_percentiles_are_the_smallest_that_suffice(values: list[int]) -> None:
    """P % is the smallest value that at least p % of the values do not exceed."""
    found = quantiles(values)
    assert found is not None
    for quantile, percentage in zip(found, (50, 95, 99), strict=True):
        enough = [v for v in values if 100 * sum(other <= v for other in values) >= percentage * len(values)]
        assert quantile == min(enough)


@pytest.mark.parametrize(
    ("unknown", "share", "words"),
    [
        ("exclude", "66.7 %", "in no rate"),
        ("bad", "50.0 %", "which count as bad"),
        ("good", "75.0 %", "which count as good"),
    ],
)
def test_runs_of_unknown_outcome_count_as_configured(unknown: str, share: str, words: str) -> None:
    """`runs.unknown` holds for the report as for the SLI: a budget that they have spent is not explained by 100 %."""
    collected = Collected(unknown)
    for number, outcome in enumerate(("success", "success", "failure", "unknown")):
        of = None if outcome == "unknown" else "evaluation"
        collected.add(run(number, outcome=outcome, outcome_from=of, version=str(number % 2)))
    out = io.StringIO()
    print_page(collected, ["x"], Console(file=out, width=120))
    text = out.getvalue()
    assert text.splitlines()[3].split()[:4] == ["airline", "4", *share.split()]
    assert f"3 by evaluation; 1 unknown, {words}" in text


def test_the_interval_of_a_rate() -> None:
    """Wilson's interval agrees with a hand-computed one, stays within 0 and 1, and says all where nothing is known."""
    assert wilson(7, 10) == pytest.approx((0.39678, 0.89221), abs=1e-5)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == pytest.approx(1)
    assert math.isclose(1 - wilson(3, 10)[1], wilson(7, 10)[0])


def test_numbers_are_short() -> None:
    """Times, money, shares and counts are written as people read them; what is not known is a dash."""
    shown = [span(seconds) for seconds in (0, 9.96, 59.6, 3599.6, 90_000, None)]
    assert shown == ["0.0s", "10s", "1m00s", "1h00m", "25h00m", "–"]  # noqa: RUF001
    shown = [dollars(usd) for usd in (0, 1234.5, 0.0123, 0.0000123, None)]
    assert shown == ["$0.00", "$1,234.50", "$0.0123", "$1.2e-05", "–"]  # noqa: RUF001
    assert [percent(9_999, 10_000), percent(1, 10_000), percent(2, 2)] == ["99.99 %", "0.01 %", "100.0 %"]
    assert [percent(1, 3), percent(0, 0), count(1234567)] == ["33.3 %", "–", "1,234,567"]  # noqa: RUF001
    assert period("2026-08-01T23:59:00Z", "2026-08-02T00:01:00Z") == (
        "2026-08-01 23:59:00 to 2026-08-02 00:01:00 UTC, 2m00s"
    )
