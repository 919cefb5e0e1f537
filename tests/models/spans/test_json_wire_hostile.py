"""Broken, cut and hostile OTLP/JSON: the same answer as the library's or an error, never a byte out of bounds."""

from __future__ import annotations

import base64
import binascii
import json
import random
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from models.digest import SLACK
from models.spans import json_errors
from models.spans.json_kernel import transcode_messages
from models.spans.json_values import MAX_DEPTH
from models.spans.json_wire import _ENUMS, _KEYS, capacity, transcode

SYNTAX = {
    getattr(json_errors, name)
    for name in ("EMPTY", "NOT_OBJECT", "TRUNCATED", "TRAILING", "UNEXPECTED", "BAD_STRING", "BAD_ESCAPE", "BAD_UTF8")
}
SEEDS = [
    (
        b'{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a\\"b\\u00e9"}}]},'
        b'"scopeSpans":[{"scope":{"name":"n"},"spans":[{"traceId":"0123456789abcdef0123456789abcdef","spanId":'
        b'"0123456789abcdef","name":"chat","kind":3,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":'
        b'1544712661000000000,"attributes":[{"key":"a","value":{"intValue":"12"}},{"key":"b","value":{"doubleValue":0.25}},'
        b'{"key":"c","value":{"arrayValue":{"values":[{"boolValue":true},{"kvlistValue":{"values":[]}}]}}}],'
        b'"status":{"code":"STATUS_CODE_ERROR"},"new":[1,{"x":null}]}]}]}]}'
    ),
    (
        b' { "resourceLogs" : [ { "scopeLogs" : [ { "logRecords" : [ { "timeUnixNano" : "1" , "severityNumber" : 9 , '
        b'"body" : { "bytesValue" : "AQI=" } , "traceId" : "ASNFZ4mrze8BI0VniavN7w==" , "flags" : 1 } ] } ] } ] } '
    ),
]
SCRAPS = [*b'{}[]",:\\0123456789-+.eEtrufalsn \n\x00\x1f\x7f\x80\xc3\xff', *range(0x30, 0x3A)]


def run(raw: bytes, behind: bytes = b"\xaa" * SLACK, before: bytes = b"") -> bytes | int:
    """Transcode one message with given bytes around it: its wire bytes or its error code."""
    buffer = np.frombuffer(before + raw + behind, np.uint8)
    out, starts, stops, codes = transcode(buffer, np.array([len(before)]), np.array([len(before) + len(raw)]))
    return int(codes[0]) or out[starts[0] : stops[0]].tobytes()


def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object in which a key occurs twice, as json_format does."""
    if len(dict(pairs)) != len(pairs):
        raise KeyError("twins")
    return dict(pairs)


def no_constants(text: str) -> Any:
    """Refuse NaN and Infinity without quotes, which are no JSON."""
    raise ValueError(text)


def with_base64_ids(value: Any) -> Any:
    """Rewrite ids by our rule to the base64 that json_format wants."""
    if isinstance(value, list):
        return [with_base64_ids(v) for v in value]
    if not isinstance(value, dict):
        return value
    sizes = {"traceId": 16, "spanId": 8, "parentSpanId": 8}
    return {
        k: base64.b64encode(id_of(v, sizes[k])).decode() if k in sizes and isinstance(v, str) else with_base64_ids(v)
        for k, v in value.items()
    }


def id_of(text: str, size: int) -> bytes:
    """Decode an id as the transcoder promises to."""
    raw = text.encode("utf-8", "surrogatepass")
    if not raw:
        return b""
    try:
        if raw.endswith(b"=") or len(raw) == (size * 8 + 5) // 6:
            padded = raw if raw.endswith(b"=") else raw + b"=" * (-len(raw) % 4)
            decoded = base64.b64decode(padded.translate(bytes.maketrans(b"-_", b"+/")), validate=True)
            return decoded if len(decoded) == size else b"\0"
        return binascii.unhexlify(raw)
    except (binascii.Error, ValueError):
        return b"\0"


def by_library(raw: bytes) -> bytes | ValueError | None:
    """Give what json_format makes of a message: wire bytes, None if it is JSON but refused, ValueError if no JSON."""
    try:
        value = json.loads(raw.decode(), object_pairs_hook=no_twins, parse_constant=no_constants)
    except KeyError:
        return None
    except ValueError as problem:
        return problem
    if not isinstance(value, dict):
        return None
    kind = LogsData if "resourceLogs" in value else TracesData
    try:
        message = json_format.ParseDict(with_base64_ids(value), kind(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError):
        return None
    return bytes(message.SerializeToString(deterministic=True))


def check(raw: bytes) -> None:
    """Hold one message against the library: not JSON is an error; what both accept is equal."""
    got, expected = run(raw), by_library(raw)
    if isinstance(expected, ValueError):
        assert isinstance(got, int), (raw, got)
    elif expected is not None:
        if isinstance(got, int):
            assert got not in SYNTAX, (raw, got)
            return
        kind = LogsData if b"resourceLogs" in raw else TracesData
        assert kind.FromString(got).SerializeToString(deterministic=True) == expected, raw


@settings(max_examples=1500, deadline=None)
@given(which=st.integers(0, len(SEEDS) - 1), changes=st.lists(st.integers(0, 2**40), min_size=1, max_size=4))
def test_mutated_messages(which: int, changes: list[int]) -> None:
    """Bytes replaced, put in, taken out or doubled: the library's reading or an error."""
    raw = bytearray(SEEDS[which])
    for change in changes:
        rng = random.Random(change)  # noqa: S311 - reproducible draws, no secrets
        at = rng.randrange(len(raw) + 1)
        size = rng.choice([1, 1, 1, 2, 9, 40])
        match rng.randrange(4):
            case 0:
                raw[at : at + 1] = bytes([rng.choice(SCRAPS)])
            case 1:
                raw[at:at] = bytes([rng.choice(SCRAPS)])
            case 2:
                del raw[at : at + size]
            case _:
                raw[at:at] = raw[at : at + size]
    check(bytes(raw))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_prefix_is_an_error(seed: bytes) -> None:
    """A message cut anywhere is refused, whatever lies behind the cut, even its own rest."""
    whole = seed.rstrip()
    for cut in range(len(whole)):
        assert isinstance(run(whole[:cut], behind=whole[cut:] + b"}" * SLACK), int)
    assert isinstance(run(whole), bytes)


@settings(max_examples=400, deadline=None)
@given(which=st.integers(0, len(SEEDS) - 1), cut=st.integers(0, 700), tail=st.binary(max_size=3))
def test_bytes_behind_a_message_do_not_matter(which: int, cut: int, tail: bytes) -> None:
    """With any bytes before and behind, the result is the same: nothing outside the message is taken for it."""
    raw = SEEDS[which][:cut] + tail
    behind = [bytes(SLACK), b'"' * SLACK, b"}]}]}]}}", b"0" * SLACK, b"\\u00410}", b"\x80" * SLACK, b" " * 7 + b"}"]
    assert len({run(raw, b, a) for b in behind for a in (b"", b'{"', b"\xc3")}) == 1


EXPENSIVE = [
    b'{"resourceSpans":[' + b",".join([b"{}"] * 999) + b"]}",
    b'{"resourceSpans":[{"scopeSpans":[{"spans":['
    + b",".join([b'{"kind":-1,"status":{"code":-1},"flags":0}'] * 200)
    + b"]}]}]}",
    b'{"resourceSpans":[{"schemaUrl":"' + b"\\u0800" * 999 + b'"}]}',
    b'{"resourceSpans":[{"schemaUrl":"'
    + b"x" * 128
    + b'"},'
    + b",".join([b'{"schemaUrl":"%b"}' % (b"y" * 128)] * 99)
    + b"]}",
    b'{"resourceLogs":[{"resource":{"attributes":['
    + b",".join([b'{"value":{"intValue":-1}}', b'{"value":{"doubleValue":0}}', b'{"key":"","value":{}}'] * 99)
    + b"]}}]}",
    b'{"resourceSpans":[],"x":"' + b"z" * 9999 + b'"}',
    b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"'
    + b"0" * 0
    + b"1"
    + b"."
    + b"0" * 9999
    + b'"}]}]}]}',
]


@pytest.mark.parametrize("raw", [*EXPENSIVE, *SEEDS], ids=range(len(EXPENSIVE) + len(SEEDS)))
def test_nothing_is_written_beyond_the_output(raw: bytes) -> None:
    """The bytes behind the promised capacity stay untouched, for the messages that grow most and for broken ones."""
    for message in (raw, raw[:-2], raw[: len(raw) // 2] + b"}", raw + b"}"):
        size = capacity(len(message)) + SLACK
        guarded = np.full(size + 4096, 0xA5, np.uint8)
        one = np.zeros(1, np.int64)
        transcode_messages(
            np.frombuffer(message + bytes(SLACK), np.uint8),
            np.zeros(1, np.int64),
            np.array([len(message)]),
            guarded[:size],
            one,
            end := np.zeros(1, np.int64),
            np.zeros(1, np.int32),
            _KEYS,
            _ENUMS,
            np.empty((MAX_DEPTH + 1, 5), np.int64),
            np.empty(MAX_DEPTH + 1, np.uint8),
        )
        assert (guarded[size:] == 0xA5).all()
        assert end[0] <= len(message) * 5 // 4


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=60).map(lambda b: b'{"resourceSpans":[' + b + b"]}"))
def test_random_bytes(raw: bytes) -> None:
    """Noise is refused or read as the library reads it."""
    check(raw)


def test_many_messages_equal_one_by_one() -> None:
    """A batch of good and broken messages gives each what it would get alone."""
    rng = random.Random(7)  # noqa: S311 - reproducible draws, no secrets
    batch = [SEEDS[i % 2][: rng.choice([None, None, 100, 300])] for i in range(200)]
    stops = np.cumsum(np.array([len(m) for m in batch], np.int64))
    buffer = np.frombuffer(b"".join(batch) + b"}" * SLACK, np.uint8)
    out, begin, end, codes = transcode(buffer, stops - [len(m) for m in batch], stops)
    assert [int(c) or out[b:e].tobytes() for b, e, c in zip(begin, end, codes, strict=True)] == [run(m) for m in batch]
