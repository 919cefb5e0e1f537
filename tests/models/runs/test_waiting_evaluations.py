"""Evaluations that name the answer they score, and no trace or a foreign one."""

from __future__ import annotations

from typing import Any

import pytest

from models.runs import waiting
from models.runs.policy import RunPolicy
from models.runs.table import RunTable
from models.spans.columns import SpanKind
from tests.helpers.run_ledger import Ledger
from tests.helpers.span_rows import SECOND, row, spans_of

ANSWER = 4_711_000_000_001
RUN = [row(SpanKind.LLM, 2, 1, 1, 2, response_id=ANSWER), row(SpanKind.RUN, 1, 0, 0, 100, agent="helper")]


def score(number: int = 1, answer: int = ANSWER, **more: Any) -> dict[str, Any]:
    """Give a failed task_success of an answer, without a trace."""
    base = {"evaluation": "task_success", "score": 0, "trace_hi": 0, "trace_lo": 0, "response_id": answer}
    return {**row(SpanKind.EVALUATION, 9000 + number, 0, 130, 130), **base, **more}


class Shard:
    """A table as the flow drives it: what is asked goes to all shards, and as a row to the one of no trace."""

    def __init__(self, policy: RunPolicy | None = None) -> None:
        self.table, self.ledger, self.watermark = RunTable(policy or RunPolicy(), is_journaled=True), Ledger(), 0

    def feed(self, *rows: dict[str, Any], here: bool = True) -> Shard:
        """Give it these rows; `here`: it is the shard of no trace."""
        if asked := [made for made in rows if made.get("response_id") and made["kind"] == SpanKind.EVALUATION]:
            self.table.ask(spans_of(asked))
        told = [made for made in rows if here or made["trace_lo"]]
        self.watermark += 10 * SECOND
        self.ledger.add(self.table.update(spans_of(told), slice(0, len(told)), self.watermark))
        self.ledger.add(self.table.join(self.watermark))
        return self

    @property
    def outcome(self) -> str:
        """Give the outcome of the one run."""
        (record,) = self.ledger.records.values()
        return str(record["outcome"])

    @property
    def unjoined(self) -> int:
        """Give how many evaluations without a trace have no run."""
        return self.table.counters["evaluations_unjoined"]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [0, 2, 1], [2, 1, 0]], ids=str)
def test_an_answer_leads_to_its_run(order: list[int]) -> None:
    """Whether the evaluation comes before or after the answer, alone or with it, twice or once."""
    rows = [*RUN, score()]
    one = Shard().feed(*(rows[k] for k in order))
    each = Shard()
    for k in order:
        each.feed(rows[k])
    twice = Shard().feed(*rows).feed(score())
    assert [shard.outcome for shard in (one, each, twice)] == ["failure"] * 3
    assert [shard.unjoined for shard in (one, each, twice)] == [0] * 3


def test_what_finds_no_run_is_counted() -> None:
    """It is counted where it comes in, and no more when some other shard finds the run."""
    home, other, third = Shard(), Shard(), Shard()
    for shard in (home, other, third):
        shard.feed(score(), score(2, 77), here=shard is home)
    assert home.unjoined + other.unjoined + third.unjoined == 2
    other.feed(*RUN)
    assert home.unjoined + other.unjoined + third.unjoined == 1
    assert other.outcome == "failure"


def test_the_trace_of_an_evaluator_is_not_that_of_the_run() -> None:
    """One that names a trace of its own still finds the run of the answer; one that names the run's counts once."""
    foreign = Shard().feed(*RUN).feed(score(trace_hi=7, trace_lo=99))
    own = Shard().feed(*RUN).feed(score(trace_hi=7, trace_lo=1))
    assert (foreign.outcome, own.outcome) == ("failure", "failure")
    assert (foreign.unjoined, own.unjoined, own.table.counters["duplicates"]) == (0, 0, 0)
    assert len(foreign.table.waiting) == len(own.table.waiting) == 0


def test_a_label_counts_as_its_score() -> None:
    """Its text is read when the evaluation comes, as it is not kept; one that says nothing does not wait."""
    bad = {**score(), "label": "fail"}
    del bad["score"]
    nothing = {name: value for name, value in bad.items() if name != "label"}
    assert Shard().feed(bad).feed(*RUN).outcome == "failure"
    good = Shard().feed({**bad, "label": "Passed"}).feed(RUN[0], {**RUN[1], "status": 2})
    assert good.outcome == "success"
    assert len(Shard().feed(nothing).table.waiting) == 0


def test_what_waits_survives_a_restart() -> None:
    """In a delta and in a dump; so do the answers of a run."""
    for late in (RUN, [score()]):
        before, after = Shard(), [score()] if late == RUN else RUN
        before.feed(*after)
        for raw in (before.table.dump(), before.table.take_delta()):
            restored = Shard()
            restored.table = RunTable.load(RunPolicy(), None, [raw], is_journaled=True)
            restored.watermark = 10**11
            restored.feed(*late)
            assert (restored.outcome, restored.unjoined) == ("failure", 0)


def test_the_oldest_wait_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the oldest go first, and what is older than a run is remembered; both stay counted."""
    monkeypatch.setattr(waiting, "MAX_WAITING", 3)
    shard = Shard().feed(*(score(k, ANSWER + 5 - k, end=k * SECOND) for k in range(1, 6)))
    assert sorted(shard.table.waiting.rows[:, 0].tolist()) == [ANSWER, ANSWER + 1, ANSWER + 2]
    shard.watermark = RunPolicy().remember * 2
    shard.feed(score(9, 77, end=shard.watermark))
    assert (len(shard.table.waiting), shard.unjoined) == (1, 6)


def test_a_look_up_meets_only_answers() -> None:
    """Among thousands of runs and stale copies of their blocks, it finds the run whose LLM span gave the answer."""
    shard = Shard()
    for step in range(1, 12):
        rows = [row(SpanKind.LLM, step, 1, 0, 1, trace_lo=k, response_id=step * 10**6 + k) for k in range(1, 400)]
        tools = [row(SpanKind.TOOL, 50 + step, 1, 0, 1, trace_lo=k, tool="t") for k in range(1, 400, 7)]
        shard.feed(*rows, *tools)
    shard.feed(*(row(SpanKind.RUN, 100, 0, 0, 9, trace_lo=k) for k in range(1, 400)))
    shard.feed(score(1, 8_000_123), score(2, 3_000_077))
    failed = [run_id for run_id, record in shard.ledger.records.items() if record["outcome"] == "failure"]
    assert sorted(failed) == sorted(f"{7:016x}{k:016x}" for k in (123, 77))
    assert shard.unjoined == 0
