"""OTLP/JSON to wire bytes, case by case: the rules as written in `models.spans.json_wire`."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from models.digest import SLACK
from models.spans import json_errors
from models.spans.json_wire import ERRORS, transcode

TRACE, SPAN = "0123456789abcdef0123456789ABCDEF", "00f067aa0ba902b7"


def wire(*messages: str | bytes) -> list[bytes | int]:
    """Transcode messages lying back to back: the wire bytes of each, or its error code."""
    raw = [m.encode() if isinstance(m, str) else m for m in messages]
    sizes = np.array([len(m) for m in raw], np.int64)
    stops = np.cumsum(sizes)
    starts = stops - sizes
    buffer = np.frombuffer(b"".join(raw) + b"\xaa" * SLACK, np.uint8)
    out, begin, end, codes = transcode(buffer, starts, stops)
    assert end.size == 0 or end.max() + SLACK <= out.size
    assert all(begin[i] == end[i] for i in np.flatnonzero(codes))
    return [int(c) or out[b:e].tobytes() for b, e, c in zip(begin, end, codes, strict=True)]


def span_of(text: str) -> Span | int:
    """Transcode one span, given as JSON text, and parse it with the protobuf library; or give the error code."""
    (got,) = wire('{"resourceSpans":[{"scopeSpans":[{"spans":[' + text + "]}]}]}")
    return got if isinstance(got, int) else TracesData.FromString(got).resource_spans[0].scope_spans[0].spans[0]


def record_of(text: str) -> LogRecord | int:
    """Transcode one log record, as `span_of` does a span."""
    (got,) = wire('{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + text + "]}]}]}")
    return got if isinstance(got, int) else LogsData.FromString(got).resource_logs[0].scope_logs[0].log_records[0]


def value_of(text: str) -> AnyValue | int:
    """Transcode one AnyValue."""
    span = span_of('{"attributes":[{"key":"k","value":' + text + "}]}")
    return span if isinstance(span, int) else span.attributes[0].value


def error(got: object) -> str | None:
    """Give the name of an error code, None if there was no error."""
    names = {getattr(json_errors, name): name for name in dir(json_errors) if name.isupper() and name != "ERRORS"}
    return names[got] if isinstance(got, int) else None


def test_a_whole_message() -> None:
    """Every level of a trace message lands in its field; `resource` may come after `scopeSpans`."""
    message = {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "scope": {"name": "lib", "version": "1"},
                        "spans": [{"name": "a"}, {"name": "b"}],
                        "schemaUrl": "u",
                    }
                ],
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]},
            },
            {},
        ]
    }
    (got,) = wire(json.dumps(message))
    assert isinstance(got, bytes)
    data = TracesData.FromString(got)
    assert [len(r.scope_spans) for r in data.resource_spans] == [1, 0]
    assert data.resource_spans[0].resource.attributes[0].value.string_value == "s"
    scope = data.resource_spans[0].scope_spans[0]
    assert (scope.scope.name, scope.scope.version, scope.schema_url) == ("lib", "1", "u")
    assert [s.name for s in scope.spans] == ["a", "b"]


def test_messages_do_not_disturb_each_other() -> None:
    """A message in error is empty and named; those around it come out as if it were not there."""
    good = '{"resourceSpans":[{"schemaUrl":"x"}]}'
    first, bad, second = wire(good, '{"resourceSpans":[{"schemaUrl":"x"}', good)
    assert first == second == TracesData.FromString(first).SerializeToString()
    assert bad == json_errors.TRUNCATED


def test_no_messages() -> None:
    """Nothing in, nothing out."""
    assert wire() == []


def test_every_error_has_a_reason() -> None:
    """Each code is told in one sentence, and 0 is no error."""
    codes = {v for k, v in vars(json_errors).items() if isinstance(v, int) and k.isupper()}
    assert set(ERRORS) == codes
    assert 0 not in ERRORS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'{{"traceId":"{TRACE}","spanId":"{SPAN.upper()}"}}', (bytes.fromhex(TRACE), bytes.fromhex(SPAN))),
        (
            '{"trace_id":"ASNFZ4mrze8BI0VniavN7w==","span_id":"APBnqgupArc="}',
            (bytes.fromhex(TRACE), bytes.fromhex(SPAN)),
        ),
        ('{"traceId":"ASNFZ4mrze8BI0VniavN7w","spanId":"APBnqgupArc"}', (bytes.fromhex(TRACE), bytes.fromhex(SPAN))),
        ('{"traceId":"","spanId":null}', (b"", b"")),
        ('{"traceId":"00f067aa0ba902b7","spanId":"ab"}', (bytes.fromhex(SPAN), b"\xab")),
        (f'{{"traceId":"x{TRACE[1:]}","spanId":"0"}}', (b"\0", b"\0")),
    ],
)
def test_ids(text: str, expected: tuple[bytes, bytes]) -> None:
    """Ids are hex in any case or base64; what is neither has a wrong length, for the decoder to judge alone."""
    span = span_of(text)
    assert isinstance(span, Span)
    assert (span.trace_id, span.span_id) == expected


@pytest.mark.parametrize(("text", "kind"), [("3", 3), ('"SPAN_KIND_CLIENT"', 3), ('"3"', 3), ("2.0", 2), ("null", 0)])
def test_span_kinds(text: str, kind: int) -> None:
    """Enums are numbers or names."""
    span = span_of(f'{{"kind":{text},"status":{{"code":"STATUS_CODE_ERROR"}}}}')
    assert isinstance(span, Span)
    assert (span.kind, span.status.code) == (kind, 2)


def test_names_of_other_enums_count_as_absent() -> None:
    """A name that the enum does not have, be it of a newer protocol or of another enum, sets nothing."""
    span = span_of('{"kind":"STATUS_CODE_OK","status":{"code":"STATUS_CODE_BETTER"},"name":"n"}')
    assert span == Span(name="n", status={})


def test_severity_names() -> None:
    """All 25 severities are known by name."""
    for name, number in LogRecord.DESCRIPTOR.fields_by_name["severity_number"].enum_type.values_by_name.items():
        assert record_of(f'{{"severityNumber":"{name}"}}') == LogRecord(severity_number=number.number)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"stringValue":"s"}', AnyValue(string_value="s")),
        ('{"string_value":""}', AnyValue(string_value="")),
        ('{"boolValue":true}', AnyValue(bool_value=True)),
        ('{"boolValue":false}', AnyValue(bool_value=False)),
        ('{"intValue":"-9223372036854775808"}', AnyValue(int_value=-(2**63))),
        ('{"intValue":9223372036854775807}', AnyValue(int_value=2**63 - 1)),
        ('{"intValue":1e9}', AnyValue(int_value=10**9)),
        ('{"intValue":"1.50e1"}', AnyValue(int_value=15)),
        ('{"intValue":-0}', AnyValue(int_value=0)),
        ('{"intValue":"\\u0031\\u0032"}', AnyValue(int_value=12)),
        ('{"doubleValue":-1.5}', AnyValue(double_value=-1.5)),
        ('{"doubleValue":"2.5e-3"}', AnyValue(double_value=2.5e-3)),
        ('{"doubleValue":"Infinity"}', AnyValue(double_value=math.inf)),
        ('{"doubleValue":"-Infinity"}', AnyValue(double_value=-math.inf)),
        ('{"doubleValue":-0.0}', AnyValue(double_value=-0.0)),
        ('{"bytesValue":"AP8="}', AnyValue(bytes_value=b"\x00\xff")),
        ('{"bytesValue":"-_\\/+"}', AnyValue(bytes_value=b"\xfb\xff\xfe")),
        ('{"bytesValue":""}', AnyValue(bytes_value=b"")),
        ('{"arrayValue":{"values":[{"intValue":1},{}]}}', AnyValue(array_value={"values": [{"int_value": 1}, {}]})),
        (
            '{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":true}}]}}',
            AnyValue(kvlist_value={"values": [{"key": "a", "value": {"bool_value": True}}]}),
        ),
        ('{"arrayValue":{}}', AnyValue(array_value={})),
        ("{}", AnyValue()),
        ("null", AnyValue()),
        ('{"stringValue":null}', AnyValue()),
        ('{"stringValue":"s","intValue":null}', AnyValue(string_value="s")),
        ('{"stringValue":"s","intValue":"1"}', AnyValue(int_value=1)),
    ],
)
def test_values(text: str, expected: AnyValue) -> None:
    """Every type of AnyValue, in each form that emitters use; several in one object: the last wins."""
    assert value_of(text) == expected


def test_nan() -> None:
    """NaN has its own text, for JSON has no number for it."""
    value = value_of('{"doubleValue":"NaN"}')
    assert isinstance(value, AnyValue)
    assert math.isnan(value.double_value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\"\\\/\b\f\n\r\t", '"\\/\b\f\n\r\t'),
        (r"\u0041\u00e9\u20ac", "Aé€"),
        (r"\ud83d\ude00", "😀"),
        (r"\uD83D\uDE00!", "😀!"),
        (r"\ud83d", "\ufffd"),
        (r"\ud83d\u0041", "\ufffdA"),
        (r"\ude00\ud83d\ud83d\ude00", "\ufffd\ufffd😀"),
        (r"\ud83dx", "\ufffdx"),
        ("é€😀", "é€😀"),
        ("\x7f" * 200, "\x7f" * 200),
        ("x" * 20_000, "x" * 20_000),
        (r"\u0000", "\0"),
    ],
)
def test_strings(text: str, expected: str) -> None:
    """Escapes are undone, surrogate pairs joined, lone surrogates replaced; lengths of any number of bytes fit."""
    assert span_of(f'{{"name":"{text}"}}') == Span(name=expected)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 125, 126, 127, 128, 129, 16_383, 16_384, 2_097_152])
def test_lengths_around_varint_borders(size: int) -> None:
    """Contents whose length needs one byte more are moved, at every level above them."""
    assert span_of('{"attributes":[{"key":"' + "k" * size + '"}],"name":"n"}') == Span(
        attributes=[{"key": "k" * size}], name="n"
    )


def test_unknown_keys_are_skipped() -> None:
    """Whatever an unknown key holds, of any depth, is passed over; so are known keys under the wrong owner."""
    junk = '[{"a":[1,-2.5e+3,true,false,null,"\\u0041\\"",{},[]],"name":{"b":[[[]]]}}]'
    span = span_of(
        f'{{"new":{junk},"a key of more than twenty-four characters":{junk},"stringValue":{junk},"name":"n"}}'
    )
    assert span == Span(name="n")


def test_keys_may_hold_escapes_and_lie_anywhere() -> None:
    """A key is its characters, not its spelling; 24 characters are the longest known key."""
    span = span_of('{"n\\u0061me":"n","dropped_attributes_count":1,"dropped_attributes_count_":2,"nam\\u0000":3}')
    assert span == Span(name="n", dropped_attributes_count=1)


def test_snake_case_everywhere() -> None:
    """The names of the protocol buffers themselves are accepted, as protobuf's own JSON does."""
    (got,) = wire(
        '{"resource_logs":[{"scope_logs":[{"schema_url":"u","log_records":['
        '{"time_unix_nano":"1","observed_time_unix_nano":2,"event_name":"e"}]}]}]}'
    )
    assert isinstance(got, bytes)
    scope = LogsData.FromString(got).resource_logs[0].scope_logs[0]
    assert scope.schema_url == "u"
    assert scope.log_records[0] == LogRecord(time_unix_nano=1, observed_time_unix_nano=2, event_name="e")
    assert span_of('{"start_time_unix_nano":"3","parent_span_id":"00f067aa0ba902b7"}') == Span(
        start_time_unix_nano=3, parent_span_id=bytes.fromhex(SPAN)
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "EMPTY"),
        (" \n", "EMPTY"),
        ("[]", "NOT_OBJECT"),
        ("null", "NOT_OBJECT"),
        ("{", "TRUNCATED"),
        ('{"resourceSpans":[{}]', "TRUNCATED"),
        ('{"resourceSpans":[{}}', "UNEXPECTED"),
        ('{"resourceSpans":[{}', "TRUNCATED"),
        ("{}{}", "TRAILING"),
        ("{} x}", "TRAILING"),
        ("{}\0", "UNEXPECTED"),
        ('{"resourceSpans":[{},]}', "WRONG_TYPE"),
        ('{"resourceSpans":[null]}', "WRONG_TYPE"),
        ('{"resourceSpans":{}}', "WRONG_TYPE"),
        ('{"resourceSpans":[],}', "UNEXPECTED"),
        ('{"resourceSpans"[]}', "UNEXPECTED"),
        ('{"resourceSpans":nul}', "UNEXPECTED"),
        ('{,"resourceSpans":[]}', "UNEXPECTED"),
        ("{resourceSpans:[]}", "UNEXPECTED"),
        ('{"resourceSpans":[],"resourceLogs":[]}', "DUPLICATE"),
        ('{"resourceMetrics":[]}', "NO_ROOT"),
        ('{"resourceSpans":[],"x":[1}', "UNEXPECTED"),
        ('{"resourceSpans":[],"x":[1,]}', "UNEXPECTED"),
        ('{"resourceSpans":[],"x":{"a"}}', "UNEXPECTED"),
        ('{"resourceSpans":[],"x":{"a":1,}}', "UNEXPECTED"),
        ('{"resourceSpans":[],"x":01}', "BAD_NUMBER"),
        ('{"resourceSpans":[],"x":1.}', "BAD_NUMBER"),
        ('{"resourceSpans":[],"x":1e}', "BAD_NUMBER"),
        ('{"resourceSpans":[],"x":-}', "BAD_NUMBER"),
        ('{"resourceSpans":[],"x":+1}', "UNEXPECTED"),
        ('{"resourceSpans":[],"x":NaN}', "UNEXPECTED"),
        ('{"resourceSpans":[],"x":"\\x"}', "BAD_ESCAPE"),
        ('{"resourceSpans":[],"x":"\\u12g4"}', "BAD_ESCAPE"),
        ('{"resourceSpans":[],"x":"a\nb"}', "BAD_STRING"),
        ('{"resourceSpans":[],"x":"}', "BAD_STRING"),
        ('{"resourceSpans":[],"x}', "BAD_STRING"),
        ('{"resourceSpans":[],"x":"\\"}', "BAD_STRING"),
        (b'{"resourceSpans":[],"x":"\xff"}', "BAD_UTF8"),
        (b'{"resourceSpans":[],"x":"\xed\xa0\x80"}', "BAD_UTF8"),
        (b'{"resourceSpans":[],"x":"\xc0\x80"}', "BAD_UTF8"),
        (b'\xef\xbb\xbf{"resourceSpans":[]}', "NOT_OBJECT"),
    ],
)
def test_what_is_no_message(text: str | bytes, name: str) -> None:
    """All that is not JSON, and JSON that is no OTLP, is refused with the reason."""
    assert error(wire(text)[0]) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"name":1}', "WRONG_TYPE"),
        ('{"name":{}}', "WRONG_TYPE"),
        ('{"status":[]}', "WRONG_TYPE"),
        ('{"attributes":{"a":1}}', "WRONG_TYPE"),
        ('{"attributes":["a"]}', "WRONG_TYPE"),
        ('{"kind":true}', "WRONG_TYPE"),
        ('{"startTimeUnixNano":"x"}', "WRONG_TYPE"),
        ('{"startTimeUnixNano":""}', "WRONG_TYPE"),
        ('{"startTimeUnixNano":"1 "}', "WRONG_TYPE"),
        ('{"startTimeUnixNano":-1}', "OUT_OF_RANGE"),
        ('{"startTimeUnixNano":18446744073709551616}', "OUT_OF_RANGE"),
        ('{"startTimeUnixNano":1e20}', "OUT_OF_RANGE"),
        ('{"startTimeUnixNano":1.5}', "NOT_WHOLE"),
        ('{"flags":4294967296}', "OUT_OF_RANGE"),
        ('{"kind":2147483648}', "OUT_OF_RANGE"),
        ('{"name":"a","name":"b"}', "DUPLICATE"),
        ('{"traceId":"","trace_id":""}', "DUPLICATE"),
        ('{"attributes":[{"key":"k","value":{"bytesValue":"A"}}]}', "BAD_BASE64"),
        ('{"attributes":[{"key":"k","value":{"bytesValue":"AA=A"}}]}', "BAD_BASE64"),
        ('{"attributes":[{"key":"k","value":{"doubleValue":1e999}}]}', "OUT_OF_RANGE"),
        ('{"attributes":[{"key":"k","value":{"boolValue":"true"}}]}', "WRONG_TYPE"),
        ('{"attributes":[{"key":"k","value":{"intValue":"9223372036854775808"}}]}', "OUT_OF_RANGE"),
    ],
)
def test_wrong_values(text: str, name: str) -> None:
    """A field holds what its type allows, or the message is refused."""
    assert error(span_of(text)) == name


def test_largest_numbers_fit() -> None:
    """The borders of every integer type are inside."""
    span = span_of('{"startTimeUnixNano":"18446744073709551615","flags":4294967295,"droppedLinksCount":4294967295}')
    assert span == Span(start_time_unix_nano=2**64 - 1, flags=2**32 - 1, dropped_links_count=2**32 - 1)
    assert span_of('{"kind":-2147483648}') == Span(kind=-(2**31))  # type: ignore[arg-type]


@pytest.mark.parametrize(("opening", "closing"), [('{"x":', "}"), ("[", "]")])
def test_depth_is_bounded(opening: str, closing: str) -> None:
    """100 levels are read, 101 refused, in values nobody reads as in those one does."""
    for levels, expected in ((99, None), (100, "DEEP"), (100_000, "DEEP")):
        text = '{"resourceSpans":[],"x":' + opening * levels + "1" + closing * levels + "}"
        assert error(wire(text)[0]) == expected
    nested = '{"kvlistValue":{"values":[{"value":' * 30 + "{}" + "}]}}" * 30
    assert error(value_of(nested)) == "DEEP"
    assert isinstance(value_of('{"arrayValue":{"values":[' * 28 + "{}" + "]}}" * 28), AnyValue)


def test_whitespace_between_any_two_tokens() -> None:
    """Blanks, tabs and line ends may stand wherever JSON lets them."""
    tokens = ["{", '"resourceSpans"', ":", "[", "{", '"schemaUrl"', ":", '"u"', "}", ",", "{", "}", "]", "}"]
    for blank in ("", " ", "\n", "\r\n\t "):
        assert wire(blank + blank.join(tokens) + blank) == [b"\n\x03\x1a\x01u\n\x00"]


@pytest.mark.parametrize(
    ("starts", "stops", "size"), [([0], [3], 10), ([-1], [3], 64), ([4], [3], 64), ([0, 1], [2], 64)]
)
def test_buffers_without_room_are_refused(starts: list[int], stops: list[int], size: int) -> None:
    """Messages outside the buffer, or without the slack behind them, are a mistake of the caller."""
    given: list[Any] = [np.array(a, np.int64) for a in (starts, stops)]
    with pytest.raises(ValueError, match=r"messages must lie|must be of one length"):
        transcode(np.zeros(size, np.uint8), *given)
