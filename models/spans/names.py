"""Names: the texts of a batch, decoded when they are asked for.

A batch carries a name a user and a conversation; whoever keeps names asks only for those that are new to it, so most
texts are never made. Decoding all of them cost as much as a third of the whole decoder (benchmarks/decode.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray


class Names(Mapping[int, str]):
    """Maps digests to texts; text i is `raw[ends[i - 1] : ends[i]]`. What is no UTF-8 gets U+FFFD."""

    def __init__(self, digests: NDArray[np.int64], raw: bytes, ends: NDArray[np.int64]) -> None:
        self._place = dict(zip(digests.tolist(), range(len(digests)), strict=True))
        self._raw = raw
        self._text = raw.decode("latin-1")  # a character a byte: what is ASCII is cut from it
        self._ends = [*ends.tolist(), 0]  # so that [-1] is where the first text begins
        self._more: dict[int, str] = {}

    def add(self, digest: int, text: str) -> None:
        """Add a name that was made from others."""
        self._more[digest] = text

    @property
    def replaced(self) -> int:
        """Count the names that are no UTF-8."""
        if self._text.isascii():
            return 0
        return sum(not _is_utf8(self._bytes(place)) for place in self._place.values())

    @override
    def __getitem__(self, digest: int) -> str:
        place = self._place.get(digest)
        if place is None:
            return self._more[digest]
        text = self._text[self._ends[place - 1] : self._ends[place]]
        return text if text.isascii() else self._bytes(place).decode(errors="replace")

    def texts(self, digests: list[int]) -> dict[int, str]:
        """Give the texts of many names at once; those that are not there are left out."""
        text, ends, place = self._text, self._ends, self._place
        found = {digest: text[ends[p - 1] : ends[p]] for digest in digests if (p := place.get(digest)) is not None}
        if len(found) < len(digests) or not all(map(str.isascii, found.values())):
            return {digest: self[digest] for digest in digests if digest in place or digest in self._more}
        return found

    @override
    def __iter__(self) -> Iterator[int]:
        yield from self._place
        yield from (digest for digest in self._more if digest not in self._place)

    @override
    def __len__(self) -> int:
        return len(self._place.keys() | self._more.keys())

    def _bytes(self, place: int) -> bytes:
        return self._raw[self._ends[place - 1] : self._ends[place]]


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
