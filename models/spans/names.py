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
        self._text = raw.decode() if raw.isascii() else None  # then texts are cut from it: bytes are characters
        self._ends = [*ends.tolist(), 0]  # so that [-1] is where the first text begins
        self._more: dict[int, str] = {}

    def add(self, digest: int, text: str) -> None:
        """Add a name that was made from others."""
        self._more[digest] = text

    @property
    def replaced(self) -> int:
        """Count the names that are no UTF-8."""
        if self._text is not None:
            return 0
        return sum(not _is_utf8(self._bytes(place)) for place in self._place.values())

    @override
    def __getitem__(self, digest: int) -> str:
        place = self._place.get(digest)
        if place is None:
            return self._more[digest]
        if self._text is None:
            return self._bytes(place).decode(errors="replace")
        return self._text[self._ends[place - 1] : self._ends[place]]

    def texts(self, digests: list[int]) -> dict[int, str]:
        """Give the texts of many names at once; those that are not there are left out."""
        if self._text is None or self._more:
            return {digest: self[digest] for digest in digests if digest in self._place or digest in self._more}
        text, ends, place = self._text, self._ends, self._place
        return {d: text[ends[p - 1] : ends[p]] for d in digests if (p := place.get(d)) is not None}

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
