"""Cut requests hold every span once, beside its own resource and scope, and never exceed the bound."""

from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from flows.protobuf import NotProtobufError, fields, varint
from flows.receiving.bodies import BodyType, UnreadableError
from flows.receiving.splitting import split

# sizes of spans, in scopes, in resources
trees = st.lists(st.lists(st.lists(st.integers(0, 400), max_size=6), max_size=4), max_size=4)


def request(tree: list[list[list[int]]]) -> TracesData:
    """Make a request of the tree; every span has a name of its own."""
    data = TracesData()
    for r, scopes in enumerate(tree):
        resource = data.resource_spans.add(schema_url=f"schema {r}")
        resource.resource.attributes.add(key="service.name").value.string_value = f"service {r}"
        for s, sizes in enumerate(scopes):
            scope = resource.scope_spans.add(schema_url=f"scope schema {s}")
            scope.scope.name = f"scope {r}/{s}"
            for n, size in enumerate(sizes):
                scope.spans.add(name=f"{r}/{s}/{n} " + "." * size, trace_id=bytes(16), span_id=b"12345678")
    return data


def listed(data: TracesData) -> list[tuple[str, str, str, str, str]]:
    """List every span with all that stands beside it, in order."""
    return [
        (r.resource.attributes[0].value.string_value, r.schema_url, s.scope.name, s.schema_url, span.name)
        for r in data.resource_spans
        for s in r.scope_spans
        for span in s.spans
    ]


def from_json(message: bytes) -> list[tuple[str, str, str, str, str]]:
    """List the spans of a JSON request alike."""
    return [
        (
            r["resource"]["attributes"][0]["value"]["stringValue"],
            r["schemaUrl"],
            s["scope"]["name"],
            s["schemaUrl"],
            span["name"],
        )
        for r in json.loads(message).get("resourceSpans", [])
        for s in r.get("scopeSpans", [])
        for span in s.get("spans", [])
    ]


@settings(max_examples=150, deadline=None)
@given(tree=trees, limit=st.integers(1, 1500))
def test_protobuf_spans_are_kept_or_counted(tree: list[list[list[int]]], limit: int) -> None:
    """Messages stay within the bound; their spans are those of the request in order, but for the rejected ones."""
    data = request(tree)
    body = data.SerializeToString()
    cut = split(body, BodyType.PROTOBUF, limit)
    assert all(len(message) <= limit for message in cut.messages)
    found = [span for message in cut.messages for span in listed(TracesData.FromString(message))]
    wanted = listed(data)
    assert len(found) + cut.rejected == len(wanted)
    kept = set(found)
    assert found == [span for span in wanted if span in kept]


@settings(max_examples=150, deadline=None)
@given(tree=trees.filter(bool), limit=st.integers(1, 2500))
def test_json_spans_are_kept_or_counted(tree: list[list[list[int]]], limit: int) -> None:
    """The same holds for JSON."""
    data = request(tree)
    body = json.dumps(MessageToDict(data)).encode()
    cut = split(body, BodyType.JSON, limit)
    assert all(len(message) <= limit for message in cut.messages)
    found = [span for message in cut.messages for span in from_json(message)]
    wanted = listed(data)
    assert len(found) + cut.rejected == len(wanted)
    kept = set(found)
    assert found == [span for span in wanted if span in kept]


def test_nothing_is_rejected_that_fits() -> None:
    """Spans that fit with their resource and scope are all kept, however small the messages are."""
    data = request([[[50] * 20, [100] * 20], [[10] * 30]])
    for limit in range(300, 3000, 37):
        assert split(data.SerializeToString(), BodyType.PROTOBUF, limit).rejected == 0


def test_log_records_are_cut_alike() -> None:
    """Requests of log records have the same shape in protobuf."""
    data = LogsData()
    scope = data.resource_logs.add().scope_logs.add()
    for number in range(10):
        scope.log_records.add().body.string_value = f"{number}" + "." * 100
    cut = split(data.SerializeToString(), BodyType.PROTOBUF, 400)
    parts = [LogsData.FromString(message) for message in cut.messages]
    bodies = [
        record.body.string_value[0] for part in parts for record in part.resource_logs[0].scope_logs[0].log_records
    ]
    assert bodies == list("0123456789")
    assert len(parts) == 4  # three records of about 110 bytes a message


def test_what_fits_is_not_touched() -> None:
    """A request within the bound is one message, the same bytes; no bytes are none."""
    assert split(b"anything", BodyType.PROTOBUF, 8).messages == [b"anything"]
    assert split(b"", BodyType.PROTOBUF, 8).messages == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"resourceSpans": {"a": 1}, "b": 2}', "no list 'resourceSpans'"),
        (b'{"resourceSpans": [1], "schemaUrl": "............"}', "no list 'scopeSpans'"),
        (b'{"resource_spans": []}', "neither 'resourceSpans' nor 'resourceLogs'"),
    ],
)
def test_json_of_another_shape_is_refused(body: bytes, why: str) -> None:
    """A large JSON object without the lists of OTLP cannot be cut, and is not dropped in silence."""
    with pytest.raises(UnreadableError, match=why):
        split(body, BodyType.JSON, 10)


@given(st.integers(0, 2**63 - 1))
def test_varints_are_read_as_written(number: int) -> None:
    """A number written as varint is read back, as a field's length would be."""
    assert list(fields(b"\x08" + varint(number))) == [(8, 0, 1, 1 + len(varint(number)))]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_fields_never_leave_the_body(body: bytes) -> None:
    """Whatever the bytes: either they are refused, or the fields cover them from the first to the last."""
    try:
        found = list(fields(body))
    except NotProtobufError:
        return
    stops = [0, *[stop for *_, stop in found]]
    assert [start for _, start, _, _ in found] == stops[:-1]
    assert stops[-1] == len(body)
