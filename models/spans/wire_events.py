# ruff: noqa: PLR1714, PLR2004 - compiled kernels: bytes are compared with numbers of the wire format, one after the other
"""Events of spans: evaluations and exceptions."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import digest64, digest_of, load64
from models.kernels import kernel
from models.spans.columns import Column
from models.spans.mapping import EVALUATION_EVENT, EVENT, EXCEPTION
from models.spans.tables import SLOTS
from models.spans.wire import KEY_VALUE, check, read_length, read_tag, skip
from models.spans.wire_members import offer_attribute
from models.spans.wire_rows import write_evaluation
from models.spans.wire_sources import find_key
from models.spans.wire_state import (
    ENDED,
    EVALUATED,
    EVENT_SAID,
    NUMBER_UNREADABLE,
    RECEIVED,
    SCOPES,
    SKEW,
    TIME_FUTURE,
    UNSAID,
)
from models.spans.wire_values import read_pair

_EVALUATION_EVENT, _EXCEPTION_EVENT = EVALUATION_EVENT.encode(), b"exception"
_EVALUATION_LENGTH, _EVALUATION_DIGEST = len(_EVALUATION_EVENT), digest_of(_EVALUATION_EVENT)
_EXCEPTION_LENGTH, _EXCEPTION_DIGEST = len(_EXCEPTION_EVENT), digest_of(_EXCEPTION_EVENT)
EVENT_SLOTS = (int(Column.EVALUATION), int(Column.LABEL), int(Column.SCORE))


@kernel
def is_evaluation(buffer: Any, at: Any, length: Any) -> Any:
    """Tell whether this is the name of an evaluation event."""
    return length == _EVALUATION_LENGTH and digest64(buffer, at, length) == _EVALUATION_DIGEST


@kernel
def _is_exception(buffer: Any, at: Any, length: Any) -> Any:
    """Tell whether this is the name of an exception event."""
    return length == _EXCEPTION_LENGTH and digest64(buffer, at, length) == _EXCEPTION_DIGEST


@kernel
def read_attribute(buffer: Any, at: Any, stop: Any, depth: Any, place: Any, t: Any, s: Any) -> Any:
    """Read a KeyValue of an event and offer its value: the next position."""
    key, length, kind, a, b, at = read_pair(buffer, at, stop, depth, s)
    if at < 0:
        return at
    found = find_key(buffer, key, length, t)
    if found >= 0:
        offer_attribute(buffer, found, place, s[SCOPES], kind, a, b, t, s)
    return at


@kernel
def read_event(buffer: Any, at: Any, end: Any, depth: Any, t: Any, s: Any) -> Any:
    """Check an event of a span, take what an exception says, and note whether it is an evaluation."""
    name, length, start = np.int64(0), np.int64(0), at
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return at
        if tag == 0x12 or tag == 0x1A:
            stop, at = read_length(buffer, at, end)
            if at < 0:
                return at
            if tag == 0x12:
                name, length, at = at, stop - at, stop
            else:
                at = check(buffer, at, stop, KEY_VALUE, depth + 1, s)
        else:
            at = skip(buffer, at, end, tag, depth, s)
        if at < 0:
            return at
    if _is_exception(buffer, name, length):
        _read_event_attributes(buffer, start, end, np.int64(depth), np.int64(EXCEPTION), t, s)
    elif is_evaluation(buffer, name, length):
        s[EVALUATED] = 1
    return at


@kernel
def _read_event_attributes(buffer: Any, at: Any, end: Any, depth: Any, place: Any, t: Any, s: Any) -> Any:
    """Read the attributes of an event that was checked before: its name's position, length, and time."""
    name, length, time = np.int64(0), np.int64(0), np.int64(0)
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if tag == 0x12 or tag == 0x1A:
            stop, at = read_length(buffer, at, end)
            if tag == 0x12:
                name, length = at, stop - at
            else:
                read_attribute(buffer, at, stop, depth + 1, place, t, s)
            at = stop
        elif tag == 0x09:
            time = np.int64(load64(buffer, at))
            at += 8
        else:
            at = skip(buffer, at, end, tag, depth, s)
    return name, length, time


@kernel
def write_span_evaluations(buffer: Any, at: Any, end: Any, trace: Any, scored: Any, t: Any, s: Any) -> Any:
    """Write a row for each evaluation event of a span that was checked before."""
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if tag != 0x5A:
            at = skip(buffer, at, end, tag, 3, s)
            continue
        stop, at = read_length(buffer, at, end)
        forget_event(t, s)
        unreadable = s[NUMBER_UNREADABLE]
        name, length, time = _read_event_attributes(buffer, at, stop, np.int64(4), np.int64(EVENT), t, s)
        if not is_evaluation(buffer, name, length):
            s[NUMBER_UNREADABLE] = unreadable
        else:
            if time == 0:
                time = s[ENDED]
            time = mend_time(s, time)
            of = (trace[0], trace[1], scored, np.int64(0), np.int64(0))
            write_evaluation(buffer, t, s, of, time, EVENT_SAID, EVENT_SLOTS)
        at = stop


@kernel
def forget_event(t: Any, s: Any) -> Any:
    """Forget what the event before said."""
    for slot in range(t[SLOTS]):
        s[EVENT_SAID + slot] = UNSAID


@kernel
def mend_time(s: Any, time: Any) -> Any:
    """Cap a time in the future; one beyond the range of int64 is."""
    if time < 0 or time > s[RECEIVED] + s[SKEW]:
        s[TIME_FUTURE] += 1
        return s[RECEIVED]
    return time
