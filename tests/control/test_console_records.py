"""What the flight recorder tells of log records: evaluations, bills, approvals; nothing raw, and no other record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from control.console import otlp
from control.console.timeline import rows

TRACE = "5b" * 16
SECRET = "hunter2-card-4111111111111111"  # noqa: S105 -- what must not be shown
_AT = 1_795_000_000_123_456_789
_CLAUDE = "com.anthropic.claude_code.events"


def _record(name: str, attributes: dict[str, Any], number: int = 0, scope: str = "") -> dict[str, Any]:
    return {"name": name, "attributes": attributes, "at": _AT + number * 10**9, "scope": scope}


RECORDS = [
    _record(
        "gen_ai.evaluation.result", {"gen_ai.evaluation.name": "task_success", "gen_ai.evaluation.score.value": 0.25}
    ),
    _record("claude_code.api_request", {"model": "claude-sonnet-4-5", "cost_usd": 0.0125}, 1, _CLAUDE),
    _record("api_request", {"model": "claude-sonnet-4-5", "cost_usd": 0.5}, 2, _CLAUDE),
    _record("claude_code.tool_decision", {"tool_name": "Bash", "decision": "reject", "source": "config"}, 3, _CLAUDE),
    _record(
        "api_request", {"cost_usd": 9.0}, 4, "some.other.library"
    ),  # the short name says something in its scope only
    _record("claude_code.user_prompt", {"prompt": SECRET}, 5, _CLAUDE),
]


def as_json(trace: str = TRACE, *, by_attribute: bool = False, first: int = 0, count: int = 9) -> bytes:
    """Write the records as OTLP/JSON; older ones name their event in an attribute."""
    scopes = []
    for each in RECORDS[first : first + count]:
        attributes = {**each["attributes"], **({"event.name": each["name"]} if by_attribute else {})}
        said = {
            "timeUnixNano": str(each["at"]),
            "traceId": trace,
            "spanId": "00000000000000aa",
            "body": {"stringValue": SECRET},
            "attributes": [{"key": key, "value": _value(value)} for key, value in attributes.items()],
            **({} if by_attribute else {"eventName": each["name"]}),
        }
        scopes.append({"scope": {"name": each["scope"]}, "logRecords": [said]})
    return json.dumps({"resourceLogs": [{"scopeLogs": scopes}]}).encode()


def _value(value: Any) -> dict[str, Any]:
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def as_protobuf(trace: str = TRACE, *, by_attribute: bool = False, first: int = 0, count: int = 9) -> bytes:
    """Write the records as OTLP protobuf."""
    data = LogsData()
    resource = data.resource_logs.add()
    for each in RECORDS[first : first + count]:
        scope = resource.scope_logs.add()
        scope.scope.name = each["scope"]
        record = scope.log_records.add(trace_id=bytes.fromhex(trace), span_id=bytes.fromhex("00000000000000aa"))
        record.observed_time_unix_nano = each["at"]
        record.body.string_value = SECRET
        attributes = {**each["attributes"], **({"event.name": each["name"]} if by_attribute else {})}
        for key, value in attributes.items():
            pair = record.attributes.add(key=key)
            if isinstance(value, float):
                pair.value.double_value = value
            else:
                pair.value.string_value = value
        if not by_attribute:
            record.event_name = each["name"]
    return data.SerializeToString()


@pytest.mark.parametrize("by_attribute", [False, True])
@pytest.mark.parametrize("write", [as_json, as_protobuf])
def test_records_become_rows(write: Any, *, by_attribute: bool) -> None:
    """Those that the attribute table gives a kind, and evaluations: when, and under the span that they are about."""
    value = write(by_attribute=by_attribute)
    assert otlp.names(value, bytes.fromhex(TRACE))
    agent = otlp.Raw("00000000000000aa", "", "agent", _AT - 10**9, _AT + 10**10, 1, 0, "")
    found = rows([agent, *otlp.records(value, bytes.fromhex(TRACE))])
    assert [
        (each["kind"], each["depth"], each["model"] or each["tool"] or each["evaluation"]) for each in found[1:]
    ] == [
        ("evaluation", 1, "task_success"),
        ("bill", 1, "claude-sonnet-4-5"),
        ("bill", 1, "claude-sonnet-4-5"),
        ("approval", 1, "Bash"),
    ]
    assert [each["score"] for each in found] == [None, 0.25, None, None, None]
    assert [each["cost_usd_so_far"] for each in found] == [None, None, 0.0125, 0.5125, 0.5125]
    assert [int(each["start_ns"]) - _AT for each in found[1:]] == [0, 10**9, 2 * 10**9, 3 * 10**9]
    assert SECRET not in json.dumps(found)


@pytest.mark.parametrize("write", [as_json, as_protobuf])
def test_of_another_trace_there_is_nothing(write: Any) -> None:
    """Records of others are not this run's; those of a message of spans are none."""
    assert not list(otlp.records(write("6c" * 16), bytes.fromhex(TRACE)))


@pytest.mark.parametrize("write", [as_json, as_protobuf])
def test_damaged_records_are_refused_and_nothing_else(write: Any) -> None:
    """Cut or altered anywhere, a message gives records or is unreadable; it never raises anything else."""
    whole = write(first=1, count=1)
    values = range(256) if write is as_protobuf else b'"{}[],:-0e\\\x00\xff'
    for at in range(len(whole)):
        for broken in (whole[:at], *(whole[:at] + bytes([value]) + whole[at + 1 :] for value in values)):
            try:
                rows(list(otlp.records(broken, bytes.fromhex(TRACE))))
            except otlp.UnreadableError:
                continue


class _Prices:
    """Prices under which every call costs one dollar."""

    @staticmethod
    def of(*_: object) -> float:
        """Give the cost."""
        return 1.0


def test_what_is_billed_is_not_priced_too() -> None:
    """A call without a bill is priced by its tokens; where bills are told, the cost is theirs."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 5}
    call = otlp.Raw("01", "", "chat", _AT, _AT + 1, 3, 0, "", attributes)
    bill = otlp.Raw("", "01", "claude_code.api_request", _AT + 2, _AT + 2, 0, 0, "", {"cost_usd": 0.25}, is_record=True)
    prices: Any = _Prices()
    assert [each["cost_usd_so_far"] for each in rows([call], prices)] == [1.0]
    bill.scope = _CLAUDE
    assert [each["cost_usd_so_far"] for each in rows([call, bill], prices)] == [None, 0.25]


def test_both_topics_are_read(served: Any) -> None:
    """A run of which only logs tell is shown as well."""
    for topic in ("otlp_spans", "otlp_logs"):
        served.log.ensure(topic, 1)
    served.writer.append("otlp_logs", [(None, as_protobuf())])
    served.writer.flush()
    found = served.ask("GET", f"/v1/console/runs/{TRACE}", key=served.admin)[1]
    assert found["read"]["messages"] == 1
    assert [each["kind"] for each in found["spans"]] == ["evaluation", "bill", "bill", "approval"]
