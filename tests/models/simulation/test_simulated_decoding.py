"""What is simulated is what the decoder reads: spans, events and attributes, counted against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.simulation import Encoding, Generation, Scenario, parse_incident
from models.spans.columns import Column, Decision, SpanKind
from models.spans.decoder import Decoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.spans.batch import Spans

INCIDENTS = ("retry_loop@20s+40s:share=0.3", "injection@20s+40s", "tool_outage@20s+40s", "hallucinated_tool@0+40s")
FAR_AHEAD = 2**62
"""Time of receipt: late enough that no time is capped."""


@pytest.fixture(scope="module", params=list(Encoding))
def read(request: pytest.FixtureRequest) -> tuple[Spans, NDArray[np.void]]:
    """Give a scenario as decoded, and its truth."""
    scenario = Scenario(seed=5, duration_s=90.0, incidents=tuple(map(parse_incident, INCIDENTS)))
    generation = Generation(scenario, request.param)
    decoded = Decoder().decode([message.payload for message in generation], FAR_AHEAD)
    assert decoded.dead == []
    assert decoded.mended == {}
    return decoded.spans, generation.truth.runs


def count(spans: Spans, kind: SpanKind) -> int:
    """Count the spans of a kind."""
    return int((spans[Column.KIND] == kind).sum())


def test_kinds_are_counted_as_simulated(read: tuple[Spans, NDArray[np.void]]) -> None:
    """Model calls, tool calls, approvals, guards and evaluations are all recognised, and nothing else is there."""
    spans, runs = read
    assert count(spans, SpanKind.LLM) == runs["llm_calls"].sum()
    assert count(spans, SpanKind.TOOL) == runs["tool_calls"].sum()
    assert count(spans, SpanKind.APPROVAL) == runs["approvals"].sum() > 0
    assert count(spans, SpanKind.GUARD) == runs["guarded"].sum() > 0
    assert count(spans, SpanKind.EVALUATION) == runs["evaluated"].sum() + (runs["thumb"] > 0).sum()
    assert count(spans, SpanKind.OTHER) == 0


def test_numbers_add_up(read: tuple[Spans, NDArray[np.void]]) -> None:
    """Tokens of model calls, hand-overs and decisions add up to the truth."""
    spans, runs = read
    llm = spans[Column.KIND] == SpanKind.LLM
    assert spans[Column.INPUT_TOKENS][llm].sum() == runs["input_tokens"].sum()
    assert spans[Column.OUTPUT_TOKENS][llm].sum() == runs["output_tokens"].sum()
    assert spans[Column.HANDOFF].sum() == runs["escalated"].sum()
    answers = spans[Column.DECISION][spans[Column.KIND] == SpanKind.APPROVAL]
    assert (answers == Decision.ALLOW).sum() == runs["approved"].sum()


def test_runs_are_told_apart(read: tuple[Spans, NDArray[np.void]]) -> None:
    """Each trace is one run of the truth, with that run's count of spans."""
    spans, runs = read
    own = spans[Column.KIND] != SpanKind.EVALUATION
    traces, sizes = np.unique(spans[Column.TRACE_LO][own], return_counts=True)
    order = np.argsort(runs["trace_lo"])
    assert traces.tolist() == runs["trace_lo"][order].tolist()
    assert sizes.tolist() == runs["spans"][order].tolist()


def test_names_are_read(read: tuple[Spans, NDArray[np.void]]) -> None:
    """Workflows, tenants, tiers and versions arrive as simulated."""
    spans, runs = read
    own = spans[Column.KIND] != SpanKind.EVALUATION

    def names(column: Column) -> set[str]:
        return {spans.names[digest] for digest in np.unique(spans[column][own]).tolist()}

    assert names(Column.WORKFLOW) == {"support", "research", "coding"}
    assert names(Column.TIER) == {"free", "pro", "enterprise"}
    assert names(Column.ENVIRONMENT) == {"prod", "staging"}
    assert len(names(Column.USER)) == len(np.unique(runs["user"]))
