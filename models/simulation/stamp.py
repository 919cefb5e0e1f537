"""Stamp rows into bytes: copy the template, patch what differs, append what has no fixed length.

Rows come out end to end in their order, each with the tag and length (protobuf) or comma (JSON) that lets any run of
neighbours be put into a message as one slice.
"""
# ruff: noqa: PLR0913, PLR0917, PLR2004, C901 - kernels take flat arrays; the constants are those of the formats

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.digest import mix64
from models.kernels import allocating, small
from models.simulation.bytes_copy import copy_bytes
from models.simulation.rows import TAIL, Row
from models.simulation.scenario import Encoding
from models.simulation.templates import Patch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.simulation.templates import Templates

_BIG, _LITTLE, _DOUBLE, _HEX = int(Patch.BIG), int(Patch.LITTLE), int(Patch.DOUBLE), int(Patch.HEX)
_DIGITS_19, _DIGITS_8, _DECIMALS = int(Patch.DIGITS_19), int(Patch.DIGITS_8), int(Patch.DECIMALS)
_TEMPLATE, _CONTEXT = int(Row.TEMPLATE), int(Row.CONTEXT)
_TAIL_ROWS = tuple(int(row) for row, _ in TAIL)
_TAIL_MOST = 96
"""Bytes an appended integer takes at most, and more than the frame of a record."""
_NANO = 1_000_000_000
_TEN = np.uint64(10)


def stamp(rows: NDArray[np.int64], templates: Templates) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Encode rows [Row, n]: gives the bytes and where each record starts (n + 1 positions)."""
    shapes, contexts = templates.shapes, templates.contexts
    lengths = np.diff(shapes.first)[rows[Row.TEMPLATE]]
    if contexts.first.size > 1:
        lengths = lengths + np.where(rows[Row.CONTEXT] >= 0, np.diff(contexts.first)[rows[Row.CONTEXT]], 0)
    out = np.empty(int(lengths.sum()) + (len(TAIL) + 1) * _TAIL_MOST * rows.shape[1], np.uint8)
    starts = np.empty(rows.shape[1] + 1, np.int64)
    _stamp_all(
        rows,
        shapes.data,
        shapes.first,
        templates.patches,
        templates.first_patch,
        contexts.data,
        contexts.first,
        templates.tails.data,
        templates.tails.first,
        templates.encoding is Encoding.JSON,
        out,
        starts,
    )
    return out[: starts[-1]], starts


@allocating
def _stamp_all(
    rows: Any,
    shapes: Any,
    first_shape: Any,
    patches: Any,
    first_patch: Any,
    contexts: Any,
    first_context: Any,
    tails: Any,
    first_tail: Any,
    as_json: Any,
    out: Any,
    starts: Any,
) -> None:
    at = 0
    for i in range(rows.shape[1]):
        starts[i] = at
        # protobuf: room for the tag and two bytes of length; records are seldom shorter or longer than those hold
        begin = at if as_json else at + 3
        shape, context = rows[_TEMPLATE, i], rows[_CONTEXT, i]
        end = _copy(shapes, first_shape[shape], first_shape[shape + 1], out, begin)
        for p in range(first_patch[shape], first_patch[shape + 1]):
            _patch(out, begin + patches[p, 0], patches[p, 1], rows[patches[p, 2], i])
        if context >= 0:
            end = _copy(contexts, first_context[context], first_context[context + 1], out, end)
        for k, row in enumerate(_TAIL_ROWS):
            if rows[row, i] >= 0:
                stop = _copy(tails, first_tail[k], first_tail[k + 1], out, end)
                end = _end_json(out, stop, rows[row, i]) if as_json else _end_protobuf(out, end, stop, rows[row, i])
        at = _close_json(out, end) if as_json else _close_protobuf(out, at, end)
    starts[rows.shape[1]] = at


@small
def _copy(source: Any, start: Any, stop: Any, out: Any, at: Any) -> Any:
    copy_bytes(source, start, stop - start, out, at)  # type: ignore[call-arg]
    return at + stop - start


@allocating
def _patch(out: Any, at: Any, how: Any, value: Any) -> None:
    if how == _BIG:
        for j in range(8):
            out[at + j] = (value >> (56 - 8 * j)) & 0xFF
    elif how == _LITTLE:
        for j in range(8):
            out[at + j] = (value >> (8 * j)) & 0xFF
    elif how == _DOUBLE:
        bits = np.array([value / _NANO]).view(np.int64)[0]
        for j in range(8):
            out[at + j] = (bits >> (8 * j)) & 0xFF
    elif how == _DIGITS_19:
        _digits(out, at, 19, value)
    elif how == _DIGITS_8:
        _digits(out, at, 8, value)
    elif how == _DECIMALS:
        _digits(out, at, 1, value // _NANO)
        out[at + 1] = 46
        _digits(out, at + 2, 9, value % _NANO)
    elif how == _HEX:
        _hex(out, at, value)
    else:
        _hex(out, at, np.int64(mix64(value)))


@small
def _hex(out: Any, at: Any, value: Any) -> None:
    for j in range(16):
        nibble = (value >> (60 - 4 * j)) & 0xF
        out[at + j] = nibble + 48 + 39 * (nibble > 9)


@small
def _digits(out: Any, at: Any, count: Any, value: Any) -> None:
    rest = np.uint64(value)  # unsigned division by a constant is a multiplication
    for j in range(count - 1, -1, -1):
        tenth = rest // _TEN
        out[at + j] = np.uint64(48) + rest - tenth * _TEN
        rest = tenth


@allocating
def _end_json(out: Any, at: Any, value: Any) -> Any:
    """Write the digits of an appended integer and `"}}`."""
    count, rest = 1, value // 10
    while rest > 0:
        count, rest = count + 1, rest // 10
    _digits(out, at, count, value)
    at += count
    out[at], out[at + 1], out[at + 2] = 34, 125, 125
    return at + 3


@allocating
def _end_protobuf(out: Any, begin: Any, at: Any, value: Any) -> Any:
    """Write the varint of an appended integer and the two lengths before it."""
    start = at
    while value > 0x7F:
        out[at] = (value & 0x7F) | 0x80
        value >>= 7
        at += 1
    out[at] = value
    at += 1
    out[start - 2] = at - start + 1
    out[begin + 1] = at - begin - 2
    return at


@small
def _close_json(out: Any, at: Any) -> Any:
    out[at], out[at + 1], out[at + 2] = 93, 125, 44
    return at + 3


@allocating
def _close_protobuf(out: Any, at: Any, end: Any) -> Any:
    """Put tag and length before a record; move it where its length does not take two bytes."""
    length = end - at - 3
    out[at] = 0x12
    if length < 1 << 7:
        for j in range(length):
            out[at + 2 + j] = out[at + 3 + j]
        out[at + 1] = length
        return end - 1
    if length < 1 << 14:
        out[at + 1] = (length & 0x7F) | 0x80
        out[at + 2] = length >> 7
        return end
    for j in range(length - 1, -1, -1):
        out[at + 4 + j] = out[at + 3 + j]
    out[at + 1] = (length & 0x7F) | 0x80
    out[at + 2] = ((length >> 7) & 0x7F) | 0x80
    out[at + 3] = length >> 14
    return end + 1
