"""What the receiver says of spans before they lie in the log is what the decoder finds when it reads them."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from flows.protobuf import NotProtobufError, records
from flows.receiving.bodies import BodyType, UnreadableError
from flows.receiving.looking import check_records, unusable_spans
from models.spans.decoder import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = bytes(range(16))
NO_ID = "span without trace id"
IDS = {
    "16 bytes": (GOOD, True),
    "only the last byte": (bytes(15) + b"\1", True),
    "none": (b"", False),
    "zeros": (bytes(16), False),
    "15 bytes": (GOOD[1:], False),
    "17 bytes": (GOOD + b"\1", False),
    "hex": (b"0123456789abcDEF0123456789abcDEF", True),
    "hex zeros": (b"0" * 32, False),
    "no hex": (b"0123456789abcDEF0123456789abcDEG", False),
    "base64": (b"AAECAwQFBgcICQoLDA0ODw==", True),
    "base64 zeros": (b"A" * 22 + b"==", False),
    "no base64": (b"A" * 21 + b"$==", False),
    "24 bytes": (b"AAECAwQFBgcICQoLDA0ODw--", False),
}
TEXTS = {
    "hex": ("0123456789abcDEF0123456789abcDEF", True),
    "hex zeros": ("0" * 32, False),
    "short hex": ("0123456789abcDEF", False),
    "no hex": ("0123456789abcDEF0123456789abcDEG", False),
    "base64": ("AAECAwQFBgcICQoLDA0ODw==", True),
    "base64 without padding": ("AAECAwQFBgcICQoLDA0ODw", True),
    "base64 of the other alphabet": ("__-_AwQFBgcICQoLDA0ODw==", True),
    "base64 zeros": ("A" * 22, False),
    "none": ("", False),
    "no ascii": ("\N{LATIN SMALL LETTER E WITH ACUTE}" * 16, False),
}


@cache
def decoder() -> Decoder:
    """Give one decoder for all tests: making it takes longer than using it."""
    return Decoder()


def decoded(message: bytes) -> int | None:
    """Let the decoder count the spans without trace id; None where it refuses the message."""
    letters = decoder().decode([message], 1_700_000_000 * 10**9).dead
    return len(letters) if all(letter.reason == NO_ID for letter in letters) else None


def traces(*ids: bytes) -> bytes:
    """Make a request of spans with these trace ids, in two scopes, and a good span beside each."""
    data = TracesData()
    for _ in range(2):
        scope = data.resource_spans.add().scope_spans.add()
        for trace_id in ids:
            scope.spans.add(trace_id=trace_id, span_id=b"12345678", name="x" * 200)
            scope.spans.add(trace_id=GOOD, span_id=b"12345679")
    return data.SerializeToString()


@pytest.mark.parametrize("name", IDS)
def test_ids_in_protobuf(name: str) -> None:
    """Ids that can be read are none to reject: 16 bytes, or text of them; all others are, as the decoder says."""
    trace_id, usable = IDS[name]
    message = traces(trace_id)
    assert unusable_spans(message, BodyType.PROTOBUF) == decoded(message) == (0 if usable else 2)


@pytest.mark.parametrize("name", TEXTS)
def test_ids_in_json(name: str) -> None:
    """In JSON ids are hex or base64 in either alphabet."""
    trace_id, usable = TEXTS[name]
    listed = [{"traceId": trace_id, "spanId": "1" * 16}, {"spanId": "2" * 16}]
    message = orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": listed}, {}]}, {"scopeSpans": None}]})
    assert unusable_spans(message, BodyType.JSON) == decoded(message) == (1 if usable else 2)


def test_the_id_may_stand_anywhere() -> None:
    """A span whose trace id is not its first field, or is there twice, is judged by the last."""
    for trace_id, rejected in ((GOOD, 0), (bytes(16), 1)):
        span = b"\x0a\x10" + bytes(16) + b"\x2a\x01n\x0a\x10" + trace_id
        scope = b"\x12" + bytes([len(span)]) + span
        resource = b"\x12" + bytes([len(scope)]) + scope
        message = b"\x0a" + bytes([len(resource)]) + resource
        assert unusable_spans(message, BodyType.PROTOBUF) == decoded(message) == rejected


def test_log_records_need_no_trace() -> None:
    """Log records that were posted where spans belong are taken for what they are, and none is rejected."""
    data = LogsData()
    record = data.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=5)
    message = data.SerializeToString()
    assert unusable_spans(message, BodyType.PROTOBUF) == decoded(message) == 0
    record.time_unix_nano, record.observed_time_unix_nano = 0, 5
    assert unusable_spans(data.SerializeToString(), BodyType.PROTOBUF) == 0
    check_records(data.SerializeToString(), BodyType.PROTOBUF)


def looked(message: bytes, kind: BodyType) -> int | None:
    """Look; None where the message is refused."""
    try:
        return unusable_spans(message, kind)
    except (UnreadableError, NotProtobufError):
        return None


def agree(message: bytes, kind: BodyType) -> None:
    """What is refused here the decoder refuses too; where both take it they count the same."""
    mine, its = looked(message, kind), decoded(message)
    assert its is None or mine == its, (message, mine, its)


def damaged(message: bytes, chance: random.Random) -> bytes:
    """Change, drop or double some bytes."""
    out = bytearray(message)
    for _ in range(chance.choice([1, 1, 2, 5])):
        place = chance.randrange(len(out) + 1)
        match chance.randrange(3):
            case 0:
                out[place:place] = bytes([chance.choice([0, 1, 8, 10, 18, 127, 128, 255])])
            case 1:
                del out[place : place + chance.choice([1, 1, 7])]
            case _:
                out[place : place + 1] = bytes([chance.randrange(256)])
    return bytes(out)


@pytest.mark.parametrize("seed", range(6))
def test_random_messages_are_judged_as_by_the_decoder(decode_messages: Any, seed: int) -> None:
    """Valid requests, some of their spans without ids: the counts are those of the decoder."""
    chance = random.Random(seed)  # noqa: S311 -- to be repeated
    writer = decode_messages.Writer(chance, [("gen_ai.operation.name", ["chat"])])
    some = 0
    for _ in range(50):
        message = writer.traces()
        count = unusable_spans(message, BodyType.PROTOBUF)
        assert count == decoded(message)
        some += count
    assert some > 0


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_refused_that_the_decoder_takes(decode_messages: Any, seed: int) -> None:
    """Damaged requests: one that the decoder reads is never refused, but for groups, which OTLP has none of."""
    chance = random.Random(seed)  # noqa: S311 -- to be repeated
    writer = decode_messages.Writer(chance, [("gen_ai.operation.name", ["chat"])])
    for _ in range(100):
        message = damaged(writer.traces(), chance)
        try:
            unusable_spans(message, BodyType.PROTOBUF)
        except NotProtobufError as refused:
            assert decoded(message) is None or "wire type 3" in str(refused)  # noqa: PT017 - only of those that are


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["", "0" * 32, "1" * 32]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["resourceSpans", "scopeSpans", "spans", "traceId"]), inner, max_size=3)
    ),
    max_leaves=12,
)
lists: Callable[..., Any] = lambda name, inner: st.lists(st.fixed_dictionaries({}, optional={name: inner}), max_size=3)  # noqa: E731
span_lists = st.none() | json_values | lists("traceId", st.sampled_from(["", "0" * 32, "1" * 32, "x", None, 5]))


@settings(max_examples=200, deadline=None)
@given(lists("scopeSpans", lists("spans", span_lists)) | json_values)
def test_json_of_any_shape_is_judged_as_by_the_decoder(resources: Any) -> None:
    """Whatever stands where lists and objects belong: nothing is refused that the decoder takes."""
    agree(orjson.dumps({"resourceSpans": resources}), BodyType.JSON)


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_records_never_leave_the_message(body: bytes) -> None:
    """Whatever the bytes: they are refused, or every record lies in them, behind the one before."""
    try:
        found = list(records(body))
    except NotProtobufError:
        return
    edges = [0, *(place for pair in found for place in pair), len(body)]
    assert edges == sorted(edges)
