"""OTLP/JSON to protobuf wire bytes, so that there is one decoding path.

What is accepted beyond the OTLP specification: snake_case keys; ids as base64; enums as names (an unknown name counts
as absent); integers as numbers, as strings, and as floats that are whole; null for absent; several keys in one
AnyValue (wire semantics: the last one wins) or none; lone surrogates (as U+FFFD). Unknown keys are skipped whatever
they hold, which is checked to be JSON. What is an error: all that is not JSON, a value of the wrong type or out of
range, the same field twice in one object, null inside a list, nesting deeper than 100.

An id that is neither hex nor base64 comes out as one zero byte, hex of another length as its bytes: ids of a wrong
length, which the decoder judges as it judges those in protobuf messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.digest import SLACK
from models.spans.json_errors import ERRORS
from models.spans.json_kernel import transcode_messages
from models.spans.json_schema import build_enum_table, build_key_table
from models.spans.json_values import MAX_DEPTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ERRORS", "transcode"]

_KEYS, _ENUMS = build_key_table(), build_enum_table()
_MARGIN = 64


def capacity(size: int) -> int:
    """Give the bytes that the wire form of `size` bytes of JSON can take at most, scratch space included.

    Every field costs less on the wire than in JSON (its key alone is longer than tag and length) but one: a negative
    enum, 9 characters (`"code":-1`) and a comma for 11 bytes. A string or message of 128 bytes or more takes at most
    4 bytes more than its quotes or braces pay for: 1/32 of it. So 5/4 of the input bounds it all, and the margin
    covers what is written behind the end and not kept.
    """
    return size + size // 4 + _MARGIN


def transcode(
    buffer: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Transcode OTLP/JSON messages to TracesData or LogsData, as their root key says.

    Message i is `buffer[starts[i]:stops[i]]`; `buffer` is uint8 and has at least `SLACK` bytes behind the last message.
    Returns (out, out_starts, out_stops, codes): the wire bytes of message i are `out[out_starts[i]:out_stops[i]]`, with
    `SLACK` readable bytes behind the last; `codes` is int32, 0 or a key of `ERRORS`, and then the message is empty.

    Raises:
        ValueError: A message lies outside the buffer, or the slack is missing.
    """
    starts, stops = starts.astype(np.int64, copy=False), stops.astype(np.int64, copy=False)
    if starts.shape != stops.shape or starts.ndim != 1:
        msg = f"starts and stops must be of one length, not {starts.shape} and {stops.shape}"
        raise ValueError(msg)
    if starts.size and (starts.min() < 0 or (stops < starts).any() or stops.max() + SLACK > buffer.size):
        msg = f"messages must lie in a buffer with {SLACK} bytes behind the last; it has {buffer.size}"
        raise ValueError(msg)
    buffer = buffer.view()
    buffer.flags.writeable = False  # so that the kernel is compiled once, not once more for writable buffers
    out = np.empty(capacity(int((stops - starts).sum())) + SLACK, np.uint8)
    out_starts, out_stops = np.empty_like(starts), np.empty_like(stops)
    codes = np.empty(starts.size, np.int32)
    stack, inside = np.empty((MAX_DEPTH + 1, 5), np.int64), np.empty(MAX_DEPTH + 1, np.uint8)
    transcode_messages(buffer, starts, stops, out, out_starts, out_stops, codes, _KEYS, _ENUMS, stack, inside)
    return out, out_starts, out_stops, codes
