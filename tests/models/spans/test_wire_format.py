"""The readers of the protobuf wire format against the protobuf library, at the edges of the format."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from models.spans.decoder import Decoder

RECEIVED = 1_764_684_300_000_000_000
DECODER = Decoder()
SPAN = b"\x0a\x10" + bytes(15) + b"\x01"


def field(number: int, content: bytes) -> bytes:
    """Write a field of bytes, with a length of as many bytes as it takes."""
    length, size = b"", len(content)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def message(span: bytes) -> bytes:
    """Wrap the fields of a span."""
    return field(1, field(2, field(2, span)))


def reason(raw: bytes) -> str:
    """Decode one message: why it is a dead letter, or nothing if it gave its one span."""
    decoded = DECODER.decode([raw], RECEIVED)
    assert len(decoded.dead) + len(decoded.spans) == 1
    return decoded.dead[0].reason if decoded.dead else ""


def refused(raw: bytes) -> bool:
    """Tell whether the library refuses the message."""
    try:
        TracesData().MergeFromString(raw)
    except DecodeError:
        return True
    return False


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (b"", ""),
        (b"\xfa\x07\x01a", ""),  # field 127, unknown
        (b"\x48\x05", ""),  # attributes, with the wire type of a number: unknown
        (b"\xf8\x07" + b"\xff" * 9 + b"\x01", ""),  # a varint of 10 bytes
        (b"\xf8\x07" + b"\xff" * 9 + b"\x7f", ""),  # and of more than 64 bits
        (b"\xf8\x07" + b"\xff" * 10 + b"\x01", "protobuf: a varint of more than 10 bytes"),
        (b"\xb8\x80\x80\x80\x00\x05", ""),  # a tag of 5 bytes
        (b"\xb8\x80\x80\x80\x80\x00\x05", "protobuf: not a field tag (field number 0, or more than 32 bits)"),
        (b"\xb8\x80\x80\x80\x10\x05", "protobuf: not a field tag (field number 0, or more than 32 bits)"),
        (b"\x00\x01", "protobuf: not a field tag (field number 0, or more than 32 bits)"),
        (b"\x2a\x81\x80\x80\x80\x00a", ""),  # a length of 5 bytes
        (b"\x2a\x81\x80\x80\x80\x80\x00a", "protobuf: a length of more than 31 bits"),
        (b"\x2a\xff\xff\xff\xff\x0fa", "protobuf: a length of more than 31 bits"),
        (b"\x2a\x02a", "protobuf: a field goes on beyond the end of its message"),
        (b"\x39\x00\x00", "protobuf: a field goes on beyond the end of its message"),
        (b"\xf8\x07", "protobuf: a field goes on beyond the end of its message"),
        (b"\xfe\x07", "protobuf: wire type 6 or 7"),
        (b"\xff\x07", "protobuf: wire type 6 or 7"),
        (b"\xfb\x07\xf8\x07\x01\xfc\x07", ""),  # a group, unknown
        (b"\xfb\x07\xf3\x07\xf4\x07\xfc\x07", ""),  # in a group
        (b"\xfb\x07\xf4\x07", "protobuf: a group without its start or end"),
        (b"\xfb\x07", "protobuf: a group without its start or end"),
        (b"\xfc\x07", "protobuf: a group without its start or end"),
        (b"\xfb\x07" * 97 + b"\xfc\x07" * 97, ""),  # the span itself is 3 deep
        (b"\xfb\x07" * 98 + b"\xfc\x07" * 98, "protobuf: nested deeper than 100"),
    ],
)
def test_edges_of_the_format(tail: bytes, expected: str) -> None:
    """What stands at the end of a span is skipped or refused as the library does, with its reason."""
    raw = message(SPAN + tail)
    assert reason(raw) == expected
    assert refused(raw) == bool(expected)


@pytest.mark.parametrize("key", ["other", "gen_ai.tool.call.arguments"])
@pytest.mark.parametrize("levels", [1, 46, 47, 48, 200])
def test_values_nest_as_deep_as_the_library_allows(levels: int, key: str) -> None:
    """Lists in lists, two messages a level below the value at depth 5, are read down to depth 100."""
    value = AnyValue(string_value="x").SerializeToString()
    for _ in range(levels):
        value = field(5, field(1, value))
    raw = message(SPAN + field(9, field(1, key.encode()) + field(2, value)))
    assert (reason(raw) != "") == refused(raw) == (5 + 2 * levels > 100)


def test_every_cut_is_a_dead_letter_or_what_is_left() -> None:
    """A message cut anywhere is refused exactly where the library refuses it, and the next message is untouched."""
    whole = message(SPAN + field(9, field(1, b"user.id") + field(2, field(1, b"u"))) + b"\x39" + bytes(8)) * 2
    for end in range(len(whole)):
        decoded = DECODER.decode([whole[:end], whole], RECEIVED)
        assert [d.message for d in decoded.dead if d.reason != "span without trace id"] == [0] * refused(whole[:end])
        assert sum(decoded.spans[8] == 1) == 2


def test_a_line_feed_and_a_brace_may_begin_protobuf() -> None:
    """A message whose first part has 123 bytes begins like JSON, and is not JSON."""
    padding = 123 - len(field(2, field(2, SPAN))) - 2
    raw = field(1, field(2, field(2, SPAN)) + field(3, b"s" * padding))
    assert raw[:2] == b"\n{"
    assert reason(raw) == ""


def test_a_batch_of_nothing_is_empty() -> None:
    """No messages, and messages of no bytes, give no rows and no dead letters."""
    for messages in ([], [b""], [b"", b""]):
        decoded = DECODER.decode(messages, RECEIVED)
        assert (len(decoded.spans), decoded.dead, decoded.mended) == (0, [], {})
