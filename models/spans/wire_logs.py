# ruff: noqa: PLR0917, PLR1714, PLR2004, SIM102 - compiled kernels: bytes are compared with numbers of the wire format, one after the other
"""Log records: evaluations of a trace, answer or conversation; records that the mapping gives a kind by their name."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import digest64, digest_of, load64
from models.kernels import kernel
from models.spans.columns import UNKNOWN, Column, SpanKind
from models.spans.mapping import EVENT, LOG, RECORD_NAME
from models.spans.pointers import words_at
from models.spans.tables import RECORD_KEY, SLOTS
from models.spans.wire import TRUNCATED, check, read_length, read_tag, skip
from models.spans.wire_events import EVENT_SLOTS, forget_event, is_evaluation, mend_time, read_attribute
from models.spans.wire_ids import read_span_id, read_trace_id
from models.spans.wire_names import intern_name
from models.spans.wire_rows import as_id, content_in, fold, name_said, new_row, write_evaluation, write_span
from models.spans.wire_sources import offer, settle
from models.spans.wire_state import (
    BASE_RANK,
    BEST,
    COHORTS,
    COLS,
    END_OF_FACTS,
    ENDED,
    EVENT_SAID,
    FIRST_FACT,
    LATER,
    LOG_IGNORED,
    NAME_AT,
    NAME_LEN,
    OWN_COHORTS,
    PARENT_ID_MADE,
    RECEIVED,
    SAID,
    SCOPES,
    SPAN_AT,
    SPAN_LEN,
    SPAN_NUMBER,
    STARTED,
    TIME_MISSING,
    TRACE_AT,
    TRACE_LEN,
    UNSAID,
)
from models.spans.wire_values import STRING, digest_value, read_pair

_NAME_KEY_LENGTH, _NAME_KEY_DIGEST = len(RECORD_NAME), digest_of(RECORD_NAME)
_NOT_KNOWN, _EVALUATION, _BILL = -1, int(SpanKind.EVALUATION), int(SpanKind.BILL)
_KIND, _SPAN_ID, _COST, _RECORD = (int(c) for c in (Column.KIND, Column.SPAN_ID, Column.COST, Column.EVALUATION))
_FIRST_NAME, _FIRST_TOKENS, _LAST_TOKENS = int(Column.WORKFLOW), int(Column.INPUT_TOKENS), int(Column.CACHE_WRITE)
_RESPONSE, _CONVERSATION = int(Column.RESPONSE_ID), int(Column.CONVERSATION)
_COLUMNS = len(Column)


@kernel
def read_record(buffer: Any, at: Any, end: Any, t: Any, s: Any) -> Any:
    """Read a LogRecord, which lies at depth 3, and write its rows if it has any: `end`, or an error."""
    start = at
    for fact in range(FIRST_FACT, END_OF_FACTS):
        s[fact] = 0
    at = _read_fields(buffer, at, end, s)
    if at < 0:
        return at
    kind, trace = _kind(buffer, t, s), (np.int64(0), np.int64(0))
    if kind != _NOT_KNOWN:
        trace = read_trace_id(buffer, s[TRACE_AT], s[TRACE_LEN], s)
    response = conversation = np.int64(0)
    if kind == _EVALUATION:
        forget_event(t, s)
        _offer_attributes(buffer, start, end, np.int64(EVENT), t, s)
        response, conversation = _scored(buffer, trace, t, s)
    if trace[0] == 0 and trace[1] == 0 and response == 0 and conversation == 0:
        s[LOG_IGNORED] += 1
        return at
    time = s[STARTED] if s[STARTED] != 0 else s[ENDED]
    if time == 0:
        s[TIME_MISSING] += 1
        time = s[RECEIVED]
    time = mend_time(s, time)
    scored = read_span_id(buffer, s[SPAN_AT], s[SPAN_LEN], PARENT_ID_MADE, s)
    if kind == _EVALUATION:
        of = (trace[0], trace[1], scored, response, conversation)
        write_evaluation(buffer, t, s, of, time, EVENT_SAID, EVENT_SLOTS)
    else:
        _offer_attributes(buffer, start, end, np.int64(LOG), t, s)
        s[STARTED], s[ENDED] = time, time
        _write_record(buffer, start, end, trace, scored, kind, t, s)
    return at


@kernel
def _read_fields(buffer: Any, at: Any, end: Any, s: Any) -> Any:
    """Check all fields of a LogRecord, and note those that a row may need."""
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
            at = _read_part(buffer, at, stop, tag, s)
        else:
            at = skip(buffer, at, end, tag, 3, s)
        if at < 0:
            return at
    return at


@kernel
def _read_part(buffer: Any, at: Any, stop: Any, tag: Any, s: Any) -> Any:
    """Read body, attribute, trace id, span id or event name of a log record: the next position.

    Before OTLP had event names, the name was an attribute.
    """
    if tag == 0x2A:
        return check(buffer, at, stop, 0, 4, s)
    if tag == 0x32:
        key, length, kind, a, b, at = read_pair(buffer, at, stop, 4, s)
        if at >= 0 and length == _NAME_KEY_LENGTH and s[NAME_LEN] == 0 and kind == STRING:
            if digest64(buffer, key, length) == _NAME_KEY_DIGEST:
                s[NAME_AT], s[NAME_LEN] = a, b
        return at
    first = TRACE_AT if tag == 0x4A else (SPAN_AT if tag == 0x52 else NAME_AT)
    s[first], s[first + 1] = at, stop - at
    return stop


@kernel
def _kind(buffer: Any, t: Any, s: Any) -> Any:
    """Tell by its name what a record is; begins the collection of what it says with that."""
    if is_evaluation(buffer, s[NAME_AT], s[NAME_LEN]):
        return np.int64(_EVALUATION)
    if s[NAME_LEN] == 0:
        return np.int64(_NOT_KNOWN)
    for slot in range(t[SLOTS]):
        s[SAID + slot] = s[BASE_RANK + slot]
    s[LATER] = 0
    s[SPAN_NUMBER] += 1
    offer(buffer, t[RECORD_KEY], np.int64(LOG), s[SCOPES], np.int64(STRING), s[NAME_AT], s[NAME_LEN], t, s)
    return s[SAID + BEST + 4 * _KIND + 1] if s[SAID + _KIND] < UNSAID else np.int64(_NOT_KNOWN)


@kernel
def _scored(buffer: Any, trace: Any, t: Any, s: Any) -> Any:
    """Give the answer that an evaluation scores, and the conversation where neither trace nor answer is said; or 0."""
    response, conversation = content_in(buffer, EVENT_SAID, _RESPONSE, s), np.int64(0)
    if trace[0] == 0 and trace[1] == 0 and response == 0:
        conversation = name_said(buffer, EVENT_SAID, _CONVERSATION, t, s)
    return response, conversation


@kernel
def _offer_attributes(buffer: Any, at: Any, end: Any, place: Any, t: Any, s: Any) -> Any:
    """Offer the attributes of a record that was checked before."""
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if tag == 0x32:
            stop, at = read_length(buffer, at, end)
            at = read_attribute(buffer, at, stop, np.int64(4), place, t, s)
        else:
            at = skip(buffer, at, end, tag, 3, s)


@kernel
def _write_record(buffer: Any, start: Any, end: Any, trace: Any, scored: Any, kind: Any, t: Any, s: Any) -> Any:
    """Write the row of a record that is no evaluation, as if it were a span inside the one it was written in.

    One written outside of all spans is its own parent: what has none would be taken for the root of its trace.
    """
    settle(kind, t, s)
    if kind == _BILL and s[SAID + _COST] == UNSAID:
        s[LOG_IGNORED] += 1
        return
    span_id = as_id(_digest(buffer, start, end, fold(fold(np.uint64(0), scored), s[ENDED]), s))
    s[OWN_COHORTS] = s[COHORTS]
    row = write_span(buffer, t, s, trace, span_id, scored if scored != 0 else span_id, kind)
    words_at(s[COLS])[_COLUMNS * row + _RECORD] = intern_name(buffer, s[NAME_AT], s[NAME_LEN], _RECORD - _FIRST_NAME, s)
    if kind == _BILL:
        _part_bill(row, s)


@kernel
def _part_bill(row: Any, s: Any) -> Any:
    """Part a bill in two rows: what was paid, and what it was paid for, which the call's span says too.

    So both can be priced: what the call was thought to cost gives way to what it did cost.
    """
    other = new_row(s)
    cols, at, to = words_at(s[COLS]), _COLUMNS * row, _COLUMNS * other
    for column in range(_COLUMNS):
        cols[to + column] = cols[at + column]
    cols[to + _SPAN_ID] = as_id(fold(np.uint64(cols[at + _SPAN_ID]), _BILL))
    cols[to + _COST] = UNKNOWN
    for column in range(_FIRST_TOKENS, _LAST_TOKENS + 1):
        cols[at + column] = UNKNOWN


@kernel
def _digest(buffer: Any, at: Any, end: Any, digest: Any, s: Any) -> Any:
    """Fold the attributes of a record, in their order, into a digest: sent twice, they give the same."""
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if tag == 0x32:
            stop, at = read_length(buffer, at, end)
            key, length, kind, a, b, at = read_pair(buffer, at, stop, 4, s)
            digest = fold(fold(digest, digest64(buffer, key, length)), digest_value(buffer, kind, a, b))
        else:
            at = skip(buffer, at, end, tag, 3, s)
    return digest
