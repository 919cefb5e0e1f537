"""The decoder rule by rule: what a span, an event, a resource gives, and what is mended."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.digest import digest_of
from models.spans.columns import NO_SCORE, UNKNOWN, Column, Decision, Outcome, SpanKind, SpanStatus, Stop
from models.spans.decoder import Decoder
from models.spans.mapping import Mapping
from tests.helpers.alike_oracle import alike_digest
from tests.helpers.decode_by_hand import DECODER, NOW, OTHER_TRACE, TRACE, Traces, fill, logs, one, row


def test_a_span_is_a_row() -> None:
    """Ids, times, status and what was not said stand in their columns."""
    span = one({}, parent_span_id=bytes(7) + b"\x09", status={"code": 2})
    assert (span["TRACE_HI"], span["TRACE_LO"], span["SPAN_ID"], span["PARENT_ID"]) == (0, 1, 7, 9)
    assert (span["START"], span["END"]) == (NOW - 61 * 10**9, NOW - 60 * 10**9)
    assert (span["KIND"], span["STATUS"]) == (SpanKind.OTHER, SpanStatus.ERROR)
    assert [span[c] for c in ("INPUT_TOKENS", "CACHE_READ", "COST")] == [UNKNOWN] * 3
    assert (span["SCORE"], span["CALL_ID"], span["TOOL"], span["OUTCOME"]) == (NO_SCORE, 0, None, Outcome.UNKNOWN)


def test_ids_are_read_in_the_order_they_are_printed() -> None:
    """The two words of a trace id, as unsigned hex, are its 32 digits."""
    traces = Traces()
    traces.span(trace_id=bytes.fromhex("fedcba98765432100123456789abcdef"))
    high, low = traces.decode().spans.cols[:2, 0].tolist()
    assert f"{high & (2**64 - 1):016x}{low & (2**64 - 1):016x}" == "fedcba98765432100123456789abcdef"


@pytest.mark.parametrize(
    ("attributes", "scope", "kind"),
    [
        ({"gen_ai.operation.name": "chat"}, "", SpanKind.LLM),
        ({"gen_ai.operation.name": "invoke_workflow"}, "", SpanKind.RUN),
        ({"gen_ai.operation.name": "create_agent", "gen_ai.agent.name": "a"}, "", SpanKind.OTHER),
        ({"gen_ai.operation.name": "chat", "gen_ai.agent.name": "a", "agent_name": "a"}, "pydantic-ai", SpanKind.LLM),
        ({"agent_name": "a", "model_name": "m"}, "pydantic-ai", SpanKind.RUN),
        ({"agent_name": "a", "model_name": "m"}, "someone-else", SpanKind.OTHER),
        ({"mcp.method.name": "tools/call"}, "", SpanKind.TOOL),
        ({"mcp.method.name": "tools/list"}, "", SpanKind.OTHER),
        ({"gen_ai.tool.name": "search"}, "", SpanKind.TOOL),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "(merged tools)"}, "", SpanKind.OTHER),
        ({"openinference.span.kind": "LLM"}, "", SpanKind.LLM),
        ({"openinference.span.kind": "GUARDRAIL"}, "", SpanKind.GUARD),
        ({"openinference.span.kind": "EVALUATOR"}, "", SpanKind.OTHER),
        ({"traceloop.span.kind": "workflow"}, "", SpanKind.RUN),
        ({"traceloop.span.kind": "task"}, "", SpanKind.OTHER),
        ({"llm.request.type": "chat"}, "", SpanKind.LLM),
        ({"langfuse.observation.type": "generation"}, "", SpanKind.LLM),
        ({"ai.operationId": "ai.streamText.doStream"}, "", SpanKind.LLM),
        ({"ai.toolCall.name": "search"}, "", SpanKind.TOOL),
        ({"span.type": "tool.blocked_on_user"}, "com.anthropic.claude_code.tracing", SpanKind.APPROVAL),
        ({"span.type": "tool.execution"}, "com.anthropic.claude_code.tracing", SpanKind.EXECUTION),
        ({"span.type": "tool"}, "", SpanKind.OTHER),
    ],
)
def test_kinds_come_from_attributes(attributes: dict[str, Any], scope: str, kind: SpanKind) -> None:
    """A span is what its attributes say it is."""
    assert one(attributes, scope, name="chat execute_tool invoke_agent")["KIND"] == kind


def test_earlier_sources_win_and_empty_ones_do_not_count() -> None:
    """The first source of the table that says something gives the value, whatever their order on the wire."""
    span = one({"gen_ai.request.model": "asked", "llm.model_name": "third", "gen_ai.response.model": "answered"})
    assert span["MODEL"] == "answered"
    assert one({"gen_ai.response.model": "", "gen_ai.request.model": "asked"})["MODEL"] == "asked"
    assert one({"gen_ai.request.model": "unknown"})["MODEL"] is None
    call = one({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": "<not specified>", "tool.id": "7"})
    assert call["CALL_ID"] == digest_of("7")


def test_model_names_lose_the_prefixes_of_gateways() -> None:
    """azure/, openai/ and their like are cut, one after the other; a fine-tuned model keeps its name."""
    assert one({"gen_ai.request.model": "azure/openai/gpt-4o"})["MODEL"] == "gpt-4o"
    assert one({"gen_ai.request.model": "ft:gpt-4.1:org::1"})["MODEL"] == "ft:gpt-4.1:org::1"
    assert one({"gen_ai.request.model": "openai/"})["MODEL"] == "openai/"
    assert one({"gen_ai.tool.name": "openai/search"})["TOOL"] == "openai/search"


def test_a_resource_speaks_for_its_spans_wherever_it_stands() -> None:
    """Resource attributes name all spans of it, and the span's own word wins."""
    traces = Traces({"service.name": "svc", "service.version": "1", "flyball.workflow": "wide", "user.id": "u"})
    traces.span({"user.id": "own", "gen_ai.workflow.name": "narrow"})
    traces.span()
    resource, spans = type(traces.part)(), type(traces.part)()
    resource.resource.CopyFrom(traces.part.resource)
    spans.scope_spans.extend(traces.part.scope_spans)
    parts = resource.SerializeToString(), spans.SerializeToString()
    for raw in (b"".join(parts), b"".join(reversed(parts))):
        decoded = DECODER.decode([bytes([0x0A, len(raw) & 127 | 128, len(raw) >> 7]) + raw], NOW).spans
        first, second = row(decoded, 0), row(decoded, 1)
        assert [first[c] for c in ("SERVICE", "VERSION", "WORKFLOW", "USER")] == ["svc", "1", "wide", "own"]
        assert second["USER"] == "u"


def test_claude_codes_input_tokens_get_what_is_cached() -> None:
    """Claude Code leaves cached tokens out of input_tokens: they are added; elsewhere these names mean nothing."""
    usage = {"span.type": "llm_request", "input_tokens": 2, "cache_read_tokens": 84562, "cache_creation_tokens": 10}
    span = one(usage, "com.anthropic.claude_code.tracing")
    assert [span[c] for c in ("INPUT_TOKENS", "CACHE_READ", "CACHE_WRITE")] == [84574, 84562, 10]
    assert one(usage)["INPUT_TOKENS"] == UNKNOWN


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"success": True}, None),
        ({"success": "true"}, None),
        ({"success": False}, "false"),
        ({"success": "false"}, "false"),
        ({"success": False, "error": "Timed out after 5s"}, "Timed out after 5s"),
        ({"error": ""}, None),
    ],
    ids=str,
)
def test_claude_codes_executions_say_whether_they_failed(said: dict[str, Any], error: str | None) -> None:
    """`success` as text or boolean, and `error` before it, say so on executions, and only on those."""
    scope = "com.anthropic.claude_code.tracing"
    assert one({"span.type": "tool.execution"} | said, scope)["ERROR_TYPE"] == error
    assert one({"span.type": "llm_request"} | said, scope)["ERROR_TYPE"] is None


def test_costs_are_nano_dollars() -> None:
    """Costs are USD as double or text; OpenInference's parts are added up where there is no total."""
    assert one({"gen_ai.usage.cost": 0.0123})["COST"] == 12_300_000
    assert one({"operation.cost": "0.00008355"})["COST"] == 83_550
    assert one({"llm.cost.prompt": 0.5, "llm.cost.completion": "0.25"})["COST"] == 750_000_000
    assert one({"llm.cost.prompt": 0.5})["COST"] == 500_000_000
    assert one({"llm.cost.prompt": 0.5, "llm.cost.completion": 1.0, "llm.cost.total": 2})["COST"] == 2_000_000_000
    assert one({"gen_ai.usage.cost": -1.0})["COST"] == UNKNOWN


def test_tool_content_is_read_on_tools_only() -> None:
    """input.value is arguments on a tool, and nothing on an LLM; a missing argument is never equal to another."""
    tool = one({"openinference.span.kind": "TOOL", "input.value": "{}", "output.value": "null"})
    assert (tool["ARGUMENTS"], tool["RESULT"]) == (alike_digest(b"{}"), 0)
    assert one({"openinference.span.kind": "LLM", "input.value": "{}"})["ARGUMENTS"] == 0


def test_outcomes_decisions_and_handoffs() -> None:
    """Words for outcomes, decisions and handoffs to a person are understood; a handoff to an agent is none."""
    assert one({"flyball.outcome": "escalated"})["OUTCOME"] == Outcome.ESCALATED
    assert one({"flyball.outcome": "FAILURE"})["OUTCOME"] == Outcome.FAILURE
    assert one({"gen_ai.task.status": "success"})["OUTCOME"] == Outcome.UNKNOWN
    assert one({"traceloop.span.kind": "agent", "gen_ai.task.status": "success"})["OUTCOME"] == Outcome.SUCCESS
    assert one({"guardrail.triggered": True})["DECISION"] == Decision.BLOCK
    assert one({"gen_ai.tool.name": "transfer_to_human_agents"})["HANDOFF"] == 1
    assert one({"gen_ai.transfer.target.name": "billing_agent"})["HANDOFF"] == 0


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"gen_ai.response.finish_reasons": ["stop"]}, Stop.STOP),
        ({"gen_ai.response.finish_reasons": ["MAX_TOKENS", "stop"]}, Stop.LENGTH),
        ({"gen_ai.response.finish_reasons": '["tool_calls"]'}, Stop.TOOL_CALLS),
        ({"gen_ai.response.finish_reasons": "refusal"}, Stop.CONTENT_FILTER),
        ({"gen_ai.response.finish_reasons": []}, Stop.NONE),
        ({"gen_ai.response.finish_reasons": [["stop"]]}, Stop.NONE),
        ({"gen_ai.response.finish_reasons": ["whatever"]}, Stop.NONE),
        ({"gen_ai.completion.0.finish_reason": "tool_use"}, Stop.TOOL_CALLS),
        ({"ai.response.finishReason": "content-filter"}, Stop.CONTENT_FILTER),
    ],
)
def test_why_answers_end(said: dict[str, Any], expected: Stop) -> None:
    """A list, one as JSON or one word, in the words of several providers; of a list its first element."""
    assert one({"gen_ai.operation.name": "chat"} | said)["STOP"] == expected


@pytest.mark.parametrize(("word", "counted"), [("failed", 1), ("sucess", 1), ("failure", 0), ("", 0), (7, 0)])
def test_an_outcome_in_no_known_word_is_counted(word: Any, counted: int) -> None:
    """It says nothing, so the status of the run decides; the counter says that somebody meant something."""
    traces = Traces()
    traces.span({"flyball.outcome": word})
    decoded = traces.decode()
    assert decoded.mended.get("outcome.unknown", 0) == counted
    assert decoded.spans[Column.OUTCOME][0] == (Outcome.FAILURE if word == "failure" else Outcome.UNKNOWN)


def test_prompts_and_tool_sets_are_digested() -> None:
    """An explicit hash wins over the digest of the content, which is 16 hex digits."""
    span = one({"gen_ai.system_instructions": "Be kind.", "gen_ai.tool.definitions": "[]"})
    assert span["PROMPT"] == f"{digest_of('Be kind.') & (2**64 - 1):016x}"
    assert len(span["TOOLSET"]) == 16
    assert one({"gen_ai.system_instructions": "x", "flyball.prompt.hash": "h"})["PROMPT"] == "h"


def test_cohorts_of_resource_and_span() -> None:
    """flyball.cohort.* of spans and resources are cohorts; the span's own value wins; numbers become text."""
    traces = Traces({"flyball.cohort.region": "eu", "flyball.cohort.plan": 3})
    traces.span({"flyball.cohort.region": "us", "flyball.cohort.": "no name"})
    traces.span()
    spans = traces.decode().spans
    names = [spans.names[d] for d in spans.cohorts.name.tolist()]
    values = [spans.names[d] for d in spans.cohorts.value.tolist()]
    found = list(zip(spans.cohorts.row.tolist(), names, values, strict=True))
    assert found == [(0, "region", "us"), (0, "plan", "3"), (1, "region", "eu"), (1, "plan", "3")]


@pytest.mark.parametrize(
    ("start", "end", "expected", "rule"),
    [
        (NOW - 5, NOW - 9, (NOW - 9, NOW - 9), "time.reversed"),
        (NOW - 5, 0, (NOW - 5, NOW - 5), "time.missing"),
        (0, NOW - 5, (NOW - 5, NOW - 5), "time.missing"),
        (0, 0, (NOW, NOW), "time.missing"),
        (NOW - 5, NOW + 301 * 10**9, (NOW - 5, NOW), "time.future"),
        (NOW + 301 * 10**9, NOW + 302 * 10**9, (NOW, NOW), "time.future"),
        (NOW - 5, 2**64 - 1, (NOW - 5, NOW), "time.future"),
        (NOW - 5, NOW + 299 * 10**9, (NOW - 5, NOW + 299 * 10**9), None),
    ],
)
def test_times_are_mended(start: int, end: int, expected: tuple[int, int], rule: str | None) -> None:
    """Reversed, missing and future times are mended by their rule, and counted."""
    traces = Traces()
    traces.span(start_time_unix_nano=start, end_time_unix_nano=end)
    decoded = traces.decode()
    assert (decoded.spans[Column.START][0], decoded.spans[Column.END][0]) == expected
    assert decoded.mended == ({rule: 1} if rule else {})


def test_each_message_has_its_time_of_receipt() -> None:
    """Times are mended by the receipt of their own message."""
    traces = Traces()
    traces.span(start_time_unix_nano=0, end_time_unix_nano=0)
    raw = traces.data.SerializeToString()
    spans = DECODER.decode([raw, raw], np.array([NOW, NOW + 1])).spans
    assert spans[Column.END].tolist() == [NOW, NOW + 1]


def test_a_span_without_trace_id_is_a_dead_letter_alone() -> None:
    """A span whose trace id is missing, zero or too short is set aside; the others of the message go on."""
    traces = Traces()
    for trace in (b"", bytes(16), b"1234", TRACE):
        traces.span(trace_id=trace)
    decoded = traces.decode()
    assert [(d.message, d.reason) for d in decoded.dead] == [(0, "span without trace id")] * 3
    assert decoded.dead[0].size == traces.scoped.spans[0].ByteSize()
    assert len(decoded.spans) == 1


def test_ids_sent_as_text_are_read() -> None:
    """Trace ids as 32 hex or 24 base64 digits and span ids as 16 hex digits are read, and counted."""
    traces = Traces()
    traces.span(trace_id=b"0000000000000000000000000000000F", span_id=b"00000000000000ff")
    traces.span(trace_id=b"AAAAAAAAAAAAAAAAAAAADw==")
    decoded = traces.decode()
    assert decoded.spans[Column.TRACE_LO].tolist() == [15, 15]
    assert decoded.spans[Column.SPAN_ID][0] == 255
    assert decoded.mended == {"trace_id.text": 2, "span_id.made": 1}


def test_a_missing_span_id_is_made_from_the_span() -> None:
    """Two spans without id that are alike get the same id, others another; a strange parent id meets its span."""
    traces = Traces()
    for name in ("a", "a", "b"):
        traces.span(span_id=b"", name=name)
    traces.span(span_id=b"odd")
    traces.span(parent_span_id=b"odd")
    ids = traces.decode().spans[Column.SPAN_ID].tolist()
    assert ids[0] == ids[1] != ids[2]
    assert traces.decode().spans[Column.PARENT_ID][4] == ids[3]
    assert traces.decode().mended == {"span_id.made": 4, "parent_id.made": 1}


def test_names_are_cut_mended_and_refused() -> None:
    """Names end after 256 bytes at a character, bad UTF-8 gets U+FFFD, lists are no names."""
    traces = Traces()
    traces.span({"user.id": "a" * 255 + "é"})
    traces.span({"user.id": "REPLACE"})
    traces.span({"user.id": b"bytes"})
    raw = traces.data.SerializeToString().replace(b"REPLACE", b"\xffEPLACE")
    decoded = DECODER.decode([raw], NOW)
    names = [decoded.spans.names.get(d) for d in decoded.spans[Column.USER].tolist()]
    assert names == ["a" * 255, "\ufffdEPLACE", None]
    assert decoded.mended == {"name.cut": 1, "utf8.replaced": 1, "name.type": 1}


def test_huge_attributes_cost_no_row() -> None:
    """Attributes of a megabyte, mapped or not, are digested or skipped."""
    huge = "x" * 2**20
    span = one({"gen_ai.tool.name": "t", "gen_ai.tool.call.arguments": huge, "other": huge, "user.id": huge})
    assert span["ARGUMENTS"] == digest_of(huge)
    assert span["USER"] == "x" * 256


def test_what_is_short_is_made_longer() -> None:
    """A batch with more names, cohorts and dead letters than there was room for is read again."""
    traces = Traces()
    for i in range(3000):
        traces.span({"user.id": i, "flyball.cohort.c": f"c{i}"}, trace_id=TRACE if i % 2 else b"")
    decoded = Decoder().decode([traces.data.SerializeToString()], NOW)
    assert (len(decoded.spans), len(decoded.dead), len(decoded.spans.cohorts.row)) == (1500, 1500, 1500)
    users = [decoded.spans.names[d] for d in decoded.spans[Column.USER].tolist()]
    assert users == [str(i) for i in range(3000) if i % 2]


def test_users_sources_are_read() -> None:
    """A source of the user's own wins over the built-in ones."""
    decoder = Decoder(Mapping.load({"columns": {"TENANT": ["customer"]}}))
    traces = Traces({"service.namespace": "ns"})
    traces.span({"customer": "acme", "flyball.tenant.id": "own"})
    traces.span()
    spans = traces.decode(decoder).spans
    assert [row(spans, i)["TENANT"] for i in (0, 1)] == ["acme", "ns"]


EVALUATION = {
    "gen_ai.evaluation.name": "task_success",
    "gen_ai.evaluation.score.value": 0.5,
    "gen_ai.evaluation.score.label": "pass",
}


@pytest.mark.parametrize("as_attribute", [False, True])
def test_an_evaluation_event_is_a_row_of_what_is_scored(as_attribute: bool) -> None:  # noqa: FBT001
    """A log event gen_ai.evaluation.result gives a row of its trace, its span as the parent; repeated: the same."""
    decoded = logs("gen_ai.evaluation.result", EVALUATION, as_attribute=as_attribute)
    score = row(decoded.spans, 0)
    assert (score["KIND"], score["TRACE_LO"], score["PARENT_ID"]) == (SpanKind.EVALUATION, 1, 5)
    assert (score["EVALUATION"], score["LABEL"], score["SCORE"]) == ("task_success", "pass", 500_000)
    assert (score["START"], score["END"]) == (NOW - 1, NOW - 1)
    again = logs("gen_ai.evaluation.result", EVALUATION).spans[Column.SPAN_ID][0]
    other = logs("gen_ai.evaluation.result", EVALUATION | {"gen_ai.evaluation.score.value": 1}).spans[Column.SPAN_ID][0]
    assert score["SPAN_ID"] == again != other


def test_other_logs_are_ignored_and_counted() -> None:
    """Other events, evaluations of no trace, and evaluations without a name give no row, but are counted."""
    assert logs("gen_ai.choice", EVALUATION).mended == {"log.ignored": 1}
    assert logs("gen_ai.evaluation.result", EVALUATION, trace_id=b"").mended == {"log.ignored": 1}
    unnamed = logs("gen_ai.evaluation.result", {"gen_ai.evaluation.score.value": 1})
    assert (len(unnamed.spans), unnamed.mended) == (0, {"evaluation.unnamed": 1})


@pytest.mark.parametrize(
    ("said", "trace", "response", "conversation"),
    [
        ({"gen_ai.response.id": "r-1"}, b"", "r-1", None),
        ({"gen_ai.response.id": "r-1"}, TRACE, "r-1", None),
        ({"session.id": "s-1"}, b"", None, "s-1"),
        ({"gen_ai.response.id": "r-1", "session.id": "s-1"}, b"", "r-1", None),
        ({"session.id": "s-1"}, TRACE, None, None),
    ],
    ids=str,
)
def test_evaluations_say_what_they_score(
    said: dict[str, Any], trace: bytes, response: str | None, conversation: str | None
) -> None:
    """A trace, an answer, else a conversation; without a trace they are different where those are."""
    score = row(logs("gen_ai.evaluation.result", EVALUATION | said, trace_id=trace).spans, 0)
    assert (score["TRACE_LO"], score["CONVERSATION"]) == (int.from_bytes(trace[-1:], "big"), conversation)
    assert score["RESPONSE_ID"] == (digest_of(response) if response else 0)
    others = {name: f"{text}'" for name, text in said.items()}
    other = row(logs("gen_ai.evaluation.result", EVALUATION | others, trace_id=trace).spans, 0)
    assert (score["SPAN_ID"] == other["SPAN_ID"]) == (trace == TRACE)


def test_feedback_on_a_session_is_of_no_trace() -> None:
    """An evaluator without parent or link that names a session scores it, not its own trace; with a parent it stays."""
    said = {"openinference.span.kind": "EVALUATOR", "session.id": "s-1", "annotations.0.annotation.name": "helpful"}
    score = one(said)
    assert (score["KIND"], score["TRACE_LO"], score["CONVERSATION"]) == (SpanKind.EVALUATION, 0, "s-1")
    assert one(said, parent_span_id=bytes(7) + b"\x09")["KIND"] == SpanKind.OTHER
    assert one({**said, "openinference.span.kind": "CHAIN"})["KIND"] == SpanKind.OTHER


def test_answers_are_known_by_their_ids() -> None:
    """A call of a model has the digest of its response id."""
    assert one({"gen_ai.operation.name": "chat", "gen_ai.response.id": "r-1"})["RESPONSE_ID"] == digest_of("r-1")


def test_events_of_a_span() -> None:
    """Evaluation events of a span are rows behind its own; an exception event names its error, after error.type."""
    traces = Traces()
    span = traces.span()
    fill(span.events.add(name="gen_ai.evaluation.result").attributes, EVALUATION)
    fill(span.events.add(name="exception").attributes, {"exception.type": "ValueError"})
    fill(traces.span({"error.type": "timeout"}).events.add(name="exception").attributes, {"exception.type": "OSError"})
    spans = traces.decode().spans
    assert spans[Column.KIND].tolist() == [SpanKind.OTHER, SpanKind.EVALUATION, SpanKind.OTHER]
    assert (row(spans, 1)["PARENT_ID"], row(spans, 1)["END"]) == (row(spans, 0)["SPAN_ID"], NOW - 60 * 10**9)
    assert [row(spans, i)["ERROR_TYPE"] for i in (0, 2)] == ["ValueError", "timeout"]


def test_linked_feedback_belongs_to_the_linked_run() -> None:
    """A span with annotations and one link is feedback on the linked trace, and no run of its own."""
    traces = Traces()
    span = traces.span(
        {
            "openinference.span.kind": "EVALUATOR",
            "annotations.0.annotation.name": "helpful",
            "annotations.0.annotation.score": 1,
            "annotations.1.annotation.name": "polite",
            "annotations.1.annotation.label": "yes",
        }
    )
    span.links.add(trace_id=OTHER_TRACE, span_id=bytes(7) + b"\x03")
    spans = traces.decode().spans
    rows = [row(spans, i) for i in range(len(spans))]
    assert [(r["TRACE_LO"], r["PARENT_ID"], r["EVALUATION"], r["SCORE"], r["LABEL"]) for r in rows] == [
        (2, 3, "helpful", 1_000_000, None),
        (2, 3, "polite", NO_SCORE, "yes"),
    ]


def test_evaluators_without_a_link_stay_in_their_run() -> None:
    """An evaluator inside a run scores its parent, and annotations on a call score that call; all spans stay."""
    traces = Traces()
    traces.span({"openinference.span.kind": "EVALUATOR"} | EVALUATION, parent_span_id=bytes(7) + b"\x09")
    annotated = traces.span({"openinference.span.kind": "LLM", "evaluations.2.evaluation.name": "relevance"})
    annotated.links.add(trace_id=OTHER_TRACE)
    spans = traces.decode().spans
    assert spans[Column.KIND].tolist() == [SpanKind.OTHER, SpanKind.EVALUATION, SpanKind.LLM, SpanKind.EVALUATION]
    assert spans[Column.PARENT_ID].tolist()[1::2] == [9, spans[Column.SPAN_ID][2]]
    assert set(spans[Column.TRACE_LO].tolist()) == {1}


def test_json_and_protobuf_mix_in_one_batch() -> None:
    """JSON messages are decoded like protobuf ones, in their places; what is no JSON is a dead letter of its own."""
    traces = Traces()
    traces.span({"user.id": "wire", "flyball.cohort.c": "w"})
    json = b"""{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001",
        "spanId":"0000000000000002","attributes":[{"key":"user.id","value":{"stringValue":"json"}},
        {"key":"flyball.cohort.c","value":{"stringValue":"j"}}]}]}]}]}"""
    wire = traces.data.SerializeToString()
    decoded = DECODER.decode([json, wire, b'{"resourceSpans":', json, b"\xff"], NOW)
    assert [row(decoded.spans, i)["USER"] for i in range(3)] == ["json", "wire", "json"]
    assert decoded.spans[Column.MESSAGE].tolist() == [0, 1, 3]
    names = [decoded.spans.names[d] for d in decoded.spans.cohorts.value.tolist()]
    assert sorted(zip(decoded.spans.cohorts.row.tolist(), names, strict=True)) == [(0, "j"), (1, "w"), (2, "j")]
    assert [d.message for d in decoded.dead] == [2, 4]
    assert decoded.spans.cols.flags.f_contiguous
