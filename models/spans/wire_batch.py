# ruff: noqa: C901, PLR0917, PLR1714, PLR2004, SIM102 - compiled kernels: bytes are compared with numbers of the wire format, one after the other
"""A batch on the wire: messages, their resources and scopes, down to each span and log record."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.kernels import allocating, kernel
from models.spans.columns import ABSENT, Column
from models.spans.mapping import RESOURCE
from models.spans.pointers import bytes_of, pointer_to
from models.spans.tables import SCOPE_COUNT, SCOPE_TEXT, SLOTS
from models.spans.wire import ENTITY, KEY_VALUE, STACK, check, read_length, read_tag, skip
from models.spans.wire_logs import read_record
from models.spans.wire_members import offer_attribute
from models.spans.wire_names import intern_name, name_of
from models.spans.wire_rows import name_in
from models.spans.wire_sources import find_key, same_bytes
from models.spans.wire_spans import COHORT_COLUMN, is_cohort, read_span, write_dead
from models.spans.wire_state import (
    BASE_RANK,
    BASE_VALUE,
    BEST,
    COHORTS,
    COHORTS_LEFT_OUT,
    DEAD,
    INHERITED,
    INHERITED_AT,
    MAX_INHERITED,
    MENDED,
    MENDED_BEFORE,
    MESSAGE,
    RECEIVED,
    ROWS,
    RULES,
    SAID,
    SCOPES,
    SHORT,
    UNSAID,
)
from models.spans.wire_values import read_pair, value_is_empty

_RULES = len(RULES)
_PREFIX_LENGTH = len("flyball.cohort.")
_FIRST_NAME, _LAST_NAME = int(Column.WORKFLOW), int(Column.TOOL)
_FIRST_CHOICE, _LAST_CHOICE = int(Column.OUTCOME), int(Column.HANDOFF)

_SPAN_WIRES = np.array([-1, 2, 2, 2, 2, 2, 0, 1, 1, 2, 0, 2, 0, 2, 0, 2, 5], np.int64)
_LOG_WIRES = np.array([-1, 1, 0, 2, -1, 2, 2, 0, 5, 2, 2, 1, 2, -1, -1, -1, -1], np.int64)
"""Wire types of the fields of Span and LogRecord, by field number; -1: no such field."""


@kernel
def read_messages(
    array: Any, starts: Any, stops: Any, numbers: Any, received: Any, first: Any, tables: Any, workspace: Any
) -> Any:
    """Read the protobuf messages that lie at [starts[i], stops[i]) of the buffer, into the arrays of a `State`.

    `numbers` are theirs in the batch, `received` their times in ns, one a message. A message that is not valid leaves
    a dead letter and nothing else. Begins with message `first`; gives the first that was not read: their number, or,
    where room is short, one before which all is as if it had not been looked at; SHORT says of what.
    """
    buffer, t, s = pointer_to(array), pointer_to(tables), pointer_to(workspace)
    s[SHORT] = 0
    for i in range(first, len(starts)):
        rows, cohorts, dead = s[ROWS], s[COHORTS], s[DEAD]
        _copy_mended(s, MENDED, MENDED_BEFORE)
        s[MESSAGE], s[RECEIVED] = numbers[i], received[i]
        error = _read_message(buffer, starts[i], stops[i], t, s)
        if error < 0 or s[SHORT] != 0:
            s[ROWS], s[COHORTS], s[DEAD] = rows, cohorts, dead
            _copy_mended(s, MENDED_BEFORE, MENDED)
            if s[SHORT] == 0:
                write_dead(s, error, stops[i] - starts[i])
            if s[SHORT] != 0:
                return i
    return len(starts)


@kernel
def _copy_mended(s: Any, source: Any, target: Any) -> Any:
    """Copy the counters of repairs."""
    for i in range(_RULES):
        s[target + i] = s[source + i]


@kernel
def _read_message(buffer: Any, at: Any, end: Any, t: Any, s: Any) -> Any:
    """Read a TracesData or LogsData: `end`, or an error."""
    logs = holds_logs(buffer, at, end, s)
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return at
        if tag == 0x0A:
            stop, at = read_length(buffer, at, end)
            if at >= 0:
                at = _read_resource_part(buffer, at, stop, logs, t, s)
        else:
            at = skip(buffer, at, end, tag, 0, s)
        if at < 0:
            return at
    return at


@kernel
def _read_resource_part(buffer: Any, start: Any, end: Any, logs: Any, t: Any, s: Any) -> Any:
    """Read a ResourceSpans or ResourceLogs: first its resource, wherever it stands, then its scopes."""
    for slot in range(t[SLOTS]):
        s[SAID + slot] = UNSAID
    s[INHERITED] = 0
    s[SCOPES] = 0
    for resource in (True, False):
        at = start
        while at < end:
            tag, at = read_tag(buffer, at, end)
            if at < 0:
                return at
            if tag == (0x0A if resource else 0x12):
                stop, at = read_length(buffer, at, end)
                if at < 0:
                    return at
                if resource:
                    at = _read_resource(buffer, at, stop, t, s)
                else:
                    at = _read_scope_part(buffer, at, stop, logs, t, s)
            else:
                at = skip(buffer, at, end, tag, 1, s)
            if at < 0:
                return at
        if resource:
            _keep_resource(buffer, t, s)
    return at


@kernel
def _read_resource(buffer: Any, at: Any, end: Any, t: Any, s: Any) -> Any:
    """Read the attributes of a Resource."""
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return at
        if tag == 0x0A or tag == 0x1A:
            stop, at = read_length(buffer, at, end)
            if at < 0:
                return at
            if tag == 0x0A:
                at = _read_resource_attribute(buffer, at, stop, t, s)
            else:
                at = check(buffer, at, stop, ENTITY, 3, s)
        else:
            at = skip(buffer, at, end, tag, 2, s)
        if at < 0:
            return at
    return at


@kernel
def _read_resource_attribute(buffer: Any, at: Any, stop: Any, t: Any, s: Any) -> Any:
    """Read an attribute of a resource: the next position."""
    key, length, kind, a, b, at = read_pair(buffer, at, stop, 3, s)
    if at < 0:
        return at
    found = find_key(buffer, key, length, t)
    if found >= 0:
        offer_attribute(buffer, found, np.int64(RESOURCE), np.int64(0), kind, a, b, t, s)
    elif is_cohort(buffer, key, length) and not value_is_empty(kind, b):
        if s[INHERITED] >= MAX_INHERITED:
            s[COHORTS_LEFT_OUT] += 1
            return at
        value = name_of(buffer, 0, kind, a, b, COHORT_COLUMN, s)
        if value != 0:
            name = intern_name(buffer, key + _PREFIX_LENGTH, length - _PREFIX_LENGTH, COHORT_COLUMN, s)
            i = s[INHERITED]
            s[INHERITED_AT + 2 * i + 0], s[INHERITED_AT + 2 * i + 1] = name, value
            s[INHERITED] += 1
    return at


@kernel
def _keep_resource(buffer: Any, t: Any, s: Any) -> Any:
    """Keep what the resource said as the base of all of its spans."""
    for slot in range(t[SLOTS]):
        s[BASE_RANK + slot] = UNSAID
        s[BASE_VALUE + slot] = 0
    for column in range(_FIRST_NAME, _LAST_NAME + 1):
        if s[SAID + column] < UNSAID:
            value = name_in(buffer, SAID, column, column, t, s)
            if value != ABSENT:
                s[BASE_RANK + column], s[BASE_VALUE + column] = s[SAID + column], value
    for column in range(_FIRST_CHOICE, _LAST_CHOICE + 1):
        if s[SAID + column] < UNSAID:
            s[BASE_RANK + column], s[BASE_VALUE + column] = s[SAID + column], s[SAID + BEST + 4 * column + 1]


@kernel
def _read_scope_part(buffer: Any, start: Any, end: Any, logs: Any, t: Any, s: Any) -> Any:
    """Read a ScopeSpans or ScopeLogs: first its scope, wherever it stands, then its spans or records."""
    at = _read_scope(buffer, start, end, t, s)
    if at < 0:
        return at
    at = start
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return at
        if tag == 0x12:
            stop, at = read_length(buffer, at, end)
            if at < 0:
                return at
            at = read_record(buffer, at, stop, t, s) if logs else read_span(buffer, at, stop, t, s)
        else:
            at = skip(buffer, at, end, tag, 2, s)
        if at < 0:
            return at
    return at


@kernel
def _read_scope(buffer: Any, at: Any, end: Any, t: Any, s: Any) -> Any:
    """Find the scope's name, check the rest of it, and note which patterns the name matches."""
    name, length = np.int64(0), np.int64(0)
    while at < end:
        tag, at = read_tag(buffer, at, end)
        if at < 0:
            return at
        if tag != 0x0A:
            at = skip(buffer, at, end, tag, 2, s)
            if at < 0:
                return at
            continue
        stop, at = read_length(buffer, at, end)
        while at >= 0 and at < stop:
            tag, at = read_tag(buffer, at, stop)
            if at < 0:
                return at
            if tag == 0x0A or tag == 0x1A:
                inner, at = read_length(buffer, at, stop)
                if at < 0:
                    return at
                if tag == 0x0A:
                    name, length, at = at, inner - at, inner
                else:
                    at = check(buffer, at, inner, KEY_VALUE, 4, s)
            else:
                at = skip(buffer, at, stop, tag, 3, s)
        if at < 0:
            return at
    s[SCOPES] = _matching_scopes(buffer, name, length, t)
    return at


@kernel
def _matching_scopes(buffer: Any, name: Any, length: Any, t: Any) -> Any:
    """Give the patterns that a scope's name begins with, as bits."""
    bits = np.int64(0)
    for i in range(t[SCOPE_COUNT]):
        first = t[t[SCOPE_TEXT] + i]
        size = t[t[SCOPE_TEXT] + i + 1] - first
        if size <= length and same_bytes(buffer, name, bytes_of(t), first, size):
            bits |= np.int64(1) << i
    return bits


@kernel
def holds_logs(buffer: Any, at: Any, end: Any, s: Any) -> Any:
    """Tell LogsData from TracesData: by the first field of a record whose wire type only one of the two has.

    Both are nested alike, three messages deep in fields 1, 2 and 2. A message without such a field is TracesData.
    """
    ends = STACK
    level = 0
    s[ends] = end
    while True:
        while level > 0 and at >= s[ends + level]:
            level -= 1
        if at >= s[ends + level]:
            return False
        tag, at = read_tag(buffer, at, s[ends + level])
        if at < 0:
            return False
        field, wire = tag >> 3, tag & 7
        if level == 3 and field < len(_SPAN_WIRES) and _SPAN_WIRES[field] != _LOG_WIRES[field]:
            if wire == _SPAN_WIRES[field] or wire == _LOG_WIRES[field]:
                return wire == _LOG_WIRES[field]
        if level < 3 and tag == (0x0A if level == 0 else 0x12):
            stop, at = read_length(buffer, at, s[ends + level])
            level += 1
            s[ends + level] = stop
        else:
            at = skip(buffer, at, s[ends + level], tag, level, s)
        if at < 0:
            return False


@kernel
def is_json(buffer: Any, at: Any, end: Any) -> Any:
    """Tell JSON from protobuf: an open brace, then a name in quotes or the closing brace, spaces between.

    The brace alone is not enough: 0A 7B, a line feed and a brace, also begins a protobuf message of 125 bytes.
    """
    at = _skip_space(buffer, at, end)
    if at >= end or buffer[at] != 0x7B:
        return False
    at = _skip_space(buffer, at + 1, end)
    if at < end and buffer[at] == 0x7D:
        return True
    if at + 1 >= end or buffer[at] != 0x22:
        return at >= end
    letter = buffer[at + 1] | 0x20
    return 0x61 <= letter <= 0x7A or buffer[at + 1] == 0x5F


@kernel
def _skip_space(buffer: Any, at: Any, end: Any) -> Any:
    """Step over what JSON calls whitespace."""
    while at < end and (buffer[at] == 0x20 or 0x09 <= buffer[at] <= 0x0D):
        at += 1
    return at


@allocating
def find_json(array: Any, starts: Any, stops: Any) -> Any:
    """Tell which messages are JSON, as booleans."""
    buffer = pointer_to(array)
    found = np.empty(len(starts), np.bool_)
    for i in range(len(starts)):
        found[i] = is_json(buffer, starts[i], stops[i])
    return found
