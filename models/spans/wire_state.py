"""What the kernels share while they walk a batch: the rows they fill, the names they meet, the span they are in.

It is one array of int64 words, handed on as a plain pointer `s`; the constants below are positions in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.digest import SLACK
from models.spans.columns import Column
from models.spans.mapping import MAX_PATH
from models.spans.wire import WORKSPACE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COUNTS = WORKSPACE
ROWS, COHORTS, DEAD, NAMES, TEXT, SCOPES, LATER, SPAN_NUMBER = range(_COUNTS, _COUNTS + 8)
OWN_COHORTS, INHERITED, SHORT = range(_COUNTS + 8, _COUNTS + 11)
"""Counters. TEXT: bytes of the texts of all names. SCOPES: bits of the patterns that the scope matches. LATER: sources
that wait for the kind. OWN_COHORTS: where those of the span begin. INHERITED: cohorts of the resource. SHORT: bits of
what ran out of room."""

NO_ROWS, NO_COHORTS, NO_DEAD, NO_NAMES, NO_TEXT = 1, 2, 4, 8, 16

COLS, COHORTS_AT, DEAD_AT, NAME_PLACES, NAME_LIST, TEXT_AT = range(_COUNTS + 16, _COUNTS + 22)
"""Addresses: rows [row, column]; cohorts [(row, name, value), i]; dead letters [i, (message, reason, size)]; names
[place, (digest, bits of the columns they are in)], open addressing, 0 is empty; names [i, (digest, end of the text)]
as they came; their texts, one behind the other."""

MAX_ROWS, MAX_COHORTS, MAX_DEAD, MAX_NAMES, MAX_TEXT, SKEW = range(_COUNTS + 24, _COUNTS + 30)
"""Limits: how much room there is (MAX_NAMES: places, a power of two); how far in the future a time may lie, in ns."""

RULES = (
    "name.cut",
    "name.type",
    "number.unreadable",
    "time.reversed",
    "time.future",
    "time.missing",
    "trace_id.text",
    "span_id.made",
    "parent_id.made",
    "log.ignored",
    "evaluation.unnamed",
    "cohorts.left_out",
    "outcome.unknown",
)
MENDED = _COUNTS + 32
NAME_CUT, NAME_TYPE, NUMBER_UNREADABLE, TIME_REVERSED, TIME_FUTURE, TIME_MISSING = range(MENDED, MENDED + 6)
TRACE_ID_TEXT, SPAN_ID_MADE, PARENT_ID_MADE, LOG_IGNORED, EVALUATION_UNNAMED, COHORTS_LEFT_OUT, OUTCOME_UNKNOWN = range(
    MENDED + 6, MENDED + len(RULES)
)
"""Repairs, counted by rule."""

MENDED_BEFORE = _COUNTS + 48
"""The same before the message that is read."""

_FACTS = _COUNTS + 64
TRACE_AT, TRACE_LEN, SPAN_AT, SPAN_LEN, PARENT_AT, PARENT_LEN, STARTED, ENDED, CODE, LINKS = range(_FACTS, _FACTS + 10)
LINK_TRACE_AT, LINK_TRACE_LEN, LINK_SPAN_AT, LINK_SPAN_LEN, EVALUATED, NAME_AT, NAME_LEN, ROLE = range(
    _FACTS + 10, _FACTS + 18
)
FIRST_FACT, END_OF_FACTS = TRACE_AT, ROLE + 1
"""What is known of the span or log record that is read: positions and lengths of its ids, times, status code, links,
whether it has evaluation events, OTLP's kind (ROLE); of a record, STARTED is its time, ENDED when it was observed."""

MESSAGE, RECEIVED = END_OF_FACTS, END_OF_FACTS + 1
"""Number of the message that is read, and when it arrived."""

NO_TRACE_ID = -100
"""Reason of a span that is dead-lettered alone."""

UNSAID = 1 << 40
"""Rank of a slot that nothing was said for."""

MAX_NAME = 256
"""Bytes of a name that are kept."""

MAX_INHERITED = 16
"""Cohorts of a resource that are kept."""

MAX_SLOTS = 128
MAX_SOURCES = 1024

INHERITED_AT = _COUNTS + 96  # [i, (name, value)]
BASE_RANK = _COUNTS + 128  # [slot] rank of the best source on the resource
BASE_VALUE = BASE_RANK + MAX_SLOTS  # [slot] the value of the resource, read
SAID = (
    BASE_VALUE + MAX_SLOTS
)  # a bank: [slot] rank of the best source so far, then [slot, (kind, a, b, source)] its value
EVENT_SAID = SAID + 5 * MAX_SLOTS  # a bank for the event that is read
BEST = MAX_SLOTS  # where in a bank the values are
WAITING = EVENT_SAID + 5 * MAX_SLOTS  # [i] sources that wait for the kind
WAITED = WAITING + MAX_SOURCES  # [source, (span number, kind, a, b)] their values
NESTING = WAITED + 4 * MAX_SOURCES  # [level, (key, position, end)] of the objects around the member that is read
_END = NESTING + 3 * (MAX_PATH + 1)

_ROWS = 2048
"""Rows that there is room for at least."""


def make_rows(rows: int) -> NDArray[np.int64]:
    """Make [row, column] for so many rows: a row is 6 cache lines that lie together, whoever writes or reads it."""
    return np.empty((rows, len(Column)), np.int64)


_NO_ROWS = make_rows(0)


class State:
    """The arrays that a batch is read into, again and again; `words` is what the kernels know of them."""

    def __init__(self) -> None:
        """Make room for a start."""
        self.cols = make_rows(_ROWS)
        self.cohorts = np.empty((3, 64), np.int64)
        self.dead = np.empty((16, 3), np.int64)
        self.name_places = np.zeros((1024, 2), np.int64)
        self.name_list = np.empty((512, 2), np.int64)
        self.text = np.empty(1 << 14, np.uint8)
        self.words = np.zeros(_END, np.int64)

    def begin(self, skew_ns: int, rows: int) -> None:
        """Begin a batch of about so many rows."""
        self.cols = make_rows(max(rows, _ROWS))
        self.words[:] = 0
        self.words[SKEW] = skew_ns
        self.name_places.fill(0)
        self.tell()

    def tell(self) -> None:
        """Tell the kernels where everything is, and how much fits."""
        arrays = (self.cols, self.cohorts, self.dead, self.name_places, self.name_list, self.text)
        self.words[COLS : COLS + 6] = [array.ctypes.data for array in arrays]
        self.words[MAX_ROWS : MAX_ROWS + 5] = [
            len(self.cols),
            self.cohorts.shape[1],
            len(self.dead),
            len(self.name_places),
            len(self.text) - SLACK,
        ]

    def used_cohorts(self) -> NDArray[np.int64]:
        """Give the cohorts that were written, [(row, name, value), i]."""
        return self.cohorts[:, : self.words[COHORTS]].copy()

    def used_dead(self) -> list[list[int]]:
        """Give the dead letters that were written, (message, reason, size) each."""
        letters: list[list[int]] = self.dead[: self.words[DEAD]].tolist()
        return letters

    def take_rows(self) -> NDArray[np.int64]:
        """Give the rows that were written, [column, row], F-contiguous; they are no longer of this state."""
        rows, self.cols = self.cols[: self.words[ROWS]].T, _NO_ROWS
        return rows

    def used_names(self) -> NDArray[np.int64]:
        """Give the names that were met, [i, (digest, end of its text)]."""
        return self.name_list[: self.words[NAMES]]

    def used_text(self) -> bytes:
        """Give the texts of the names."""
        return self.text[: self.words[TEXT]].tobytes()

    def mended(self) -> dict[str, int]:
        """Give the repairs that were made."""
        counts = self.words[MENDED : MENDED + len(RULES)].tolist()
        return {rule: count for rule, count in zip(RULES, counts, strict=True) if count}
