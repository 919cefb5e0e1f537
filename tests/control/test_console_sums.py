"""The flight recorder's tokens and cost so far end where the record of the run does, whoever wrote the spans."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from control.console import otlp
from control.console.costs import Costs
from control.console.timeline import rows
from flows.replay import records_of
from flows.settings import FlowSettings
from flyball.check import configuration, policy
from flyball.control import plane_settings
from models.spans.mapping import Mapping

if TYPE_CHECKING:
    from pathlib import Path

TRACE = "5b" * 16
_AT = 1_795_000_000_000_000_000
_CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
_LANGFUSE = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o"}
_PLAIN = {**_CHAT, "gen_ai.usage.input_tokens": 1_000, "gen_ai.usage.output_tokens": 100}
_OWN = {"columns": {"INPUT_TOKENS": ["acme.read"], "COST": ["acme.paid"]}}


def _usage(**tokens: int) -> dict[str, Any]:
    return {**_LANGFUSE, "langfuse.observation.usage_details": json.dumps(tokens)}


def _claude(**more: Any) -> dict[str, Any]:
    return {"span.type": "llm_request", "model": "claude-sonnet-4-5", **more}


CASES: dict[str, tuple[list[dict[str, Any]], str, dict[str, Any] | None]] = {
    "Langfuse: usage is an object": ([_usage(input=1_000, output=100)], "", None),
    "Langfuse: what is cached comes on top": (
        [_usage(input=1_000, input_cached_tokens=500, output=100, total=1_600)],
        "",
        None,
    ),
    "Langfuse: what is cached is in it already": (
        [_usage(input=1_000, input_cached_tokens=500, output=100, total=1_100)],
        "",
        None,
    ),
    "Langfuse: details of the details": (
        [
            {
                **_LANGFUSE,
                "langfuse.observation.usage_details": json.dumps(
                    {"prompt_tokens": 1_000, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 800}}
                ),
            }
        ],
        "",
        None,
    ),
    "Langfuse: cost is an object": (
        [{**_usage(input=9, output=1), "langfuse.observation.cost_details": '{"input": 0.25, "output": 0.5}'}],
        "",
        None,
    ),
    "Langfuse: no object": ([{**_PLAIN, "langfuse.observation.usage_details": '{"input": 1'}], "", None),
    "Langfuse: a long object": ([_usage(input=1_000, output=100, **{f"of_{n:030}": n for n in range(20)})], "", None),
    "Claude Code: what is cached comes on top": (
        [_claude(input_tokens=10, output_tokens=100, cache_read_tokens=20_000, cache_creation_tokens=3_000)],
        "com.anthropic.claude_code",
        None,
    ),
    "attributes of one's own": ([{**_CHAT, "acme.read": 70, "acme.paid": 0.125}], "", _OWN),
    "no call of a model: the agent's": (
        [{"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 50, "gen_ai.usage.cost": 0.5}],
        "",
        None,
    ),
    "calls, and the agent repeats them": (
        [{"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 1_000}, _PLAIN, _PLAIN],
        "",
        None,
    ),
    "a model that is called unknown": ([{**_PLAIN, "gen_ai.request.model": "unknown"}], "", None),
}


def _message(spans: list[dict[str, Any]], scope: str) -> dict[str, Any]:
    """Write spans, the first of which is the root; one with `id` has that."""
    said = []
    for number, attributes in enumerate(spans):
        of = {key: value for key, value in attributes.items() if key != "id"}
        each = {
            "traceId": TRACE,
            "spanId": f"{attributes.get('id', number + 1):016x}",
            "name": "it",
            "startTimeUnixNano": str(_AT + number),
            "endTimeUnixNano": str(_AT + 10**9),
            "attributes": [{"key": key, "value": _value(value)} for key, value in of.items()],
        }
        said.append(each if number == 0 else {**each, "parentSpanId": f"{1:016x}"})
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": scope}, "spans": said}]}]}


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    return {"doubleValue": value} if isinstance(value, float) else {"intValue": str(value)}


def _as_protobuf(message: dict[str, Any]) -> bytes:
    data = json_format.ParseDict(_without_ids(message), TracesData())
    written = message["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for span, said in zip(data.resource_spans[0].scope_spans[0].spans, written, strict=True):
        span.trace_id = bytes.fromhex(TRACE)
        span.span_id = bytes.fromhex(said["spanId"])
        span.parent_span_id = bytes.fromhex(said.get("parentSpanId", ""))
    return data.SerializeToString()


def _without_ids(message: dict[str, Any]) -> dict[str, Any]:
    """Leave out what OTLP/JSON writes in hex and the library reads as base64."""
    one = message["resourceSpans"][0]["scopeSpans"][0]
    kept = [{key: value for key, value in span.items() if not key.endswith("Id")} for span in one["spans"]]
    return {"resourceSpans": [{"scopeSpans": [{**one, "spans": kept}]}]}


@pytest.mark.parametrize("name", CASES)
def test_sums_of_the_flight_recorder_are_those_of_the_record(name: str, tmp_path: Path) -> None:
    """Tokens and cost after the last row are what the flow's record of the run says."""
    spans, scope, attributes = CASES[name]
    message = _message(spans, scope)
    file = tmp_path / "spans.jsonl"
    file.write_text(json.dumps(message) + "\n")
    (record,) = records_of(file, FlowSettings(attributes=attributes), b'{"kind":"run"')
    tokens = record["input_tokens"] + record["output_tokens"]
    assert tokens > 0
    for value in (json.dumps(message).encode(), _as_protobuf(message)):
        found = rows(otlp.spans(value, bytes.fromhex(TRACE)), Costs(), Mapping.load(attributes))
        assert found[-1]["tokens_so_far"] == tokens
        assert found[-1]["cost_usd_so_far"] == pytest.approx(record["cost_usd"], abs=1e-9)


def test_a_call_without_its_bill_is_computed_beside_one_that_has_one(tmp_path: Path) -> None:
    """Of two calls one is billed: its bill, and what the other costs by its tokens, as in the record."""
    call = _claude(input_tokens=1_000, output_tokens=100)
    spans = _message([{"span.type": "interaction"}, call, call], "com.anthropic.claude_code")
    said = {"model": "claude-sonnet-4-5", "input_tokens": 1_000, "output_tokens": 100, "cost_usd": 0.005}
    bill = {
        "timeUnixNano": str(_AT + 2 * 10**9),
        "traceId": TRACE,
        "spanId": f"{2:016x}",
        "eventName": "claude_code.api_request",
        "attributes": [{"key": key, "value": _value(value)} for key, value in said.items()],
    }
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [bill]}]}]}
    file = tmp_path / "both.jsonl"
    file.write_text(f"{json.dumps(spans)}\n{json.dumps(logs)}\n")
    record = records_of(file, FlowSettings(), b'{"kind":"run"')[-1]
    trace = bytes.fromhex(TRACE)
    raw = [*otlp.spans(json.dumps(spans).encode(), trace), *otlp.records(json.dumps(logs).encode(), trace)]
    found = [row["cost_usd_so_far"] for row in rows(raw, Costs())]
    assert found == [None, None, pytest.approx(0.0045), pytest.approx(0.0095)]
    assert found[-1] == pytest.approx(record["cost_usd"])


def test_of_a_span_that_comes_twice_the_first_counts(tmp_path: Path) -> None:
    """As in the flow, also where the second says something else."""
    message = _message([{**_PLAIN, "gen_ai.usage.cost": 0.5}, {**_PLAIN, "gen_ai.usage.cost": 0.75, "id": 1}], "")
    message["resourceSpans"][0]["scopeSpans"][0]["spans"][1].pop("parentSpanId")
    file = tmp_path / "spans.jsonl"
    file.write_text(json.dumps(message) + "\n")
    (record,) = records_of(file, FlowSettings(), b'{"kind":"run"')
    (row,) = rows(otlp.spans(json.dumps(message).encode(), bytes.fromhex(TRACE)))
    assert row["cost_usd_so_far"] == record["cost_usd"] == 0.5


def test_a_look_reads_spans_by_attributes_of_ones_own(planes: Any, tmp_path: Path) -> None:
    """Those that `flyball.yaml` gives the flow are given to the control plane, and its looks go by them."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "flyball.yaml").write_text(f"attributes: {json.dumps(_OWN)}\n")
    settings = plane_settings(configuration(config), tmp_path / "control", policy(config))
    message = _message([{**_CHAT, "acme.read": 70, "acme.paid": 0.125}], "")
    (span,) = message["resourceSpans"][0]["scopeSpans"][0]["spans"]
    now = time.time_ns()
    span |= {"startTimeUnixNano": str(now - 10**9), "endTimeUnixNano": str(now)}
    with planes.Served(tmp_path, attributes=settings.attributes) as served:
        served.log.ensure("otlp_spans", 1)
        served.writer.append("otlp_spans", [(None, json.dumps(message).encode())])
        served.writer.flush()
        status, found, _ = served.ask("GET", f"/v1/console/runs/{TRACE}", key=served.admin)
    assert status == 200
    assert [(row["tokens_so_far"], row["cost_usd_so_far"]) for row in found["spans"]] == [(70, 0.125)]
