"""What hides in compressed bodies: as much work as bytes, never more."""

from __future__ import annotations

import gzip
from time import process_time

import pytest
import zstandard

from flows.receiving.bodies import TooLargeError, UnreadableError, decompress

LIMIT = 16 << 20
PACKED = {"gzip": gzip.compress(b"", mtime=0), "zstd": zstandard.compress(b"")}
"""The shortest that there is of each encoding: nothing, packed."""


@pytest.mark.parametrize("encoding", PACKED)
def test_a_body_of_very_many_empty_members_holds_up_nobody(encoding: str) -> None:
    """The work grows with the bytes: 3 MB take no 5 s. Where it grows with their square, it is minutes."""
    member = PACKED[encoding]
    began = process_time()
    assert decompress(member * (3_000_000 // len(member)), encoding, LIMIT) == b""
    assert process_time() - began < 5


@pytest.mark.parametrize("encoding", PACKED)
def test_members_of_all_lengths_are_put_together(encoding: str) -> None:
    """Also those that end just where a bite does, or lie over several; cut short anywhere, they are refused."""
    pack = gzip.compress if encoding == "gzip" else zstandard.compress
    plain = [bytes(range(256)) * n for n in (0, 1, 50, 3000)] + [zstandard.compress(b"x" * n) for n in range(40)]
    body = b"".join(pack(part) for part in plain)
    whole = b"".join(plain)
    assert decompress(body, encoding, len(whole)) == whole
    with pytest.raises(TooLargeError):
        decompress(body, encoding, len(whole) - 1)
    for cut in (1, 2, 5, 9):
        with pytest.raises(UnreadableError):
            decompress(body[:-cut], encoding, LIMIT)
