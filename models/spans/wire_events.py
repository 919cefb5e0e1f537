# ruff: noqa: PLR1714, PLR2004, SIM102 - compiled kernels: bytes are compared with numbers of the wire format, one after the other
"""Events: evaluations, as log records or on spans, and the exceptions of a span."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from models.digest import digest64, digest_of, load64
from models.spans.columns import Column
from models.spans.mapping import EVENT, EXCEPTION
from models.spans.tables import SLOTS
from models.spans.wire import KEY_VALUE, TRUNCATED, check, read_length, read_tag, skip
from models.spans.wire_ids import read_span_id, read_trace_id
from models.spans.wire_rows import content_in, name_said, write_evaluation
from models.spans.wire_sources import find_key, offer, offer_event
from models.spans.wire_state import (
    END_OF_FACTS,
    ENDED,
    EVALUATED,
    EVENT_SAID,
    FIRST_FACT,
    LOG_IGNORED,
    NAME_AT,
    NAME_LEN,
    PARENT_ID_MADE,
    RECEIVED,
    SCOPES,
    SKEW,
    SPAN_AT,
    SPAN_LEN,
    STARTED,
    TIME_FUTURE,
    TIME_MISSING,
    TRACE_AT,
    TRACE_LEN,
    UNSAID,
)
from models.spans.wire_values import STRING, read_pair

_EVALUATION_EVENT, _EXCEPTION_EVENT, _NAME_KEY = b"gen_ai.evaluation.result", b"exception", b"event.name"
_EVALUATION_LENGTH, _EVALUATION_DIGEST = len(_EVALUATION_EVENT), digest_of(_EVALUATION_EVENT)
_EXCEPTION_LENGTH, _EXCEPTION_DIGEST = len(_EXCEPTION_EVENT), digest_of(_EXCEPTION_EVENT)
_NAME_KEY_LENGTH, _NAME_KEY_DIGEST = len(_NAME_KEY), digest_of(_NAME_KEY)
_SLOTS = (int(Column.EVALUATION), int(Column.LABEL), int(Column.SCORE))
_RESPONSE, _CONVERSATION = int(Column.RESPONSE_ID), int(Column.CONVERSATION)


@njit(cache=True)
def is_evaluation(buffer: Any, at: Any, length: Any) -> Any:
    """Tell whether this is the name of an evaluation event."""
    return length == _EVALUATION_LENGTH and digest64(buffer, at, length) == _EVALUATION_DIGEST


@njit(cache=True)
def _is_exception(buffer: Any, at: Any, length: Any) -> Any:
    """Tell whether this is the name of an exception event."""
    return length == _EXCEPTION_LENGTH and digest64(buffer, at, length) == _EXCEPTION_DIGEST


@njit(cache=True)
def read_attribute(buffer: Any, at: Any, stop: Any, depth: Any, place: Any, t: Any, s: Any) -> Any:
    """Read a KeyValue of an event and offer its value: the next position."""
    key, length, kind, a, b, at = read_pair(buffer, at, stop, depth, s)
    if at < 0:
        return at
    found = find_key(buffer, key, length, t)
    if found >= 0 and place == EVENT:
        offer_event(buffer, found, place, s[SCOPES], kind, a, b, t, s)
    elif found >= 0:
        offer(buffer, found, place, s[SCOPES], kind, a, b, t, s)
    return at


@njit(cache=True)
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
        _read_event_attributes(buffer, start, end, depth, EXCEPTION, t, s)
    elif is_evaluation(buffer, name, length):
        s[EVALUATED] = 1
    return at


@njit(cache=True)
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


@njit(cache=True)
def write_span_evaluations(buffer: Any, at: Any, end: Any, trace: Any, scored: Any, t: Any, s: Any) -> Any:
    """Write a row for each evaluation event of a span that was checked before."""
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if tag != 0x5A:
            at = skip(buffer, at, end, tag, 3, s)
            continue
        stop, at = read_length(buffer, at, end)
        _forget(t, s)
        name, length, time = _read_event_attributes(buffer, at, stop, 4, EVENT, t, s)
        if is_evaluation(buffer, name, length):
            if time == 0:
                time = s[ENDED]
            time = _mend_time(s, time)
            of = (trace[0], trace[1], scored, np.int64(0), np.int64(0))
            write_evaluation(buffer, t, s, of, time, EVENT_SAID, _SLOTS)
        at = stop


@njit(cache=True)
def read_record(buffer: Any, at: Any, end: Any, t: Any, s: Any) -> Any:
    """Read a log record, and write a row if it is an evaluation of something known by an id: `end`, or an error."""
    for fact in range(FIRST_FACT, END_OF_FACTS):
        s[fact] = 0
    _forget(t, s)
    at = _read_record_fields(buffer, at, end, t, s)
    if at < 0:
        return at
    trace = np.int64(0), np.int64(0)
    response, conversation = np.int64(0), np.int64(0)
    if is_evaluation(buffer, s[NAME_AT], s[NAME_LEN]):
        trace = read_trace_id(buffer, s[TRACE_AT], s[TRACE_LEN], s)
        response = content_in(buffer, EVENT_SAID, _RESPONSE, s)
        if trace[0] == 0 and trace[1] == 0 and response == 0:
            conversation = name_said(buffer, EVENT_SAID, _CONVERSATION, t, s)
    if trace[0] == 0 and trace[1] == 0 and response == 0 and conversation == 0:
        s[LOG_IGNORED] += 1
        return at
    time = s[STARTED] if s[STARTED] != 0 else s[ENDED]
    if time == 0:
        s[TIME_MISSING] += 1
        time = s[RECEIVED]
    time = _mend_time(s, time)
    scored = read_span_id(buffer, s[SPAN_AT], s[SPAN_LEN], PARENT_ID_MADE, s)
    of = (trace[0], trace[1], scored, response, conversation)
    write_evaluation(buffer, t, s, of, time, EVENT_SAID, _SLOTS)
    return at


@njit(cache=True)
def _read_record_fields(buffer: Any, at: Any, end: Any, t: Any, s: Any) -> Any:
    """Walk the fields of a LogRecord, which lies at depth 3."""
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return at
        if tag == 0x09 or tag == 0x59:
            if at + 8 > end:
                return TRUNCATED
            s[STARTED if tag == 0x09 else ENDED] = np.int64(load64(buffer, at))
            at += 8
        elif tag == 0x2A or tag == 0x32 or tag == 0x4A or tag == 0x52 or tag == 0x62:
            stop, at = read_length(buffer, at, end)
            if at < 0:
                return at
            at = _read_record_part(buffer, at, stop, tag, t, s)
        else:
            at = skip(buffer, at, end, tag, 3, s)
        if at < 0:
            return at
    return at


@njit(cache=True)
def _read_record_part(buffer: Any, at: Any, stop: Any, tag: Any, t: Any, s: Any) -> Any:
    """Read body, attribute, trace id, span id or event name of a log record: the next position."""
    if tag == 0x2A:
        return check(buffer, at, stop, 0, 4, s)
    if tag == 0x32:
        return _read_record_attribute(buffer, at, stop, t, s)
    first = TRACE_AT if tag == 0x4A else (SPAN_AT if tag == 0x52 else NAME_AT)
    s[first], s[first + 1] = at, stop - at
    return stop


@njit(cache=True)
def _read_record_attribute(buffer: Any, at: Any, stop: Any, t: Any, s: Any) -> Any:
    """Read an attribute of a log record: before OTLP had event names, it was one of them."""
    key, length, kind, a, b, at = read_pair(buffer, at, stop, 4, s)
    if at < 0:
        return at
    if length == _NAME_KEY_LENGTH and s[NAME_LEN] == 0 and kind == STRING:
        if digest64(buffer, key, length) == _NAME_KEY_DIGEST:
            s[NAME_AT], s[NAME_LEN] = a, b
    found = find_key(buffer, key, length, t)
    if found >= 0:
        offer_event(buffer, found, EVENT, s[SCOPES], kind, a, b, t, s)
    return at


@njit(cache=True)
def _forget(t: Any, s: Any) -> Any:
    """Forget what the event before said."""
    for slot in range(t[SLOTS]):
        s[EVENT_SAID + slot] = UNSAID


@njit(cache=True)
def _mend_time(s: Any, time: Any) -> Any:
    """Cap a time in the future; one beyond the range of int64 is."""
    if time < 0 or time > s[RECEIVED] + s[SKEW]:
        s[TIME_FUTURE] += 1
        return s[RECEIVED]
    return time
