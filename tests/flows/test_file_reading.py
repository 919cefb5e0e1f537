"""Recordings are read whole, however they are packed; one that was cut is told as that."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING

import orjson
import pytest
import zstandard

from flows.files import FileError, read_messages

if TYPE_CHECKING:
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
