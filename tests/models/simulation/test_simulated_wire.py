"""Both encodings say the same, as the protobuf library reads them; equal scenarios give equal bytes."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from models.simulation import Encoding, Scenario, generate, parse_incident
from models.simulation.protobuf import varint

INCIDENTS = tuple(
    map(
        parse_incident,
        (
            "retry_loop@0+40s:share=0.3",
            "cycle@0+40s:share=0.3",
            "cost_blowup@0+40s:factor=30",
            "model_upgrade@10s+20s",
            "slow_decline@0+40s",
            "tool_outage@0+40s",
            "hallucinated_tool@0+40s",
            "injection@0+40s:share=0.5",
        ),
    )
)
SCENARIO = Scenario(seed=7, duration_s=40.0, rate=4.0, incidents=INCIDENTS)


def in_protobuf_json(value: Any) -> Any:
    """Turn the hex ids of OTLP/JSON into the base64 of the protobuf library's JSON."""
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode()
            if key in ("traceId", "spanId", "parentSpanId")
            else in_protobuf_json(item)
            for key, item in value.items()
        }
    return [in_protobuf_json(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def as_json() -> list[Any]:
    """Give the scenario's messages in JSON."""
    return list(generate(SCENARIO, Encoding.JSON))


@pytest.fixture(scope="module")
def as_protobuf() -> list[Any]:
    """Give the scenario's messages in protobuf."""
    return list(generate(SCENARIO, Encoding.PROTOBUF))


def test_both_encodings_say_the_same(as_json: list[Any], as_protobuf: list[Any]) -> None:
    """Message by message, the protobuf library reads the same content from both encodings."""
    assert len(as_json) == len(as_protobuf) > 20
    for text, wire in zip(as_json, as_protobuf, strict=True):
        assert text[:3] == wire[:3]
        kind = TracesData if wire.signal == "traces" else LogsData
        expected = json_format.ParseDict(in_protobuf_json(orjson.loads(text.payload)), kind())
        assert kind.FromString(wire.payload) == expected


def test_protobuf_is_written_as_the_library_would(as_protobuf: list[Any]) -> None:
    """The wire has no field that the library does not know, and no length longer than needed."""
    for wire in as_protobuf:
        kind = TracesData if wire.signal == "traces" else LogsData
        message = kind.FromString(wire.payload)
        assert message.ByteSize() == len(wire.payload)


def test_messages_say_how_many_records_they_hold(as_protobuf: list[Any]) -> None:
    """`records` counts the spans or log records, at most `batch` of them."""
    for wire in as_protobuf:
        if wire.signal == "traces":
            groups = [s.spans for r in TracesData.FromString(wire.payload).resource_spans for s in r.scope_spans]
        else:
            groups = [s.log_records for r in LogsData.FromString(wire.payload).resource_logs for s in r.scope_logs]
        assert wire.records == sum(map(len, groups)) <= SCENARIO.batch


@pytest.mark.parametrize("encoding", list(Encoding))
def test_equal_scenarios_give_equal_bytes(encoding: Encoding) -> None:
    """The same seed gives the same bytes; another seed does not."""
    short = replace(SCENARIO, duration_s=5.0, incidents=())
    assert list(generate(short, encoding)) == list(generate(short, encoding))
    assert list(generate(short, encoding)) != list(generate(replace(short, seed=8), encoding))


def test_json_is_one_line(as_json: list[Any]) -> None:
    """A message in JSON has no line end, so that a file of lines can hold it."""
    assert not any(b"\n" in message.payload for message in as_json)


@pytest.mark.parametrize(("value", "wire"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")])
def test_varint(value: int, wire: bytes) -> None:
    """Varints are those of the protobuf documentation."""
    assert varint(value) == wire
