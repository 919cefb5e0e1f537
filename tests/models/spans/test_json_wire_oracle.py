"""Random OTLP messages, written as JSON in every style that is allowed, against the protobuf library."""

from __future__ import annotations

import base64
import json
import math
import random
from typing import Any

import numpy as np
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from models.digest import SLACK
from models.spans.json_wire import transcode

IDS = {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}
LONGS = {"intValue", "int_value", *(f"{n}TimeUnixNano" for n in ("start", "end", "observed")), "timeUnixNano"}

texts = st.one_of(
    st.text(max_size=12), st.text('ab"\\\n\0é€😀', max_size=40), st.text("xyz", min_size=120, max_size=300)
)
uint32, uint64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
traces, spans = (st.binary(min_size=n, max_size=n) | st.just(b"") for n in (16, 8))


def _value(children: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    pairs = st.lists(st.builds(KeyValue, key=texts, value=children), max_size=3)
    return st.one_of(
        st.builds(lambda values: AnyValue(array_value=ArrayValue(values=values)), st.lists(children, max_size=3)),
        st.builds(lambda values: AnyValue(kvlist_value=KeyValueList(values=values)), pairs),
    )


plain = st.one_of(
    st.builds(AnyValue),
    st.builds(AnyValue, string_value=texts),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1) | st.integers(-1000, 1000)),
    st.builds(AnyValue, double_value=st.floats(allow_nan=False) | st.just(math.nan)),  # JSON drops the sign of NaN
    st.builds(AnyValue, bytes_value=st.binary(max_size=20)),
)
values = st.recursive(plain, _value, max_leaves=6)
attributes = st.lists(st.builds(KeyValue, key=texts, value=st.none() | values), max_size=3)
resources = st.none() | st.builds(Resource, attributes=attributes, dropped_attributes_count=uint32)
scopes = st.none() | st.builds(
    InstrumentationScope, name=texts, version=texts, attributes=attributes, dropped_attributes_count=uint32
)
events = st.builds(
    Span.Event, time_unix_nano=uint64, name=texts, attributes=attributes, dropped_attributes_count=uint32
)
links = st.builds(Span.Link, trace_id=traces, span_id=spans, trace_state=texts, attributes=attributes, flags=uint32)
span_messages = st.builds(
    Span,
    trace_id=traces,
    span_id=spans,
    parent_span_id=spans,
    trace_state=texts,
    flags=uint32,
    name=texts,
    kind=st.integers(0, 5),
    start_time_unix_nano=uint64,
    end_time_unix_nano=uint64,
    attributes=attributes,
    events=st.lists(events, max_size=2),
    links=st.lists(links, max_size=2),
    dropped_attributes_count=uint32,
    dropped_events_count=uint32,
    dropped_links_count=uint32,
    status=st.none() | st.builds(Status, message=texts, code=st.integers(0, 2)),
)
record_messages = st.builds(
    LogRecord,
    time_unix_nano=uint64,
    observed_time_unix_nano=uint64,
    severity_number=st.integers(0, 24),
    severity_text=texts,
    body=st.none() | values,
    attributes=attributes,
    dropped_attributes_count=uint32,
    flags=uint32,
    trace_id=traces,
    span_id=spans,
    event_name=texts,
)
trace_data = st.builds(
    TracesData,
    resource_spans=st.lists(
        st.builds(
            ResourceSpans,
            resource=resources,
            schema_url=texts,
            scope_spans=st.lists(
                st.builds(ScopeSpans, scope=scopes, schema_url=texts, spans=st.lists(span_messages, max_size=2)),
                max_size=2,
            ),
        ),
        max_size=2,
    ),
)
log_data = st.builds(
    LogsData,
    resource_logs=st.lists(
        st.builds(
            ResourceLogs,
            resource=resources,
            schema_url=texts,
            scope_logs=st.lists(
                st.builds(ScopeLogs, scope=scopes, schema_url=texts, log_records=st.lists(record_messages, max_size=2)),
                max_size=2,
            ),
        ),
        max_size=2,
    ),
)


class Writer:
    """Writes a JSON value with random blanks, order of keys, escapes, number forms and forms of ids."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible draws, no secrets
        self._free = self._random.random() < 0.7
        self._base64_ids = self._random.random() < 0.3

    def write(self, value: Any) -> str:
        """Write a value and everything in it."""
        if isinstance(value, dict):
            items = list(value.items())
            if self._free:
                self._random.shuffle(items)
                if self._random.random() < 0.2:
                    items.append((f"unknown{self._random.random()}", [{"a": None, "stringValue": [1.5e-7, "\\"]}]))
            fields = [self._text(key) + self._blank() + ":" + self._field(key, v) for key, v in items]
            return self._blank() + "{" + self._blank() + ",".join(f + self._blank() for f in fields) + "}"
        if isinstance(value, list):
            return self._blank() + "[" + ",".join(map(self.write, value)) + self._blank() + "]" + self._blank()
        if isinstance(value, str):
            return self._blank() + self._text(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and self._chance():
            return f'"{value!r}"'
        return self._blank() + json.dumps(value)

    def _chance(self) -> bool:
        return self._free and self._random.random() < 0.2

    def _blank(self) -> str:
        return self._random.choice([" ", "\n", "\t\r\n  "]) if self._chance() else ""

    def _field(self, key: str, value: Any) -> str:
        if key in LONGS and self._chance():
            return self._blank() + str(value)  # a 64-bit number, without the quotes that the library gives it
        return self.write(self._id(key, value))

    def _id(self, key: str, value: Any) -> Any:
        if key not in IDS or self._base64_ids:
            return value
        text = base64.b64decode(value).hex()
        return text.upper() if self._chance() else text

    def _text(self, text: str) -> str:
        return '"' + "".join(self._character(c) for c in text) + '"'

    def _character(self, c: str) -> str:
        if c in '"\\' or c < " " or (self._random.random() < 0.05 and self._free):
            units = c.encode("utf-16-be")
            return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
        return c


def _form(message: Any, seed: int) -> Any:
    """Give a message as the library's JSON object, in one of its styles."""
    return json_format.MessageToDict(
        message,
        preserving_proto_field_name=bool(seed & 1),
        use_integers_for_enums=bool(seed & 2),
        always_print_fields_with_no_presence=bool(seed & 4),
    )


def _transcoded(text: str) -> bytes:
    raw = text.encode()
    buffer = np.frombuffer(raw + b"\xff" * SLACK, np.uint8)
    out, starts, stops, codes = transcode(buffer, np.array([0]), np.array([len(raw)]))
    assert codes[0] == 0, (codes[0], text)
    return out[starts[0] : stops[0]].tobytes()


def _same(message: Any, seed: int) -> None:
    form = _form(message, seed)
    if not form:
        form = {"resourceSpans" if isinstance(message, TracesData) else "resource_logs": []}
    text = Writer(seed).write(form)
    got = type(message).FromString(_transcoded(text))
    assert got.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)
    by_library = json_format.Parse(json.dumps(form), type(message)())
    assert got.SerializeToString(deterministic=True) == by_library.SerializeToString(deterministic=True)


@settings(max_examples=150, deadline=None)
@given(message=trace_data, seed=st.integers(0, 2**32))
def test_traces_come_out_as_the_library_reads_them(message: TracesData, seed: int) -> None:
    """Any trace message, in any JSON style: the wire bytes parse to the same message."""
    _same(message, seed)


@settings(max_examples=100, deadline=None)
@given(message=log_data, seed=st.integers(0, 2**32))
def test_logs_come_out_as_the_library_reads_them(message: LogsData, seed: int) -> None:
    """Any log message, in any JSON style: the wire bytes parse to the same message."""
    _same(message, seed)


@settings(max_examples=300, deadline=None)
@given(
    number=st.floats(allow_nan=False, allow_infinity=False)
    | st.builds(lambda m, e: float(f"{m}e{e}"), st.integers(0, 10**19 - 1), st.integers(-345, 288)),
    style=st.sampled_from(["{!r}", "{:.17e}", "{:.18g}", '"{!r}"', "{:.3f}"]),
)
def test_doubles_are_correctly_rounded(number: float, style: str) -> None:
    """Up to 19 digits, a double is the nearest to the text, as Python reads it; subnormals and borders included."""
    text = style.format(number)
    if sum(c.isdigit() for c in text.strip('"').partition("e")[0].lstrip("-0.")) > 19:
        text = repr(number)
    assert _double(text) == float(text.strip('"'))


@settings(max_examples=200, deadline=None)
@given(digits=st.text("0123456789", min_size=20, max_size=60), point=st.integers(1, 19), power=st.integers(-330, 250))
def test_longer_doubles_are_within_one_unit(digits: str, point: int, power: int) -> None:
    """With more digits than 64 bits hold, the result is off by one unit in the last place at most."""
    text = f"1{digits[:point]}.{digits[point:]}e{power}"
    exact = float(text)
    assert _double(text) in {math.nextafter(exact, 0), exact, math.nextafter(exact, math.inf)}


def _double(text: str) -> float:
    head = '{"resourceSpans":[{"resource":{"attributes":[{"value":{"doubleValue":'
    data = TracesData.FromString(_transcoded(head + text + "}}]}}]}"))
    return data.resource_spans[0].resource.attributes[0].value.double_value


@settings(max_examples=200, deadline=None)
@given(number=st.integers(-(2**63), 2**63 - 1), zeros=st.integers(0, 25), quotes=st.sampled_from(["", '"']))
def test_integers_are_exact_in_every_form(number: int, zeros: int, quotes: str) -> None:
    """Fractions of zeros and exponents change nothing: 12, 12.000, 1.2e1 and 120e-1 are one number."""
    sign, digits = ("-", str(number)[1:]) if number < 0 else ("", str(number))
    more = min(zeros, 3) if number else 0  # 00e-1 is no JSON
    forms = [
        f"{number}",
        f"{number}.{'0' * (zeros + 1)}",
        f"{number}{'0' * more}e-{more}",
        f"{sign}{digits[0]}.{digits[1:] or '0'}e{len(digits) - 1}",
    ]
    for form in forms:
        head = '{"resourceSpans":[{"resource":{"attributes":[{"value":{"intValue":'
        data = TracesData.FromString(_transcoded(head + quotes + form + quotes + "}}]}}]}"))
        assert data.resource_spans[0].resource.attributes[0].value.int_value == number
