"""Log records that are no evaluations: Claude Code's bills and decisions, down to what a run makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from models.runs.policy import RunPolicy
from models.runs.report import run_records
from models.runs.table import RunTable
from models.spans.columns import UNKNOWN, Column, Decision, SpanKind
from models.spans.pricing import Prices
from tests.helpers.decode_by_hand import DECODER, NOW, Traces, logs, record, row

SCOPE = "com.anthropic.claude_code.events"
MODEL = "claude-sonnet-4-5-20250929"
TOKENS = {"input_tokens": 2, "output_tokens": 400, "cache_read_tokens": 9000, "cache_creation_tokens": 100}
BILL = {"session.id": "s", "prompt.id": "p", "model": MODEL, "cost_usd": 0.0123} | TOKENS
DECISION = {"session.id": "s", "tool_name": "Bash", "decision": "accept", "source": "user_temporary"}
PRICES = Prices({"known": {"input": 1.0, "output": 1.0}})


def run_of(*messages: bytes) -> dict[str, Any]:
    """Decode, price and follow messages of one trace: its run row and record."""
    table = RunTable(RunPolicy())
    spans = PRICES.price(DECODER.decode(messages, NOW).spans)
    changes = table.update(spans, slice(None), NOW)
    assert changes.weight.tolist() == [1]
    (told,) = run_records(changes.records, changes.names, changes.tools)
    names = changes.runs.dtype.names or ()
    return {name: changes.runs[name][0] for name in names} | told


def trace(*spans: dict[str, Any]) -> bytes:
    """Write an interaction with these spans in it."""
    traces = Traces({"service.name": "claude-code"}, scope="com.anthropic.claude_code.tracing")
    traces.span({"span.type": "interaction"})
    for attributes in spans:
        traces.span(attributes, parent_span_id=bytes(7) + b"\x07")
    return traces.data.SerializeToString()


CALL = {"span.type": "llm_request", "model": MODEL} | TOKENS


@pytest.mark.parametrize("as_attribute", [False, True])
@pytest.mark.parametrize(("name", "scope"), [("claude_code.api_request", ""), ("api_request", SCOPE)])
def test_a_bill_is_two_rows(name: str, scope: str, as_attribute: bool) -> None:  # noqa: FBT001
    """What was paid is one row, the call it was paid for another, of the same trace, in the span it was written in."""
    decoded = logs(name, BILL, scope=scope, as_attribute=as_attribute)
    paid, bought = (row(decoded.spans, i) for i in range(2))
    assert decoded.mended == {}
    for bill in (paid, bought):
        assert (bill["KIND"], bill["TRACE_LO"], bill["PARENT_ID"]) == (SpanKind.BILL, 1, 5)
        assert (bill["START"], bill["END"], bill["EVALUATION"]) == (NOW - 1, NOW - 1, name)
        assert (bill["MODEL"], bill["CONVERSATION"], bill["SERVICE"]) == (MODEL, "s", "logger")
    assert (paid["COST"], paid["INPUT_TOKENS"]) == (12_300_000, UNKNOWN)
    assert (bought["COST"], bought["INPUT_TOKENS"], bought["CACHE_READ"]) == (UNKNOWN, 9102, 9000)
    assert paid["SPAN_ID"] != bought["SPAN_ID"]


def test_a_bill_sent_twice_has_the_same_ids() -> None:
    """The same record has the same ids whenever it was observed; one with another sequence number has others."""
    ids = logs("claude_code.api_request", BILL).spans[Column.SPAN_ID].tolist()
    again = logs("claude_code.api_request", BILL, observed_time_unix_nano=7).spans[Column.SPAN_ID].tolist()
    other = logs("claude_code.api_request", BILL | {"event.sequence": 2}).spans[Column.SPAN_ID].tolist()
    assert ids == again
    assert not set(ids) & set(other)


@pytest.mark.parametrize("name", ["api_request", "claude_code.api_error", "claude_code.user_prompt", "tool_decision"])
def test_other_records_are_ignored(name: str) -> None:
    """Names without prefix in other scopes, and the names of Claude Code's other logs, are ignored and counted."""
    assert logs(name, BILL | DECISION).mended == {"log.ignored": 1}


@pytest.mark.parametrize("name", ["claude_code.api_request", "claude_code.tool_decision"])
def test_records_without_a_trace_are_ignored(name: str) -> None:
    """Without a trace id it is not known which run a record belongs to."""
    decoded = logs(name, BILL | DECISION, trace_id=b"")
    assert (len(decoded.spans), decoded.mended) == (0, {"log.ignored": 1})


def test_a_record_outside_of_all_spans_is_no_root() -> None:
    """A record without a span id is its own parent; one without a cost is no bill."""
    decoded = logs("claude_code.tool_decision", DECISION, span_id=b"")
    assert decoded.spans[Column.PARENT_ID].tolist() == decoded.spans[Column.SPAN_ID].tolist()
    assert logs("claude_code.api_request", {"model": MODEL}).mended == {"log.ignored": 1}


@pytest.mark.parametrize(("decision", "expected"), [("accept", Decision.ALLOW), ("reject", Decision.BLOCK)])
def test_a_decision_is_an_approval(decision: str, expected: Decision) -> None:
    """A tool_decision is an approval that was given or not."""
    span = row(logs("claude_code.tool_decision", DECISION | {"decision": decision}).spans, 0)
    assert (span["KIND"], span["DECISION"], span["TOOL"]) == (SpanKind.APPROVAL, expected, None)


def test_the_bill_takes_the_place_of_the_computed_cost() -> None:
    """Call and bill, in any order and sent twice, cost what was paid; the call is counted once."""
    bill = record("api_request", BILL, scope=SCOPE)
    computed = run_of(trace(CALL))
    assert (computed["llm_calls"], computed["priced"]) == (1, "computed")
    assert computed["cost_usd"] == pytest.approx(0.009081)  # 2 * 3 + 400 * 15 + 9000 * 0.3 + 100 * 3.75 USD per million
    for messages in ((trace(CALL), bill, bill), (bill, trace(CALL), bill)):
        run = run_of(*messages)
        assert (run["llm_calls"], run["cost_usd"], run["priced"]) == (1, 0.0123, "reported")
        assert (run["input_tokens"], run["output_tokens"]) == (9102, 400)


def test_calls_without_a_bill_keep_their_computed_cost() -> None:
    """Of two calls one is billed: the sum is the bill and the other's computed cost."""
    run = run_of(trace(CALL, CALL | {"output_tokens": 1}), record("api_request", BILL, scope=SCOPE))
    assert run["cost_usd"] == pytest.approx(0.0123 + 0.003096)
    assert (run["llm_calls"], run["reported"], run["computed"], run["priced"]) == (2, 1, 1, "computed")


def test_a_bill_without_its_call_still_counts() -> None:
    """A bill whose span was lost is paid all the same, and takes nothing from what others cost."""
    bill = record("api_request", BILL, scope=SCOPE)
    run = run_of(trace(), bill)
    assert (run["llm_calls"], run["cost_usd"], run["priced"]) == (0, 0.0123, "reported")
    other = {"gen_ai.operation.name": "chat", "gen_ai.usage.cost": 0.5}
    assert run_of(trace(other), bill)["cost_usd"] == pytest.approx(0.5123)


def test_a_bill_prices_a_call_without_a_price() -> None:
    """A call of a model that no price is known of costs what its bill says."""
    unknown = {"model": "nobody-knows-it"}
    run = run_of(trace(CALL | unknown), record("api_request", BILL | unknown, scope=SCOPE))
    assert (run["unpriced"], run["cost_usd"], run["priced"]) == (0, 0.0123, "reported")


def test_decisions_of_logs_count_where_no_span_tells_of_any() -> None:
    """Decisions in logs count once each; where a run has spans of decisions, only those count."""
    accept = record("tool_decision", DECISION | {"tool_use_id": "a"}, scope=SCOPE)
    reject = record("tool_decision", DECISION | {"tool_use_id": "b", "decision": "reject"}, scope=SCOPE)
    run = run_of(accept, trace(), reject, accept)
    assert (run["approvals"], run["approved"]) == (2, 1)
    told = trace({"span.type": "tool.blocked_on_user", "decision": "reject"})
    for messages in ((accept, told, reject), (told, accept, reject), (accept, reject, told)):
        run = run_of(*messages)
        assert (run["approvals"], run["approved"]) == (1, 0)
