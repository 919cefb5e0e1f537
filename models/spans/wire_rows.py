"""Rows: what was gathered of a span or an evaluation is written down in the canonical columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import mix64
from models.kernels import kernel
from models.spans.columns import ABSENT, NO_SCORE, UNKNOWN, Column, SpanKind, SpanStatus
from models.spans.pointers import bytes_of, words_at
from models.spans.tables import (
    CONSTANT,
    FIELDS,
    HOW,
    OTHER_ERROR,
    OTHER_TYPE,
    PLUS,
    PLUS_TOO,
    SIGNED_SCALE,
    SOURCES,
    WITHIN,
)
from models.spans.wire_alike import digest_alike
from models.spans.wire_names import intern_name, name_of
from models.spans.wire_state import (
    BASE_RANK,
    BASE_VALUE,
    BEST,
    CODE,
    COHORTS,
    COHORTS_AT,
    COLS,
    ENDED,
    EVALUATION_UNNAMED,
    INHERITED,
    INHERITED_AT,
    MAX_COHORTS,
    MAX_ROWS,
    MESSAGE,
    NO_COHORTS,
    NO_ROWS,
    NUMBER_UNREADABLE,
    OWN_COHORTS,
    RECEIVED,
    ROWS,
    SAID,
    SHORT,
    SKEW,
    STARTED,
    TIME_FUTURE,
    TIME_MISSING,
    TIME_REVERSED,
    UNSAID,
)
from models.spans.wire_values import BYTES, LIST, STRING, digest_value, to_integer

_NAMED = (int(Column.WORKFLOW), int(Column.ERROR_TYPE))
_CONTENTS = (int(Column.CALL_ID), int(Column.RESULT))
_ARGUMENTS = int(Column.ARGUMENTS)
_RESPONSE, _CONVERSATION = int(Column.RESPONSE_ID), int(Column.CONVERSATION)
_NUMBERS = (int(Column.INPUT_TOKENS), int(Column.COST))
_CHOSEN = (int(Column.OUTCOME), int(Column.STOP))
_FIRST_NAME = int(Column.WORKFLOW)
_PRICED, _SCORE, _EVALUATION, _LABEL = (int(c) for c in (Column.PRICED, Column.SCORE, Column.EVALUATION, Column.LABEL))
_TRACE_HI, _TRACE_LO, _SPAN_ID, _PARENT_ID, _START, _END, _KIND, _STATUS, _MESSAGE = range(Column.MESSAGE + 1)
_EVALUATED, _ERROR = int(SpanKind.EVALUATION), int(SpanStatus.ERROR)
_ERROR_TYPE, _INPUT, _OUTPUT = int(Column.ERROR_TYPE), int(Column.INPUT_TOKENS), int(Column.OUTPUT_TOKENS)
_OTHER_LENGTH = len(OTHER_TYPE)
_WORKFLOW, _SERVICE = int(Column.WORKFLOW), int(Column.SERVICE)
_COLUMNS = len(Column)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_INT64_MAX = 2**63 - 1


@kernel
def new_row(s: Any) -> Any:
    """Take the next row; without room it is the last one, kept free for that: the message will be read again."""
    row = s[ROWS]
    if row >= s[MAX_ROWS] - 1:
        s[SHORT] |= NO_ROWS
        return s[MAX_ROWS] - 1
    s[ROWS] += 1
    return row


@kernel
def number_of(buffer: Any, bank: Any, slot: Any, t: Any, s: Any, unsaid: Any) -> Any:
    """Read the number in a slot; what is no number is `unsaid` and counted."""
    best = bank + BEST + 4 * slot
    scale = t[SOURCES + FIELDS * s[best + 3] + CONSTANT]
    value, fine = to_integer(buffer, s[best], s[best + 1], s[best + 2], scale, scale == SIGNED_SCALE)
    if fine:
        return value
    s[NUMBER_UNREADABLE] += 1
    return np.int64(unsaid)


@kernel
def name_in(buffer: Any, bank: Any, slot: Any, column: Any, t: Any, s: Any) -> Any:
    """Read the name in a slot, for a column; 0 where it is none."""
    best = bank + BEST + 4 * slot
    how = t[SOURCES + FIELDS * s[best + 3] + HOW]
    return name_of(buffer, how, s[best], s[best + 1], s[best + 2], column - _FIRST_NAME, s)


@kernel
def content_in(buffer: Any, bank: Any, slot: Any, s: Any) -> Any:
    """Digest the content in a slot; ABSENT where nothing was said."""
    if s[bank + slot] == UNSAID:
        return np.int64(ABSENT)
    best = bank + BEST + 4 * slot
    return digest_value(buffer, s[best], s[best + 1], s[best + 2])


@kernel
def _arguments(buffer: Any, s: Any) -> Any:
    """Digest what was said of a tool's arguments: JSON whatever the order of its keys."""
    best = SAID + BEST + 4 * _ARGUMENTS
    if s[SAID + _ARGUMENTS] != UNSAID and (s[best] == STRING or LIST <= s[best] <= BYTES):
        return digest_alike(buffer, s[best + 1], s[best + 2], s)
    return content_in(buffer, SAID, _ARGUMENTS, s)


@kernel
def name_said(buffer: Any, bank: Any, column: Any, t: Any, s: Any) -> Any:
    """Give the name that was said for a column, else that of the resource; ABSENT where there is none."""
    if s[bank + column] != UNSAID and s[bank + column] != s[BASE_RANK + column]:
        said = name_in(buffer, bank, column, column, t, s)
        if said != ABSENT:
            return said
    return s[BASE_VALUE + column]


@kernel
def write_span(buffer: Any, t: Any, s: Any, trace: Any, span_id: Any, parent: Any, kind: Any) -> Any:
    """Write the row of the span that was read: its number."""
    row = new_row(s)
    cols, at = words_at(s[COLS]), _COLUMNS * row
    cols[at + _TRACE_HI], cols[at + _TRACE_LO] = trace
    cols[at + _SPAN_ID], cols[at + _PARENT_ID] = span_id, parent
    cols[at + _START], cols[at + _END] = s[STARTED], s[ENDED]
    cols[at + _KIND], cols[at + _STATUS], cols[at + _MESSAGE] = kind, s[CODE], s[MESSAGE]
    for column in range(_NAMED[0], _NAMED[1] + 1):
        cols[at + column] = name_said(buffer, SAID, column, t, s)
    if s[SAID + _STATUS] < UNSAID:
        _write_status(t, s, row)
    cols[at + _EVALUATION], cols[at + _LABEL] = ABSENT, ABSENT
    for column in range(_CONTENTS[0], _CONTENTS[1] + 1):
        cols[at + column] = _arguments(buffer, s) if column == _ARGUMENTS else content_in(buffer, SAID, column, s)
    cols[at + _RESPONSE] = content_in(buffer, SAID, _RESPONSE, s)
    for column in range(_NUMBERS[0], _NUMBERS[1] + 1):
        said = s[SAID + column] < UNSAID
        cols[at + column] = number_of(buffer, SAID, column, t, s, UNKNOWN) if said else np.int64(UNKNOWN)
    _add(buffer, t, s, row)
    cols[at + _PRICED], cols[at + _SCORE] = 0, NO_SCORE
    for column in range(_CHOSEN[0], _CHOSEN[1] + 1):
        cols[at + column] = _choice(s, column)
    _write_inherited(s, row)
    return row


@kernel
def _write_status(t: Any, s: Any, row: Any) -> Any:
    """Write the status that an attribute says: an error has a type, what is no error has none."""
    cols, at = words_at(s[COLS]), _COLUMNS * row
    status = s[SAID + BEST + 4 * _STATUS + 1]
    cols[at + _STATUS] = status
    if status != _ERROR:
        cols[at + _ERROR_TYPE] = ABSENT
    elif cols[at + _ERROR_TYPE] == ABSENT:
        column = _ERROR_TYPE - _FIRST_NAME
        cols[at + _ERROR_TYPE] = intern_name(bytes_of(t), t[OTHER_ERROR], _OTHER_LENGTH, column, s)


@kernel
def _choice(s: Any, column: Any) -> Any:
    """Give the choice that was made for an enumerated column; 0 where none was."""
    if s[SAID + column] == UNSAID:
        return np.int64(0)
    return s[SAID + BEST + 4 * column + 1] if s[SAID + column] != s[BASE_RANK + column] else s[BASE_VALUE + column]


@kernel
def _add(buffer: Any, t: Any, s: Any, row: Any) -> Any:
    """Add what sources say is to be added to them, where it was said."""
    cols, at = words_at(s[COLS]), _COLUMNS * row
    for column in range(_NUMBERS[0], _NUMBERS[1] + 1):
        if s[SAID + column] == UNSAID or cols[at + column] < 0:
            continue
        first = SOURCES + FIELDS * s[SAID + BEST + 4 * column + 3]
        if t[first + PLUS] < 0:
            continue
        room = np.int64(_INT64_MAX)
        if t[first + WITHIN] >= 0:
            other = cols[at + (_OUTPUT if column == _INPUT else _INPUT)]
            room = _said_number(buffer, t[first + WITHIN], t, s, row) - max(other, np.int64(0))
        for which in (PLUS, PLUS_TOO):
            if t[first + which] >= 0:
                more = _said_number(buffer, t[first + which], t, s, row)
                if 0 < more <= room and cols[at + column] <= room - more:
                    cols[at + column] += more


@kernel
def _said_number(buffer: Any, slot: Any, t: Any, s: Any, row: Any) -> Any:
    """Give the number in a slot, that of the row where it is a column; UNKNOWN where none was said."""
    if s[SAID + slot] == UNSAID:
        return np.int64(UNKNOWN)
    return words_at(s[COLS])[_COLUMNS * row + slot] if slot < _COLUMNS else number_of(buffer, SAID, slot, t, s, UNKNOWN)


@kernel
def _write_inherited(s: Any, row: Any) -> Any:
    """Write the cohorts of the resource that the span did not say itself."""
    cohorts, room = words_at(s[COHORTS_AT]), s[MAX_COHORTS]
    own, said = s[OWN_COHORTS], s[COHORTS]
    for i in range(s[INHERITED]):
        again = False
        for j in range(own, said):
            again = again or cohorts[room + j] == s[INHERITED_AT + 2 * i + 0]
        if not again:
            write_cohort(s, s[INHERITED_AT + 2 * i + 0], s[INHERITED_AT + 2 * i + 1])
    for j in range(own, s[COHORTS]):
        cohorts[j] = row


@kernel
def write_cohort(s: Any, name: Any, value: Any) -> Any:
    """Write a cohort of the span that is read; its row is filled in when that is known."""
    i = s[COHORTS]
    cohorts, room = words_at(s[COHORTS_AT]), s[MAX_COHORTS]
    if i >= room:
        s[SHORT] |= NO_COHORTS
        return
    cohorts[room + i], cohorts[2 * room + i] = name, value
    s[COHORTS] += 1


@kernel
def mend_times(s: Any) -> Any:
    """Bring the two times of a span in order: see `models.spans.decoder.Decoder` for the rules."""
    received = s[RECEIVED]
    start, end = _late_if_negative(s[STARTED]), _late_if_negative(s[ENDED])
    if start == 0 or end == 0:
        s[TIME_MISSING] += 1
        if start == 0 and end == 0:
            start, end = received, received
        elif end == 0:
            end = start
        else:
            start = end
    if end < start:
        s[TIME_REVERSED] += 1
        start = end
    if end > received + s[SKEW]:
        s[TIME_FUTURE] += 1
        end = received
        start = min(start, end)
    s[STARTED], s[ENDED] = start, end


@kernel
def _late_if_negative(time: Any) -> Any:
    """Read a fixed64 beyond the range of int64 as the latest time there is."""
    return time if time >= 0 else np.int64(_INT64_MAX)


@kernel
def write_evaluation(buffer: Any, t: Any, s: Any, of: Any, time: Any, bank: Any, slots: Any) -> Any:
    """Write the row of an evaluation whose name, label and score are in `slots`; without a name: none, counted.

    `of` is what it scores: trace (both words), span, answer, conversation; 0 where that is not said.
    """
    name_slot, label_slot, score_slot = slots
    hi, lo, scored, response, conversation = of
    name = np.int64(ABSENT)
    if s[bank + name_slot] < UNSAID:
        name = name_in(buffer, bank, name_slot, _EVALUATION, t, s)
    if name == ABSENT:
        s[EVALUATION_UNNAMED] += 1
        return
    label, score = np.int64(ABSENT), np.int64(NO_SCORE)
    if s[bank + label_slot] < UNSAID:
        label = name_in(buffer, bank, label_slot, _LABEL, t, s)
    if s[bank + score_slot] < UNSAID:
        score = number_of(buffer, bank, score_slot, t, s, NO_SCORE)
    row = new_row(s)
    cols, at = words_at(s[COLS]), _COLUMNS * row
    for column in range(_COLUMNS):
        cols[at + column] = 0
    cols[at + _TRACE_HI], cols[at + _TRACE_LO] = hi, lo
    cols[at + _RESPONSE], cols[at + _CONVERSATION] = response, conversation
    cols[at + _PARENT_ID], cols[at + _KIND], cols[at + _MESSAGE] = scored, _EVALUATED, s[MESSAGE]
    cols[at + _START], cols[at + _END] = time, time
    cols[at + _EVALUATION], cols[at + _LABEL], cols[at + _SCORE] = name, label, score
    # who sent it, so that others learn that this workflow is evaluated; it never names the run
    cols[at + _WORKFLOW], cols[at + _SERVICE] = s[BASE_VALUE + _WORKFLOW], s[BASE_VALUE + _SERVICE]
    for column in range(_NUMBERS[0], _NUMBERS[1] + 1):
        cols[at + column] = UNKNOWN
    digest = fold(fold(fold(fold(fold(np.uint64(0), scored), name), time), score), label)
    if hi == 0 and lo == 0:
        digest = fold(fold(digest, response), conversation)
    cols[at + _SPAN_ID] = as_id(digest)


@kernel
def as_id(digest: Any) -> Any:
    """Give a digest as a span id, which is never 0."""
    return np.int64(digest) if digest != np.uint64(0) else np.int64(1)


@kernel
def fold(digest: Any, word: Any) -> Any:
    """Digest one more word."""
    return mix64((digest * _SPREAD) ^ np.uint64(word))
