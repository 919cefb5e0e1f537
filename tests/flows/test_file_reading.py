"""Recordings are read whole, however they are packed; one that was cut is told as that."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING

import orjson
import pytest
import zstandard
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from flows import files
from flows.files import CutError, FileError, merged, read_messages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RANDOM = random.Random(1)  # noqa: S311 -- to be repeated
LINES = [_RANDOM.randbytes(_RANDOM.randrange(1, 4000)).hex().encode() for _ in range(1000)]
PLAIN = b"\n".join(LINES)


def zst(data: bytes) -> bytes:
    """Pack as zstd, in one frame."""
    return zstandard.ZstdCompressor(level=1).compress(data)


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.jsonl", PLAIN),
        ("saved_by_an_editor.jsonl", b"\xef\xbb\xbf" + PLAIN.replace(b"\n", b"\r\n")),
        ("a.gz", gzip.compress(PLAIN, 1)),
        ("a.zst", zst(PLAIN)),
        ("frames.zst", b"".join(zst(line + b"\n") for line in LINES)),
        ("empty_frame.zst", zst(PLAIN) + zst(b"")),
    ],
)
def test_every_packing_holds_the_same(name: str, packed: bytes, tmp_path: Path) -> None:
    """Plain, gzip, zstd, and zstd in many frames give the same lines."""
    (tmp_path / name).write_bytes(packed)
    assert list(read_messages(tmp_path / name)) == LINES


def test_one_object_over_several_lines(tmp_path: Path) -> None:
    """One object over many lines is one message; after a broken line the others are there."""
    (tmp_path / "pretty.json").write_bytes(b'{\n  "resourceSpans": []\n}\n')
    assert [orjson.loads(message) for message in read_messages(tmp_path / "pretty.json")] == [{"resourceSpans": []}]
    (tmp_path / "broken.jsonl").write_bytes(b'{"resourceSpans": \n{"resourceSpans": []}\n\n{}\n')
    broken = list(read_messages(tmp_path / "broken.jsonl"))
    assert broken == [b'{"resourceSpans":', b'{"resourceSpans": []}', b"{}"]


@pytest.mark.parametrize("missing", [1, 3, 4, 1000, 1_000_000])
@pytest.mark.parametrize("packed", [gzip.compress(PLAIN, 1), zst(PLAIN), zst(b"{}\n") + zst(PLAIN)])
def test_a_cut_file_is_told(packed: bytes, missing: int, tmp_path: Path) -> None:
    """However little is missing at the end, reading it all ends in an error with the same words."""
    (tmp_path / "a").write_bytes(packed[:-missing])
    with pytest.raises(FileError) as cut:
        list(read_messages(tmp_path / "a"))
    assert str(cut.value) == f"{tmp_path}/a: ends in the middle of its compressed data"


def test_a_cut_file_loses_nothing_of_the_others(tmp_path: Path) -> None:
    """What lies before the cut is given, and all of the other files; the error is kept for the end."""
    lines = [orjson.dumps({"timeUnixNano": str(time), "n": random.Random(time).random()}) for time in range(20_000)]  # noqa: S311
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"\n".join(lines[::2]))[:-4000])
    (tmp_path / "b").write_bytes(b"\n".join(lines[1::2]))
    cut: list[CutError] = []
    found = [line.value for line in merged([tmp_path / "a.gz", tmp_path / "b"], cut)]
    assert [str(error) for error in cut] == [f"{tmp_path}/a.gz: ends in the middle of its compressed data"]
    others = set(lines[1::2])
    assert [line for line in found if line in others] == lines[1::2]
    own = [line for line in found if line not in others]
    assert own == lines[::2][: len(own)]
    assert 5000 < len(own) < 10_000
    with pytest.raises(CutError):
        list(merged([tmp_path / "a.gz", tmp_path / "b"]))


def spans(*ends: int) -> TracesData:
    """Make a request of spans that end then."""
    data = TracesData()
    data.resource_spans.add().resource.attributes.add(key="k").value.string_value = "v"
    scope = data.resource_spans.add().scope_spans.add()
    for end in ends:
        span = scope.spans.add(trace_id=b"x" * 16, name="n", start_time_unix_nano=1, end_time_unix_nano=end)
        span.events.add(time_unix_nano=7)
    return data


def event(time: int, observed: int = 0) -> LogsData:
    """Make a request of one log record."""
    data = LogsData()
    scope = data.resource_logs.add().scope_logs.add()
    scope.log_records.add(time_unix_nano=time, observed_time_unix_nano=observed, flags=9)
    return data


def write_frames(path: Path, *messages: TracesData | LogsData | bytes) -> Path:
    """Write a recording of length-prefixed protobuf."""
    raw = [each if isinstance(each, bytes) else each.SerializeToString() for each in messages]
    path.write_bytes(b"".join(len(each).to_bytes(4, "big") + each for each in raw))
    return path


def write_lines(path: Path, *ends: int) -> Path:
    """Write a recording of OTLP/JSON lines, a span each."""
    spans_of = [{"resourceSpans": [{"scopeSpans": [{"spans": [{"endTimeUnixNano": str(end)}]}]}]} for end in ends]
    path.write_bytes(b"\n".join(map(orjson.dumps, spans_of)))
    return path


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """Compressed data that a disk or a transfer has changed is told with the file's name."""
    packed = gzip.compress(PLAIN, 1)
    middle = len(packed) // 2
    for place in range(middle, middle + 400, 8):
        (tmp_path / "a").write_bytes(packed[:place] + bytes([packed[place] ^ 0xFF]) * 40 + packed[place + 40 :])
        with pytest.raises(FileError, match="/a: "):
            list(read_messages(tmp_path / "a"))


def test_recordings_of_any_kind_are_merged_by_time(tmp_path: Path) -> None:
    """Spans and log records, in protobuf and in JSON, packed or not: all come in the order of their times."""
    first = write_frames(tmp_path / "a.pb", spans(1_000, 9_000), event(4_000), spans(7_000))
    second = write_frames(tmp_path / "b.pb", event(2_000), event(0, observed=5_000), spans(8_000))
    second.write_bytes(zst(second.read_bytes()))
    third = write_lines(tmp_path / "c.jsonl", 3_000, 6_000, 9_000)
    found = [(line.time, line.file, line.place) for line in merged([first, second, third])]
    assert found == [(n * 1_000, (n - 1) % 3, (n - 1) // 3 + 1) for n in range(1, 10)]


def test_a_recording_keeps_its_own_order(tmp_path: Path) -> None:
    """A message earlier than the one before it, or without any time, comes right behind that one."""
    odd = write_frames(tmp_path / "a.pb", spans(5_000), spans(1_000), b"\xff\xff", TracesData(), spans(0), spans(6_000))
    even = write_lines(tmp_path / "b.jsonl", 5_500)
    found = [(line.file, line.place) for line in merged([odd, even])]
    assert found == [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 1), (0, 6)]


def test_merging_reads_no_further_than_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each recording one message is held: what was not asked for yet is not read yet."""
    read = [0]

    def counted(path: Path) -> Iterator[bytes]:
        for message in read_messages(path):
            read[0] += 1
            yield message

    monkeypatch.setattr(files, "read_messages", counted)
    paths = [write_frames(tmp_path / f"{n}.pb", *(spans(n + 10 * i) for i in range(100))) for n in range(3)]
    lines = merged(paths)
    for taken in range(1, 200):
        next(lines)
        assert read[0] <= taken + len(paths)
