"""Lines of JSON, written from columns of integers by one kernel: as Python objects they cost several times as much.

A `Template` is what stands between the values and what kind each value is of. The columns of all lines are int64
[words, lines]; a kind takes as many words as `_WORDS` says, in the order of the places.
"""

from __future__ import annotations

from enum import IntEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from models.kernels import kernel, small

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

UNKNOWN = -(2**63)
"""Of billionths: no number."""

_NOUGHT, _MINUS, _POINT, _DASH, _COLON, _LETTER_A = b"0-.-:a"
_T, _Z = b"TZ"
_N, _U, _L = b"nul"
_BILLION, _DAY_S = 10**9, 86_400


class Kind(IntEnum):
    """What a value is, and how its words are written."""

    TEXT = 0  # [start, stop) in the texts, copied as it is; an empty one writes nothing
    WHOLE = 1  # a whole number
    BILLIONTHS = 2  # a number of billionths, as a decimal fraction: 1_500_000_000 is 1.5; UNKNOWN is null
    TIME = 3  # Unix ns, as RFC 3339 UTC with microseconds, which are cut, not rounded
    HEX = 4  # two words of 64 bits, as 32 hex digits


_WORDS = {Kind.TEXT: 2, Kind.WHOLE: 1, Kind.BILLIONTHS: 1, Kind.TIME: 1, Kind.HEX: 2}
_MOST = {Kind.TEXT: 0, Kind.WHOLE: 20, Kind.BILLIONTHS: 22, Kind.TIME: 29, Kind.HEX: 32}
"""Bytes of a value at most, without those of texts."""
_TEXT, _WHOLE, _FRACTION, _TIME, _HEX = (int(kind) for kind in Kind)


class Template:
    """Pieces of text with a value of some kind between each two: one piece more than values."""

    def __init__(self, pieces: Sequence[bytes], kinds: Sequence[Kind]) -> None:
        if len(pieces) != len(kinds) + 1:
            msg = f"{len(pieces)} pieces for {len(kinds)} values, expected {len(kinds) + 1}"
            raise ValueError(msg)
        self.kinds = np.array(kinds, np.int64)
        self.pieces = np.frombuffer(b"".join(pieces), np.uint8)
        self.bounds = np.cumsum([0, *map(len, pieces)])
        self.words = sum(_WORDS[kind] for kind in kinds)
        self.most = len(self.pieces) + sum(_MOST[kind] for kind in kinds)
        places = np.cumsum([0, *(_WORDS[kind] for kind in kinds)])
        self.texts = [int(place) for place, kind in zip(places, kinds, strict=False) if kind == Kind.TEXT]
        """First of the two words of each text."""


def write_lines(
    template: Template, columns: NDArray[np.int64], texts: NDArray[np.uint8]
) -> tuple[bytes, NDArray[np.int64]]:
    """Give the lines, one behind the other, and where each begins and the last ends [lines + 1]."""
    words, lines = columns.shape
    if words != template.words:
        msg = f"{words} words a line, the template takes {template.words}"
        raise ValueError(msg)
    size = lines * template.most + sum(int((columns[at + 1] - columns[at]).sum()) for at in template.texts)
    out, bounds = np.empty(size, np.uint8), np.zeros(lines + 1, np.int64)
    _write(template.pieces, template.bounds, template.kinds, columns, texts, out, bounds)
    return out[: bounds[-1]].tobytes(), bounds


def cut(text: bytes, bounds: NDArray[np.int64]) -> list[bytes]:
    """Give each line by itself."""
    return [text[start:stop] for start, stop in pairwise(bounds.tolist())]


@kernel
def _write(pieces: Any, bounds: Any, kinds: Any, columns: Any, texts: Any, out: Any, ends: Any) -> None:
    """Write all lines."""
    at = np.int64(0)
    for line in range(columns.shape[1]):
        word = 0
        for place in range(len(kinds)):
            at = _copy(pieces, bounds[place], bounds[place + 1], out, at)
            kind, value = kinds[place], columns[word, line]
            word += 1
            if kind == _TEXT:
                at = _copy(texts, value, columns[word, line], out, at)
                word += 1
            elif kind == _WHOLE:
                at = put_whole(out, at, value)
            elif kind == _FRACTION:
                at = _put_fraction(out, at, value)
            elif kind == _TIME:
                at = _put_time(out, at, value)
            else:
                at = _put_hex(out, _put_hex(out, at, value), columns[word, line])
                word += 1
        at = _copy(pieces, bounds[len(kinds)], bounds[len(kinds) + 1], out, at)
        ends[line + 1] = at


@kernel
def _copy(source: Any, start: Any, stop: Any, out: Any, at: Any) -> Any:
    """Copy a stretch; give the next place."""
    for i in range(stop - start):
        out[at + i] = source[start + i]
    return at + stop - start


@kernel
def put_whole(out: Any, at: Any, number: Any) -> Any:
    """Write a whole number; give the next place."""
    if number < 0:
        out[at] = _MINUS
        at += 1
    left = np.uint64(abs(number))
    digits, rest = 1, left // np.uint64(10)
    while rest:
        digits, rest = digits + 1, rest // np.uint64(10)
    _put_digits(out, at, left, digits)
    return at + digits


@kernel
def _put_fraction(out: Any, at: Any, billionths: Any) -> Any:
    """Write a decimal fraction without noughts at its end, but for one behind the point; give the next place."""
    if billionths == UNKNOWN:
        out[at], out[at + 1], out[at + 2], out[at + 3] = _N, _U, _L, _L
        return at + 4
    if billionths < 0:
        out[at] = _MINUS
        at += 1
    left = np.uint64(abs(billionths))
    at = put_whole(out, at, np.int64(left // np.uint64(_BILLION)))
    out[at] = _POINT
    _put_digits(out, at + 1, left % np.uint64(_BILLION), 9)
    at += 10
    while out[at - 1] == _NOUGHT and out[at - 2] != _POINT:
        at -= 1
    return at


@kernel
def _put_time(out: Any, at: Any, ns: Any) -> Any:
    """Write a time; give the next place.

    The date is that of H. Hinnant's days-to-civil algorithm: years of the calendar begin in March, eras of 400 years.
    """
    seconds = ns // _BILLION
    days = seconds // _DAY_S
    in_day = seconds - days * _DAY_S
    shifted = days + 719_468
    era = shifted // 146_097
    day = shifted - era * 146_097
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += era * 400 + (1 if month >= 10 else 0)  # noqa: PLR2004 - January and February
    month += 3 if month < 10 else -9  # noqa: PLR2004
    _put_digits(out, at, np.uint64(year), 4)
    _put_digits(out, at + 5, np.uint64(month), 2)
    _put_digits(out, at + 8, np.uint64(day + 1), 2)
    _put_digits(out, at + 11, np.uint64(in_day // 3600), 2)
    _put_digits(out, at + 14, np.uint64(in_day // 60 % 60), 2)
    _put_digits(out, at + 17, np.uint64(in_day % 60), 2)
    _put_digits(out, at + 20, np.uint64((ns - seconds * _BILLION) // 1000), 6)
    out[at + 4] = out[at + 7] = _DASH
    out[at + 10], out[at + 13], out[at + 16], out[at + 19], out[at + 26] = _T, _COLON, _COLON, _POINT, _Z
    return at + 27


@kernel
def _put_hex(out: Any, at: Any, word: Any) -> Any:
    """Write 16 hex digits; give the next place."""
    left = np.uint64(word)
    for place in range(at + 15, at - 1, -1):
        digit = left & np.uint64(15)
        out[place] = _NOUGHT + digit if digit < np.uint64(10) else _LETTER_A + digit - np.uint64(10)
        left >>= np.uint64(4)
    return at + 16


@small
def _put_digits(out: Any, at: Any, number: Any, digits: Any) -> None:
    """Write the last digits of a number, with noughts before it."""
    for place in range(at + digits - 1, at - 1, -1):
        out[place] = _NOUGHT + number % np.uint64(10)
        number //= np.uint64(10)
