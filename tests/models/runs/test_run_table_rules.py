"""The run table, rule by rule, on traces small enough to follow by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest

from models.digest import digest_of
from models.runs.policy import RunPolicy
from models.runs.report import run_records
from models.runs.table import RunTable
from models.spans.columns import SpanKind
from tests.helpers.run_ledger import Ledger
from tests.helpers.span_rows import SECOND, row, spans_of

MINUTE = 60 * SECOND
RUN, LLM, TOOL, OTHER, EXECUTION = SpanKind.RUN, SpanKind.LLM, SpanKind.TOOL, SpanKind.OTHER, SpanKind.EXECUTION
ROOT = row(RUN, 1, 0, 0, 100, agent="helper")
LATER = RunPolicy().remember * 3


def _fed(*batches: list[dict[str, Any]], policy: RunPolicy | None = None) -> tuple[RunTable, Ledger]:
    table, ledger = RunTable(policy or RunPolicy(), is_journaled=True), Ledger()
    for rows in batches:
        ledger.add(table.update(spans_of(rows), slice(0, len(rows)), 0))
    return table, ledger


def _record(ledger: Ledger) -> dict[str, Any]:
    (record,) = ledger.records.values()
    return record


def _score(at: float, score: int = 1_000_000, **more: Any) -> dict[str, Any]:
    base = {"evaluation": "task_success", "score": score, "service": "judge"}
    return row(SpanKind.EVALUATION, int(at) + 7000, 1, at, at, **{**base, **more})


def test_a_root_closes_its_run_after_the_whole_batch() -> None:
    """Children that stand behind the root in its batch are in the first record."""
    table, ledger = _fed([ROOT, row(LLM, 2, 1, 1, 2)])
    assert (_record(ledger)["closed_by"], _record(ledger)["llm_calls"], _record(ledger)["revision"]) == ("root", 1, 0)
    assert (table.open_runs, table.remembered) == (0, 1)


def test_a_run_without_a_root_closes_when_idle() -> None:
    """It closes 15 minutes of event time after its last end, and ends there where its last span ended."""
    table, ledger = _fed([row(LLM, 2, 1, 0, 10)])
    ledger.add(table.advance(10 * SECOND + 15 * MINUTE - 1))
    assert ledger.records == {}
    ledger.add(table.advance(12 * SECOND + 15 * MINUTE))
    assert _record(ledger)["closed_by"] == "idle"
    assert _record(ledger)["duration_s"] == 10.0


def test_a_busy_run_closes_at_its_greatest_age() -> None:
    """A run that never rests is told after 24 hours."""
    day = 24 * 3600
    table, ledger = _fed([row(LLM, k, 1, 60 * k, 60 * k + 1) for k in range(1, 24 * 60 + 5)])
    ledger.add(table.advance((day + 61) * SECOND))
    assert _record(ledger)["closed_by"] == "idle"


def test_a_late_root_corrects_an_idle_close() -> None:
    """The run is then closed by its root, in a second revision."""
    table, ledger = _fed([row(LLM, 2, 1, 0, 10)])
    ledger.add(table.advance(20 * MINUTE))
    ledger.add(table.update(spans_of([ROOT]), slice(0, 1), 20 * MINUTE))
    assert (_record(ledger)["closed_by"], _record(ledger)["revision"]) == ("root", 1)
    assert (table.counters["late"], table.counters["runs_closed_idle"], table.counters["runs_closed_root"]) == (1, 0, 1)


def test_a_late_span_that_no_record_shows_makes_no_revision() -> None:
    """An ordinary span inside a closed run changes nothing that is told."""
    _, ledger = _fed([ROOT], [row(OTHER, 9, 1, 1, 2)])
    assert _record(ledger)["revision"] == 0


def test_a_repeated_span_counts_once() -> None:
    """Same trace and span id: the first is kept, in the same batch and in a later one."""
    table, ledger = _fed([row(LLM, 2, 1, 0, 1, cost=5, priced=1)] * 2, [row(LLM, 2, 1, 0, 1, cost=9, priced=1), ROOT])
    assert (_record(ledger)["llm_calls"], _record(ledger)["cost_usd"]) == (1, 5e-9)
    assert table.counters["duplicates"] == 2


def test_ordinary_traces_are_no_runs() -> None:
    """A trace of other spans only is counted, never told; an agent's span makes it a run after all."""
    table, ledger = _fed([row(OTHER, 1, 0, 0, 5)])
    assert (ledger.records, table.counters["not_agent"]) == ({}, 1)
    ledger.add(table.update(spans_of([row(LLM, 2, 1, 1, 2)]), slice(0, 1), 0))
    assert (_record(ledger)["llm_calls"], table.counters["not_agent"]) == (1, 0)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]], ids=str)
def test_one_call_seen_as_three_spans_counts_once(order: list[int]) -> None:
    """Agent, MCP client and server say the same call; the failure of the innermost is the call's."""
    rows = [
        row(TOOL, 2, 1, 0, 70, tool="book"),
        row(TOOL, 3, 2, 0, 60, tool="book"),
        row(TOOL, 4, 3, 0, 50, tool="book", error_type="TimeoutError"),
        ROOT,
    ]
    _, ledger = _fed(*[[rows[k]] for k in order])
    runs, calls = ledger.truth()
    assert len(runs) == 1
    told = {key[3:]: n for key, n in calls.items()}
    assert told == dict.fromkeys(
        [("book", 1, "TimeoutError", "start", kind) for kind in ("calls", "errors", "timeouts")], 1
    )


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]], ids=str)
@pytest.mark.parametrize(
    ("outermost", "inner", "told"),
    [
        ("KeyError", "TimeoutError", "KeyError"),
        (None, "TimeoutError", "TimeoutError"),
        ("no such key: 'x'", "TimeoutError", "TimeoutError"),
        ("no such key: 'x'", "x" * 65, None),
        (None, None, None),
    ],
)
def test_the_error_type_of_a_call(order: list[int], outermost: str | None, inner: str | None, told: str | None) -> None:
    """The outermost span's word counts, else one of those inside; a message is no type, and is not told."""
    rows = [
        row(TOOL, 2, 1, 0, 9, tool="book", error_type=outermost, status=2),
        row(TOOL, 3, 2, 0, 9, tool="book"),
        row(TOOL, 4, 3, 0, 9, tool="book", error_type=inner),
        ROOT,
    ]
    _, ledger = _fed(*[[rows[k]] for k in order])
    assert {key[5] for key in ledger.truth()[1]} == {told}


@pytest.mark.parametrize(
    ("inner", "calls"),
    [
        ({"tool": "book"}, 1),
        ({"tool": "search"}, 2),
        ({"tool": "search", "call_id": "x"}, 1),
        ({"tool": "book", "call_id": "y"}, 2),
        ({}, 2),
    ],
    ids=str,
)
def test_what_is_the_same_call(inner: dict[str, str], calls: int) -> None:
    """Inside one another: the call id decides where both have one, else the tool's name; absent is never equal."""
    _, ledger = _fed([row(TOOL, 2, 1, 0, 9, tool="book", call_id="x"), row(TOOL, 3, 2, 1, 8, **inner), ROOT])
    assert _record(ledger)["tool_calls"] == calls


@pytest.mark.parametrize("between", [RUN, LLM, OTHER], ids=str)
def test_an_agent_between_two_tool_spans_makes_them_two_calls(between: SpanKind) -> None:
    """A tool that runs an agent that uses the same tool made two calls; an ordinary span between changes nothing."""
    rows = [row(TOOL, 2, 1, 0, 9, tool="book"), row(between, 3, 2, 1, 8), row(TOOL, 4, 3, 2, 7, tool="book"), ROOT]
    _, ledger = _fed(rows)
    assert _record(ledger)["tool_calls"] == (1 if between == OTHER else 2)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 3, 1]], ids=str)
def test_what_is_executed_in_a_tool_span_fails_with_it(order: list[int]) -> None:
    """An execution is no call, but a failure of it is that of the call directly around it, in any order, also late."""
    rows = [
        row(EXECUTION, 4, 3, 0, 40, error_type="Timeout after 5s"),
        row(TOOL, 3, 1, 0, 50, tool="bash"),
        row(EXECUTION, 6, 5, 0, 50),
        row(TOOL, 5, 1, 0, 50, tool="read"),
        ROOT,
    ]
    _, ledger = _fed(*[[rows[k]] for k in order])
    _, calls = ledger.truth()
    assert (_record(ledger)["tool_calls"], _record(ledger)["tool_errors"]) == (2, 1)
    told = {key[3:]: n for key, n in calls.items()}
    assert told == dict.fromkeys([("bash", 0, None, "read", kind) for kind in ("calls", "errors", "timeouts")], 1) | {
        ("read", 0, None, "start", "calls"): 1
    }


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 5, 0, 2, 4, 1]])
def test_what_was_called_before(order: list[int]) -> None:
    """By the ends of calls, in any order of arrival, also late; spans of one call are one, what has no name is none."""
    rows = [
        row(TOOL, 2, 1, 5, 50, tool="book"),
        row(TOOL, 3, 1, 0, 10, tool="search"),
        row(TOOL, 4, 3, 1, 9, tool="search"),
        row(TOOL, 5, 1, 55, 58, tool=None),
        row(TOOL, 6, 1, 58, 59, tool="pay"),
        ROOT,
    ]
    _, ledger = _fed(*[[rows[k]] for k in order])
    told = {(key[6], key[3]): n for key, n in ledger.truth()[1].items()}
    assert told == {("start", "search"): 1, ("search", "book"): 1, ("book", None): 1, (None, "pay"): 1}


def test_calls_that_end_together_follow_each_other_in_one_order() -> None:
    """Of the same tool, too, where one failed: what came before which does not hang on what arrived first."""
    rows = [
        row(TOOL, 2, 1, 0, 10, tool="t"),
        row(TOOL, 3, 1, 0, 20, tool="u", status=2),
        row(TOOL, 4, 1, 0, 20, tool="u"),
    ]
    told = [_fed([*some, ROOT])[1].truth()[1] for some in (rows, rows[::-1])]
    assert told[0] == told[1]


def test_a_failed_execution_is_the_error_of_any_span_of_its_call() -> None:
    """The call failed wherever in it the execution lies; behind another span, or in no tool at all, it says nothing."""
    call, failed = row(TOOL, 2, 1, 0, 9, tool="t"), row(EXECUTION, 4, 3, 0, 9, status=2)
    _, nested = _fed([call, row(TOOL, 3, 2, 0, 9, tool="t"), failed, ROOT])
    _, behind = _fed([call, row(OTHER, 3, 2, 0, 9), failed, ROOT])
    _, alone = _fed([failed, row(EXECUTION, 5, 0, 0, 9, status=2), ROOT])
    told = [(_record(ledger)["tool_calls"], _record(ledger)["tool_errors"]) for ledger in (nested, behind, alone)]
    assert told == [(1, 1), (1, 0), (0, 0)]


def test_executions_take_no_place_among_the_kept_calls() -> None:
    """Of 400 calls with an execution each every one counts once, and so does every failure."""
    rows = []
    for k in range(1, 401):
        rows.append(row(EXECUTION, 1000 + k, 2 * k, k, k, status=2 * (k % 4 == 0)))
        rows.append(row(TOOL, 2 * k, 3, k, k, tool="t"))
    _, ledger = _fed(rows[:333], rows[333:], [{**ROOT, "span_id": 3}])
    assert (_record(ledger)["tool_calls"], _record(ledger)["tool_errors"]) == (400, 100)


def test_calls_beyond_those_kept_still_count() -> None:
    """Of 1000 calls all are counted, with minutes, errors and repeats."""
    rows = [row(TOOL, k, 1, k, k, tool="t", arguments=str(k % 400), status=2 * (k % 10 == 0)) for k in range(2, 1002)]
    table, ledger = _fed(rows[:300], rows[300:], [ROOT])
    _, calls = ledger.truth()
    assert (_record(ledger)["tool_calls"], _record(ledger)["tool_errors"]) == (1000, 100)
    assert sum(n for key, n in calls.items() if key[-1] == "calls") == 1000
    assert calls[1, ledger_groups("helper"), (), "t", 3, None, None, "calls"] == 60
    restored = RunTable.load(RunPolicy(), table.dump(), [])
    changes = restored.update(spans_of([row(TOOL, 5000, 1, 1, 1, tool="t", arguments="1")]), slice(0, 1), 0)
    assert changes.runs["duplicate_calls"].tolist() == [600, 601]


def ledger_groups(workflow: str) -> tuple[str | None, ...]:
    """Give the groups of a run that has a workflow only."""
    return (workflow, None, None, None, None)


@pytest.mark.parametrize(
    ("more", "outcome", "source"),
    [
        ({}, "success", "status"),
        ({"status": 2}, "failure", "status"),
        ({"outcome": 1, "status": 2}, "success", "attribute"),
        ({"outcome": 3}, "failure", "attribute"),
    ],
    ids=str,
)
def test_where_an_outcome_comes_from(more: dict[str, int], outcome: str, source: str) -> None:
    """An attribute goes before the status of the outermost run span."""
    _, ledger = _fed([{**ROOT, **more}])
    record = _record(ledger)
    assert (record["outcome"], record["outcome_from"], record["escalated"]) == (
        outcome,
        source,
        more.get("outcome") == 3,
    )


def test_a_score_decides_and_comes_late() -> None:
    """An evaluation after the close corrects the outcome; the latest one is in force, whatever came first."""
    _, ledger = _fed([ROOT], [_score(130, 0)], [_score(120)])
    assert (_record(ledger)["outcome"], _record(ledger)["outcome_from"]) == ("failure", "evaluation")
    runs, _ = ledger.truth()
    assert list(runs.values()) == [1]


def test_a_label_decides_where_there_is_no_score() -> None:
    """Labels are read in any case."""
    label = {**_score(130), "label": "Passed"}
    del label["score"]
    _, ledger = _fed([{**ROOT, "status": 2}, label])
    assert _record(ledger)["outcome"] == "success"


def test_an_evaluated_workflow_waits_for_its_scores() -> None:
    """Its runs are told at once as pending, their records when the score is there or the grace is over."""
    table, ledger = _fed([{**ROOT, "service": "shop"}], policy=RunPolicy(unknown="bad"))
    table.expect_evaluations({digest_of("shop"): 0})
    first = table.advance(101 * SECOND)
    assert first.weight.tolist() == [-1, 1]
    assert (first.runs["task"].tolist(), len(first.records)) == ([1, 0], 0)
    late = table.advance(100 * SECOND + 15 * MINUTE)
    assert (late.runs["task"].tolist(), late.records["outcome"].tolist()) == ([0, 2], [0])
    ledger.add(table.update(spans_of([_score(2000)]), slice(0, 1), 0))
    assert (_record(ledger)["outcome"], _record(ledger)["revision"]) == ("success", 2)


def test_evaluations_that_begin_later_are_not_awaited() -> None:
    """A run that closed more than the grace before the first evaluation keeps its status."""
    table, ledger = _fed([{**ROOT, "service": "shop"}])
    table.expect_evaluations({digest_of("shop"): 100 * SECOND + 15 * MINUTE + 1})
    ledger.add(table.advance(10 * MINUTE))
    assert (_record(ledger)["outcome"], _record(ledger)["revision"]) == ("success", 0)


def test_a_score_without_a_run_is_kept_for_it() -> None:
    """It is told with the run when its spans come, and forgotten when they never come."""
    table, ledger = _fed([_score(130, 0)])
    assert (ledger.records, table.open_runs) == ({}, 0)
    ledger.add(table.update(spans_of([ROOT]), slice(0, 1), 0))
    assert _record(ledger)["outcome"] == "failure"
    table, _ = _fed([_score(130, 0)])
    table.advance(LATER)
    assert table.remembered == 0


def test_the_most_telling_span_names_a_run() -> None:
    """The parentless span goes before run spans, those before others; the agent is that of the first run span."""
    rows = [row(LLM, 2, 1, 0, 1, version="c", agent="x"), row(RUN, 3, 1, 1, 2, version="b", agent="y")]
    _, ledger = _fed([*rows, row(OTHER, 1, 0, 0, 9, version="a")])
    assert (_record(ledger)["version"], _record(ledger)["agent"], _record(ledger)["workflow"]) == ("a", "y", "y")


def test_a_renamed_run_moves_with_all_its_calls() -> None:
    """Calls told under the first workflow are taken back from it and told under the other."""
    rows = [row(TOOL, 2, 1, 0, 30, tool="t"), {**ROOT, "workflow": None}]
    _, ledger = _fed(rows, [row(LLM, 3, 1, 0, 1, workflow="refund")])
    _, calls = ledger.truth()
    assert calls == {(1, ledger_groups("refund"), (), "t", 0, None, "start", "calls"): 1}


def test_the_cohorts_with_the_smallest_digests_stay() -> None:
    """Four are kept, in any order; the others are counted."""
    names = sorted((f"c{k}" for k in range(7)), key=digest_of)
    table, ledger = _fed([{**ROOT, "cohorts": dict.fromkeys(reversed(names), "v")}])
    ((facts, _),) = ledger.truth()[0].items()
    assert facts[9] == tuple((name, "v") for name in names[:4])
    assert table.counters["cohorts_dropped"] == 3


@pytest.mark.parametrize("seed", range(4))
def test_the_type_of_task_and_the_evaluation_set_always_stay(seed: int) -> None:
    """Whatever else a run says, and in whatever order: without its type it is compared with runs of other types."""
    names = sorted((f"c{k}" for k in range(7)), key=digest_of)
    said = [*names, "task", "eval"]
    random.Random(seed).shuffle(said)  # noqa: S311
    batches = [
        [{**ROOT, "cohorts": dict.fromkeys(said[:4], "v")}],
        [row(LLM, 2, 1, 0, 1, cohorts=dict.fromkeys(said, "v"))],
    ]
    table, ledger = _fed(*batches)
    ((facts, _),) = ledger.truth()[0].items()
    assert sorted(facts[9]) == sorted((name, "v") for name in (*names[:2], "task", "eval"))
    assert table.counters["cohorts_dropped"] >= 5


def test_a_record_says_the_type_of_task() -> None:
    """Of the cohort `task`; a span that comes late and says another is a record of its own, other cohorts are not."""
    _, at_once = _fed([{**ROOT, "cohorts": {"plan": "free", "task": "book", "zone": "eu"}}])
    assert (_record(at_once)["task"], _record(at_once)["revision"]) == ("book", 0)
    _, ledger = _fed([ROOT, row(LLM, 4, 1, 0, 1)])
    assert _record(ledger)["task"] is None
    _, ledger = _fed([row(SpanKind.OTHER, 9, 1, 0, 1, cohorts={"task": "book"}), ROOT])
    assert _record(ledger)["task"] == "book"
    table, ledger = _fed([ROOT, row(LLM, 2, 1, 0, 1, cohorts={"plan": "free"})])
    for number, (kind, said) in enumerate([("plan", "pro"), ("task", "ask"), ("task", "book"), ("task", "ask")]):
        more = row(SpanKind.OTHER, 10 + number, 1, 0, 1, cohorts={kind: said})
        ledger.add(table.update(spans_of([more]), slice(0, 1), 0))
    last = max(("ask", "book"), key=digest_of)
    assert (_record(ledger)["task"], _record(ledger)["revision"]) == (last, 1 if last == "ask" else 2)


def test_a_forgotten_run_is_never_opened_again() -> None:
    """Its late spans are counted and dropped, also after a restart."""
    table, ledger = _fed([ROOT, row(LLM, 2, 1, 0, 1)])
    ledger.add(table.advance(LATER))
    assert table.remembered == 0
    restored = RunTable.load(RunPolicy(), None, [table.take_delta()])
    changes = restored.update(spans_of([row(LLM, 3, 1, 0, 50)]), slice(0, 1), LATER)
    assert (len(changes.runs), restored.open_runs, restored.counters["late"]) == (0, 0, 1)


def test_the_oldest_are_forgotten_beyond_the_bound() -> None:
    """More closed runs than may be remembered: the oldest go first, and are counted."""
    rows = [row(RUN, 1, 0, k, k + 1, trace_lo=k) for k in range(1, 101)]
    table, _ = _fed(rows, policy=RunPolicy(remember_max=40))
    assert table.remembered <= 40
    assert table.counters["forgotten"] == 100 - table.remembered
    late = table.update(spans_of([row(LLM, 2, 1, 100, 101, trace_lo=100)]), slice(0, 1), 0)
    assert late.weight.tolist() == [-1, 1]


def test_revisions_of_two_lives_never_meet() -> None:
    """After an unclean restart the same run is told again, under a revision no earlier life can have used."""
    table = RunTable(RunPolicy(), 0)
    base = table.dump()
    first = table.update(spans_of([ROOT]), slice(0, 1), 0)
    second = RunTable.load(RunPolicy(), base, [], 1).update(spans_of([ROOT]), slice(0, 1), 0)
    assert (first.records["revision"].tolist(), second.records["revision"].tolist()) == ([0], [1 << 20])


def test_drain_tells_everything() -> None:
    """At the end of input open runs close by idle, and what waits settles."""
    table, ledger = _fed([row(LLM, 2, 1, 0, 10, service="shop")], [row(RUN, 1, 0, 0, 5, trace_lo=2, service="shop")])
    table.expect_evaluations({digest_of("shop"): 0})
    ledger.add(table.drain())
    assert sorted(record["closed_by"] for record in ledger.records.values()) == ["idle", "root"]
    assert {record["outcome"] for record in ledger.records.values()} == {"unknown"}


def test_policies_that_cannot_work_are_refused() -> None:
    """The message says what was found and what is expected."""
    with pytest.raises(ValueError, match="idle is 0, expected a positive number"):
        RunPolicy(idle=0)
    with pytest.raises(ValueError, match="unknown is 'maybe', expected one of exclude, good, bad"):
        RunPolicy(unknown="maybe")  # type: ignore[arg-type]


def test_a_record_says_what_the_contract_says() -> None:
    """All fields, in the contract's order, of a run without anything to price."""
    table = RunTable(RunPolicy(), is_journaled=True)
    changes = table.update(
        spans_of([{**ROOT, "start": 1_700_000_000 * SECOND, "end": 1_700_000_002_500_000_000}]), slice(0, 1), 0
    )
    assert run_records(changes.records, changes.names, changes.tools) == [
        {
            "kind": "run", "run_id": "00000000000000070000000000000001", "workflow": "helper", "agent": "helper",
            "version": None, "environment": None, "tenant": None, "user": None,
            "started_at": "2023-11-14T22:13:20.000000Z", "ended_at": "2023-11-14T22:13:22.500000Z", "duration_s": 2.5,
            "closed_by": "root", "outcome": "success", "outcome_from": "status", "escalated": False, "llm_calls": 0,
            "tool_calls": 0, "tool_errors": 0, "input_tokens": 0, "output_tokens": 0, "cost_usd": None,
            "priced": "unpriced", "revision": 0, "tools": {}, "task": None,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spans", "cost", "priced"),
    [
        ([{"priced": 1, "cost": 5}], 5e-9, "reported"),
        ([{"priced": 1, "cost": 5}, {"priced": 2, "cost": 2}], 7e-9, "computed"),
        ([{"priced": 2, "cost": 5}, {"priced": 3}], 5e-9, "partial"),
        ([{"priced": 3}], None, "unpriced"),
        ([{"priced": 1, "cost": 0}, {"priced": 0}], 0.0, "reported"),
    ],
    ids=str,
)
def test_how_a_cost_is_known(spans: list[dict[str, int]], cost: float | None, priced: str) -> None:
    """What is not priced is said, and is never free."""
    _, ledger = _fed([*[row(LLM, 2 + k, 1, 0, 1, **span) for k, span in enumerate(spans)], ROOT])
    assert (_record(ledger)["cost_usd"], _record(ledger)["priced"]) == (cost, priced)


def test_a_run_without_llm_spans_says_what_its_agent_said() -> None:
    """Tokens and cost of the run span count only then."""
    said = {"input_tokens": 10, "output_tokens": 3, "cost": 7}
    _, alone = _fed([{**ROOT, **said}])
    _, both = _fed([{**ROOT, **said}, row(LLM, 2, 1, 0, 1, input_tokens=4, output_tokens=2, cost=5, priced=1)])
    names = ("input_tokens", "output_tokens", "cost_usd", "priced")
    assert [_record(alone)[name] for name in names] == [10, 3, 7e-9, "reported"]
    assert [_record(both)[name] for name in names] == [4, 2, 5e-9, "reported"]


def test_a_run_without_llm_spans_may_have_a_computed_cost() -> None:
    """It says so; once an LLM span comes, only what LLM spans cost counts, whatever came first."""
    agent, llm = {**ROOT, "cost": 7, "priced": 2}, row(LLM, 2, 1, 0, 1, cost=5, priced=1)
    _, alone = _fed([agent])
    _, early = _fed([llm], [agent])
    table, late = _fed([agent], [llm])
    told = [(_record(ledger)["cost_usd"], _record(ledger)["priced"]) for ledger in (alone, early, late)]
    assert told == [(7e-9, "computed"), (5e-9, "reported"), (5e-9, "reported")]
    assert table.counters["unpriced"] == 0


def test_a_run_without_llm_spans_of_an_unknown_model_is_unpriced() -> None:
    """Tokens of a model without a price have no cost, and are counted."""
    table, ledger = _fed([{**ROOT, "input_tokens": 10, "priced": 3}])
    assert (_record(ledger)["cost_usd"], _record(ledger)["priced"], table.counters["unpriced"]) == (None, "unpriced", 1)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]], ids=str)
def test_a_bill_comes_before_the_computed_cost_of_the_agent(order: list[int]) -> None:
    """Of a run whose model spans were lost what was paid is a report, whatever its agent span would have cost."""
    rows = [
        {**ROOT, "cost": 7, "priced": 2},
        row(SpanKind.BILL, 2, 1, 0, 1, cost=5, priced=1),
        row(SpanKind.BILL, 3, 1, 0, 1, cost=6, priced=2),
    ]
    table, ledger = _fed(*[[rows[k]] for k in order])
    assert (_record(ledger)["cost_usd"], _record(ledger)["priced"]) == (5e-9, "reported")
    assert table.counters["unpriced"] == 0
