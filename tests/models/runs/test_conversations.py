"""Feedback on a conversation and the runs that it may be about."""

from __future__ import annotations

from typing import Any

import pytest

from models.runs import conversations
from models.runs.conversations import Conversations, ends_of_runs
from models.spans.columns import NO_SCORE, Column, SpanKind
from tests.helpers.span_rows import SECOND, row, spans_of


def run(trace: int, end: float, kind: SpanKind = SpanKind.RUN, **more: Any) -> dict[str, Any]:
    """Give the outermost span of a run of conversation `c`."""
    return {**row(kind, 1, 0, 0, end, trace_lo=trace, conversation="c"), **more}


def score(at: float = 100, **more: Any) -> dict[str, Any]:
    """Give feedback on conversation `c`."""
    base = {"trace_hi": 0, "trace_lo": 0, "conversation": "c", "evaluation": "helpful", "score": 1_000_000}
    return {**row(SpanKind.EVALUATION, int(at), 0, at, at), **base, **more}


def fed(*rows: dict[str, Any], table: Conversations | None = None) -> Conversations:
    """Tell a shard of these rows."""
    table = table or Conversations()
    table.hear(ends_of_runs(spans_of(list(rows))))
    if asked := [made for made in rows if made["kind"] == SpanKind.EVALUATION]:
        table.ask(spans_of(asked))
    return table


def traces(table: Conversations, watermark: float = 1000) -> list[int]:
    """Give the traces that were found by then."""
    return table.join(int(watermark * SECOND))[Column.TRACE_LO].tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([run(1, 50), run(2, 90), run(3, 110)], [2]),
        ([run(2, 90), run(1, 50)], [2]),
        ([run(1, 50), run(1, 110), run(2, 40)], [2]),
        ([run(1, 50), run(2, 100, conversation="d")], [1]),
        ([run(1, 50), run(2, 90, SpanKind.OTHER)], [1]),
        ([run(2, 90, SpanKind.OTHER)], [2]),
        ([run(2, 90, SpanKind.LLM, parent_id=7)], []),
        ([run(3, 110)], []),
    ],
    ids=str,
)
def test_the_latest_run_that_had_ended(runs: list[dict[str, Any]], expected: list[int]) -> None:
    """Of that conversation, before the feedback, an agent's where there is one; what goes on has not ended."""
    assert traces(fed(*runs, score())) == expected
    assert traces(fed(score(), *reversed(runs))) == expected


def test_feedback_waits_for_the_watermark_and_for_its_run() -> None:
    """A run that ended before it may come after it: nothing is decided before that can be seen; then it waits on."""
    table = fed(run(1, 50), score())
    assert traces(table, 99) == []
    fed(run(2, 90), table=table)
    assert (traces(table, 100), len(table)) == ([2], 0)
    alone = fed(score(), score(101, conversation="d"))
    assert (traces(alone), len(alone)) == ([], 2)
    fed(run(1, 50), table=alone)
    assert (traces(alone), len(alone)) == ([1], 1)


def test_found_feedback_says_what_it_said() -> None:
    """Time, name, score and identity; a label counts as its score, and what says nothing does not wait."""
    labelled = {**score(101), "label": "thumbs_up", "score": NO_SCORE}
    table = fed(run(1, 50), score(), labelled, {**labelled, "label": None})
    found = table.drain()
    assert found[Column.KIND].tolist() == [SpanKind.EVALUATION] * 2
    assert found[Column.SCORE].tolist() == [1_000_000] * 2
    assert (found[Column.END] // SECOND).tolist() == found[Column.SPAN_ID].tolist() == [100, 101]
    assert found[Column.EVALUATION].tolist() == spans_of([score()])[Column.EVALUATION].tolist() * 2
    assert len(table) == 0


def test_deltas_on_a_base_are_the_conversations() -> None:
    """What is restored finds what the uncut one finds; other bytes are refused."""
    table = fed(run(1, 50), score(120))
    base, deltas = table.dump(), []
    table.take_delta()
    for step in range(3):
        fed(run(2 + step, 60 + 10 * step), score(65 + 10 * step), table=table)
        deltas.append(table.take_delta())
    restored = Conversations.load(base, deltas)
    assert restored.dump() == table.dump()
    assert (len(restored), traces(restored)) == (4, [4, 2, 3, 4])
    assert Conversations.load(None, [base, *deltas]).dump() == Conversations.load(base, deltas).dump()
    for spoiled in (base[:10], b"x" + base[1:], base[:-1]):
        with pytest.raises(ValueError, match="conversations: found"):
            Conversations.load(spoiled, [])


def test_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs and waiting evaluations are bounded."""
    monkeypatch.setattr(conversations, "MAX_RUNS", 4)
    monkeypatch.setattr(conversations, "MAX_WAITING", 4)
    table = fed(*(run(k, k) for k in range(1, 6)), *(score(k + 0.5) for k in range(1, 6)))
    assert len(table) == 3
    assert traces(table) == [3, 4, 5]
