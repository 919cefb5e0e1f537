# ruff: noqa: C901, PLR0912, PLR1714, PLR2004, SIM110 - compiled kernels: bytes are compared with numbers of the wire format, one after the other
"""Spans on the wire: one Span message becomes a row, rows of its evaluations, or a dead letter."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import digest64, load64
from models.kernels import kernel
from models.spans.columns import Column, SpanKind
from models.spans.mapping import ANNOTATIONS, SPAN, SPAN_KINDS
from models.spans.pointers import words_at
from models.spans.tables import FIRST_ANNOTATION, SLOTS
from models.spans.wire import KEY_VALUE, TRUNCATED, check, read_length, read_tag, read_varint, skip
from models.spans.wire_events import read_event, write_span_evaluations
from models.spans.wire_ids import read_span_id, read_trace_id
from models.spans.wire_members import offer_attribute
from models.spans.wire_names import intern_name, name_of
from models.spans.wire_rows import mend_times, name_said, write_cohort, write_evaluation, write_span
from models.spans.wire_sources import find_key, settle
from models.spans.wire_state import (
    BASE_RANK,
    BEST,
    CODE,
    COHORTS,
    DEAD,
    DEAD_AT,
    END_OF_FACTS,
    ENDED,
    EVALUATED,
    EVALUATION_UNNAMED,
    FIRST_FACT,
    LATER,
    LINK_SPAN_AT,
    LINK_SPAN_LEN,
    LINK_TRACE_AT,
    LINK_TRACE_LEN,
    LINKS,
    MAX_DEAD,
    MESSAGE,
    NO_DEAD,
    NO_TRACE_ID,
    OWN_COHORTS,
    PARENT_AT,
    PARENT_ID_MADE,
    PARENT_LEN,
    ROLE,
    SAID,
    SCOPES,
    SHORT,
    SPAN_AT,
    SPAN_ID_MADE,
    SPAN_LEN,
    SPAN_NUMBER,
    STARTED,
    TRACE_AT,
    TRACE_LEN,
    UNSAID,
)
from models.spans.wire_values import read_pair, value_is_empty

COHORT_COLUMN = 30
"""Bit that says that a name is one of a cohort, not of a column."""

_PREFIX = b"flyball.cohort."
_PREFIX_LENGTH = len(_PREFIX)
_PREFIX_FIRST = np.uint64(int.from_bytes(_PREFIX[:8], "little"))
_PREFIX_LAST = np.uint64(int.from_bytes(_PREFIX[-8:], "little"))
_KIND = int(Column.KIND)
_ROLES = np.uint64(len(SPAN_KINDS))
_OTHER, _EVALUATOR = int(SpanKind.OTHER), int(SpanKind.EVALUATION)
_EVALUATION, _LABEL, _SCORE = int(Column.EVALUATION), int(Column.LABEL), int(Column.SCORE)
_CONVERSATION = int(Column.CONVERSATION)


@kernel
def read_span(buffer: Any, at: Any, end: Any, t: Any, s: Any) -> Any:
    """Read a Span, which lies at depth 3, and write its rows: `end`, or an error."""
    start = at
    for fact in range(FIRST_FACT, END_OF_FACTS):
        s[fact] = 0
    for slot in range(t[SLOTS]):
        s[SAID + slot] = s[BASE_RANK + slot]
    s[LATER] = 0
    s[SPAN_NUMBER] += 1
    s[OWN_COHORTS] = s[COHORTS]
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return at
        if tag == 0x4A:
            stop, at = read_length(buffer, at, end)
            if at >= 0:
                at = _read_span_attribute(buffer, at, stop, t, s)
        elif tag == 0x39 or tag == 0x41:
            if at + 8 > end:
                return TRUNCATED
            s[STARTED if tag == 0x39 else ENDED] = np.int64(load64(buffer, at))
            at += 8
        elif tag == 0x30:
            role, at = read_varint(buffer, at, end)
            role &= np.uint64(0xFFFFFFFF)
            s[ROLE] = np.int64(role) if role < _ROLES else np.int64(0)
        elif tag & 7 == 2:
            stop, at = read_length(buffer, at, end)
            if at >= 0:
                at = _read_part(buffer, at, stop, tag, t, s)
        else:
            at = skip(buffer, at, end, tag, 3, s)
        if at < 0:
            return at
    _finish_span(buffer, start, end, t, s)
    return at


@kernel
def _read_span_attribute(buffer: Any, at: Any, stop: Any, t: Any, s: Any) -> Any:
    """Read an attribute of the span: the next position."""
    key, length, kind, a, b, at = read_pair(buffer, at, stop, 4, s)
    if at < 0:
        return at
    found = find_key(buffer, key, length, t)
    if found >= 0:
        offer_attribute(buffer, found, SPAN, s[SCOPES], kind, a, b, t, s)
    elif is_cohort(buffer, key, length) and not value_is_empty(kind, b):
        value = name_of(buffer, 0, kind, a, b, COHORT_COLUMN, s)
        if value != 0:
            name = intern_name(buffer, key + _PREFIX_LENGTH, length - _PREFIX_LENGTH, COHORT_COLUMN, s)
            write_cohort(s, name, value)
    return at


@kernel
def is_cohort(buffer: Any, at: Any, length: Any) -> Any:
    """Tell whether an attribute's name is that of a cohort."""
    return (
        length > _PREFIX_LENGTH
        and load64(buffer, at) == _PREFIX_FIRST
        and load64(buffer, at + _PREFIX_LENGTH - 8) == _PREFIX_LAST
    )


@kernel
def _read_part(buffer: Any, at: Any, stop: Any, tag: Any, t: Any, s: Any) -> Any:
    """Read ids, events, links or status of the span: the next position."""
    if tag == 0x0A:
        s[TRACE_AT], s[TRACE_LEN] = at, stop - at
    elif tag == 0x12:
        s[SPAN_AT], s[SPAN_LEN] = at, stop - at
    elif tag == 0x22:
        s[PARENT_AT], s[PARENT_LEN] = at, stop - at
    elif tag == 0x5A:
        return read_event(buffer, at, stop, 4, t, s)
    elif tag == 0x6A:
        return _read_link(buffer, at, stop, s)
    elif tag == 0x7A:
        return _read_status(buffer, at, stop, s)
    return stop


@kernel
def _read_status(buffer: Any, at: Any, end: Any, s: Any) -> Any:
    """Read a Status; a code that is none is UNSET."""
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return at
        if tag == 0x18:
            code, at = read_varint(buffer, at, end)
            code &= np.uint64(0xFFFFFFFF)
            s[CODE] = np.int64(code) if code <= np.uint64(2) else np.int64(0)
        else:
            at = skip(buffer, at, end, tag, 4, s)
        if at < 0:
            return at
    return at


@kernel
def _read_link(buffer: Any, at: Any, end: Any, s: Any) -> Any:
    """Read a Link; the ids of the last one are kept, and how many there are."""
    s[LINKS] += 1
    s[LINK_TRACE_LEN], s[LINK_SPAN_LEN] = 0, 0
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return at
        if tag == 0x0A or tag == 0x12 or tag == 0x22:
            stop, at = read_length(buffer, at, end)
            if at < 0:
                return at
            if tag == 0x22:
                at = check(buffer, at, stop, KEY_VALUE, 5, s)
            else:
                first = LINK_TRACE_AT if tag == 0x0A else LINK_SPAN_AT
                s[first], s[first + 1] = at, stop - at
                at = stop
        else:
            at = skip(buffer, at, end, tag, 4, s)
        if at < 0:
            return at
    return at


@kernel
def _finish_span(buffer: Any, start: Any, end: Any, t: Any, s: Any) -> Any:
    """Write down what was read of a span."""
    trace = read_trace_id(buffer, s[TRACE_AT], s[TRACE_LEN], s)
    if trace[0] == 0 and trace[1] == 0:
        s[COHORTS] = s[OWN_COHORTS]
        write_dead(s, NO_TRACE_ID, end - start)
        return
    mend_times(s)
    kind = s[SAID + BEST + 4 * _KIND + 1] if s[SAID + _KIND] < UNSAID else np.int64(_OTHER)
    settle(kind, t, s)
    evaluator = kind == _EVALUATOR
    annotated = _is_annotated(t, s)
    if (evaluator or (annotated and kind == _OTHER)) and s[LINKS] == 1:
        linked = read_trace_id(buffer, s[LINK_TRACE_AT], s[LINK_TRACE_LEN], s)
        if linked[0] != 0 or linked[1] != 0:
            scored = read_span_id(buffer, s[LINK_SPAN_AT], s[LINK_SPAN_LEN], PARENT_ID_MADE, s)
            s[COHORTS] = s[OWN_COHORTS]
            if not annotated:
                s[EVALUATION_UNNAMED] += 1
            _write_annotations(buffer, (linked[0], linked[1], scored, np.int64(0), np.int64(0)), t, s)
            return
    span_id = read_span_id(buffer, s[SPAN_AT], s[SPAN_LEN], SPAN_ID_MADE, s)
    if span_id == 0:
        span_id = digest64(buffer, start, end - start)
        s[SPAN_ID_MADE] += 1
    parent = read_span_id(buffer, s[PARENT_AT], s[PARENT_LEN], PARENT_ID_MADE, s)
    if evaluator and annotated and parent == 0 and s[LINKS] == 0:
        conversation = name_said(buffer, SAID, _CONVERSATION, t, s)
        if conversation != 0:
            s[COHORTS] = s[OWN_COHORTS]
            none = np.int64(0)
            _write_annotations(buffer, (none, none, none, none, conversation), t, s)
            return
    write_span(buffer, t, s, trace, span_id, parent, np.int64(_OTHER) if evaluator else kind)
    if annotated:
        scored = parent if evaluator else span_id
        _write_annotations(buffer, (trace[0], trace[1], scored, np.int64(0), np.int64(0)), t, s)
    if s[EVALUATED]:
        write_span_evaluations(buffer, start, end, trace, span_id, t, s)


@kernel
def _is_annotated(t: Any, s: Any) -> Any:
    """Tell whether attributes of the span say something of an evaluation."""
    if s[SAID + _EVALUATION] < UNSAID or s[SAID + _LABEL] < UNSAID or s[SAID + _SCORE] < UNSAID:
        return True
    first = t[FIRST_ANNOTATION]
    for slot in range(first, first + 3 * ANNOTATIONS):
        if s[SAID + slot] < UNSAID:
            return True
    return False


@kernel
def _write_annotations(buffer: Any, of: Any, t: Any, s: Any) -> Any:
    """Write a row for each evaluation that the span's attributes tell of; `of`: what they score."""
    time = s[ENDED]
    if s[SAID + _EVALUATION] < UNSAID or s[SAID + _LABEL] < UNSAID or s[SAID + _SCORE] < UNSAID:
        slots = (np.int64(_EVALUATION), np.int64(_LABEL), np.int64(_SCORE))
        write_evaluation(buffer, t, s, of, time, SAID, slots)
    for n in range(ANNOTATIONS):
        slot = t[FIRST_ANNOTATION] + 3 * n
        if s[SAID + slot] < UNSAID or s[SAID + slot + 1] < UNSAID or s[SAID + slot + 2] < UNSAID:
            slots = (slot, slot + 1, slot + 2)
            write_evaluation(buffer, t, s, of, time, SAID, slots)


@kernel
def write_dead(s: Any, reason: Any, size: Any) -> Any:
    """Write a dead letter."""
    i = s[DEAD]
    if i >= s[MAX_DEAD]:
        s[SHORT] |= NO_DEAD
        return
    dead = words_at(s[DEAD_AT])
    dead[3 * i], dead[3 * i + 1], dead[3 * i + 2] = s[MESSAGE], reason, size
    s[DEAD] += 1
