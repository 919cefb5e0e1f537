"""Recorded runs of nine frameworks, and one file of tau2: decoded as a reader of the files would count them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google.protobuf import json_format
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from models.spans.columns import Column, SpanKind, Stop
from models.spans.decoder import Decoder

if TYPE_CHECKING:
    from pathlib import Path

    from models.spans.batch import Spans

pytestmark = pytest.mark.real

RUN, LLM, TOOL, OTHER = SpanKind.RUN, SpanKind.LLM, SpanKind.TOOL, SpanKind.OTHER
RECEIVED = 1_800_000_000_000_000_000
DECODER = Decoder()

# Counted by hand: spans by kind, tokens (input, output) and cost (nano-USD) of the LLM spans, tools, agents.
EXPECTED: dict[str, tuple[dict[SpanKind, int], tuple[int, int, int], set[str], set[str]]] = {
    "agno-2025-06-11": ({RUN: 1, LLM: 2, TOOL: 1, OTHER: 2}, (0, 0, 0), {"duckduckgo_search"}, set()),
    # 3 steps of a ReAct agent; the spans of the events success, finish and update of a call are not the call again
    "beeai-2025-08-01": ({RUN: 4, LLM: 3, TOOL: 1, OTHER: 21}, (0, 0, 0), set(), set()),
    "google-adk-2025-08-28": ({RUN: 1, LLM: 2, TOOL: 1, OTHER: 1}, (67, 9, 0), {"say_hello"}, set()),
    "google-gemini-2025-08-01": ({LLM: 1}, (6, 2055, 0), set(), set()),
    "koog-2025-08-26": ({RUN: 1, LLM: 2, TOOL: 2, OTHER: 6}, (0, 0, 0), {"HelloTool", "ByeTool"}, set()),
    "llamaindex-2025-06-05": ({LLM: 1, OTHER: 1}, (13, 81, 0), set(), set()),
    "microsoft-agent-2025-10-14": (
        {RUN: 1, LLM: 2, TOOL: 1},
        (631, 35, 0),
        {"get_weather"},
        set(),  # its name is a UUID
    ),
    "openai-agents-2025-09-30": ({RUN: 2, LLM: 2, TOOL: 1}, (140, 44, 0), {"get_weather"}, set()),
    "pydantic-ai-tools-2025-12-04": (
        {RUN: 3, LLM: 4, TOOL: 3, OTHER: 2},
        (1315, 209, 322_650),
        {"get_pun_suggestion", "get_dad_joke_suggestion", "get_one_liner_suggestion"},
        {"joke_agent", "evaluator_agent"},
    ),
}


def as_protobuf(line: bytes) -> bytes:
    """Encode a line of OTLP/JSON as protobuf with the protobuf library, which wants ids as base64."""
    data = json.loads(line)
    _to_base64(data)
    message = LogsData() if "resourceLogs" in data else TracesData()
    json_format.ParseDict(data, message, ignore_unknown_fields=True)
    return message.SerializeToString()


def _to_base64(data: Any) -> None:
    if isinstance(data, list):
        for item in data:
            _to_base64(item)
    elif isinstance(data, dict):
        for key, value in data.items():
            if key in {"traceId", "spanId", "parentSpanId"} and isinstance(value, str):
                data[key] = base64.b64encode(bytes.fromhex(value)).decode()
            else:
                _to_base64(value)


def decode(file: Path, form: str) -> Spans:
    """Decode a recorded file, one line a message, in the form named."""
    lines = file.read_bytes().splitlines()
    decoded = DECODER.decode([as_protobuf(line) for line in lines] if form == "protobuf" else lines, RECEIVED)
    assert decoded.dead == []
    assert set(decoded.mended) <= {"log.ignored"}
    return decoded.spans


def known(spans: Spans, column: Column, kinds: set[SpanKind]) -> set[str]:
    """Give the texts that a column has on spans of these kinds."""
    rows = np.isin(spans[Column.KIND], list(kinds))
    return {spans.names[digest] for digest in spans[column][rows].tolist() if digest}


@pytest.mark.parametrize("form", ["json", "protobuf"])
@pytest.mark.parametrize("name", EXPECTED)
def test_frameworks_decode_as_a_reader_counts(shared_data: Path, name: str, form: str) -> None:
    """Each framework's file gives the runs, LLM calls, tool calls, tokens, costs and names that stand in it."""
    kinds, usage, tools, agents = EXPECTED[name]
    spans = decode(shared_data / "frameworks" / f"{name}.otlp.jsonl", form)
    found = {SpanKind(k): n for k, n in zip(*map(np.ndarray.tolist, _counts(spans)), strict=True)}
    assert found == kinds
    llm = spans[Column.KIND] == LLM
    sums = tuple(
        int(np.maximum(spans[column][llm], 0).sum())
        for column in (Column.INPUT_TOKENS, Column.OUTPUT_TOKENS, Column.COST)
    )
    assert sums == usage
    assert known(spans, Column.TOOL, {TOOL}) == tools
    assert known(spans, Column.AGENT, {RUN}) == agents
    assert "unknown" not in known(spans, Column.MODEL, {RUN, LLM})


@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_stop_reasons_are_those_in_the_files(shared_data: Path, form: str) -> None:
    """Three files say why answers end, as texts of JSON; what only a response as a whole says is not read."""
    told = {
        "google-adk-2025-08-28": {Stop.STOP: 2},
        "koog-2025-08-26": {Stop.STOP: 1, Stop.TOOL_CALLS: 1},
        "pydantic-ai-tools-2025-12-04": {Stop.STOP: 2, Stop.TOOL_CALLS: 2},
    }
    for name in EXPECTED:
        spans = decode(shared_data / "frameworks" / f"{name}.otlp.jsonl", form)
        stops = spans[Column.STOP][spans[Column.KIND] == LLM].tolist()
        assert {stop: stops.count(stop) for stop in set(stops) - {Stop.NONE}} == told.get(name, {}), name


def _counts(spans: Spans) -> tuple[Any, Any]:
    values, counts = np.unique(spans[Column.KIND], return_counts=True)
    return values, counts


@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_tau2_decodes_as_its_labels_count(shared_data: Path, form: str) -> None:
    """The airline runs of gpt-4o: 50 runs, 277 tool calls, 50 evaluations of 23 successes, 4.20 USD, 6 handoffs."""
    labels = json.loads((shared_data / "tau2" / "airline-gpt-4o.labels.json").read_text())
    spans = decode(shared_data / "tau2" / "airline-gpt-4o.otlp.jsonl", form)
    kind = spans[Column.KIND]
    assert [int((kind == k).sum()) for k in (RUN, LLM, TOOL, SpanKind.EVALUATION)] == [50, 496, 277, 50]
    cost = spans[Column.COST][kind == LLM]
    assert cost[cost > 0].sum() / 1e9 == pytest.approx(sum(label["cost_usd"] for label in labels.values()), abs=1e-6)
    scores = spans[Column.SCORE][kind == SpanKind.EVALUATION]
    assert (int((scores == 1_000_000).sum()), int((scores == 0).sum())) == (23, 27)
    assert known(spans, Column.EVALUATION, {SpanKind.EVALUATION}) == {"task_success"}
    assert known(spans, Column.PROMPT, {RUN, LLM, TOOL}) == {"10dc052542152120"}
    handed = {trace for trace, human in zip(spans[Column.TRACE_HI], spans[Column.HANDOFF], strict=True) if human}
    assert len(handed) == sum(label["escalated"] for label in labels.values()) == 6
    traces = {f"{hi & (2**64 - 1):016x}{lo & (2**64 - 1):016x}" for hi, lo in spans.cols[:2].T.tolist()}
    assert traces == set(labels)
