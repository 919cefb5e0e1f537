"""STATE: one run as a shard keeps it: first its RUN record as published, then what only the shard needs.

Everything of variable length (span ids, tool spans) lies in blocks of one int64 arena; STATE holds where.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.runs.record import NEVER, RUN

if TYPE_CHECKING:
    from numpy.typing import NDArray

_I8, _I32, _I64 = np.int8, np.int32, np.int64

_RUN_NAMES: tuple[str, ...] = RUN.names or ()
_RUN_FIELDS: Any = [(name, RUN[name]) for name in _RUN_NAMES]

STATE = np.dtype(
    [
        *_RUN_FIELDS,
        ("said_workflow", _I64),  # said in so many words; RUN.workflow may be a fallback
        ("first_agent", _I64),  # name of the run span that starts first
        ("other_agent", _I64),  # by rank, where that one has no name
        ("estimated", _I64),  # computed costs of LLM spans, less those of calls whose bill is known: may be below 0
        # blocks in the arena, in words; rooms in entries
        # span id -> parent id, of an LLM span digest of the response id (0: none, or a barrier); evaluations;
        # failure_key -> flags
        ("seen_at", _I32),
        ("seen_n", _I32),
        ("seen_room", _I32),
        ("seen_index", _I32),
        ("tools_at", _I32),  # tool spans, the first MAX_TOOLS
        ("tools_n", _I32),  # all of them
        ("tools_room", _I32),
        ("tally_at", _I32),  # calls beyond MAX_TOOLS
        ("tally_n", _I32),
        ("tally_room", _I32),
        ("made_at", _I32),  # digest of tool and arguments -> count, of the calls beyond MAX_TOOLS
        ("made_n", _I32),
        ("made_room", _I32),
        ("made_index", _I32),
        ("handed", _I32),  # hand-offs to a person said by attributes
        ("computed_open", _I32),  # LLM spans with a computed cost, less bills of such calls: may be below 0
        ("unpriced_open", _I32),  # the same of those without a price
        ("mark", _I32),  # 1 + place among the runs touched by this batch; 0 between batches
        ("kept", _I8),  # 1: counted as remembered
        ("foreign", _I8),  # 1: closed and without any agent span: never published
        ("asked", _I8),  # 1: spans tell of approvals, so logs of them are not counted
        ("failures", _I8),  # 1: `seen` says of some span that what was executed in it failed
        ("agent_computed", _I8),  # 1: `agent_cost` was computed
        ("spare", _I8, (3,)),  # fills the last word: no byte may be undefined
    ],
    align=True,
)

RUN_WORDS, STATE_WORDS = RUN.itemsize // 8, STATE.itemsize // 8
_OFFSETS: Any = RUN.fields
NAMES_AT = _OFFSETS["workflow"][1] // 8
"""Word of RUN at which the names of DIMENSIONS start."""
COHORTS_AT = _OFFSETS["cohort_name"][1] // 8
"""Word of RUN at which the cohort names start; their values follow."""

SEEN_WORDS, TOOL_WORDS, TALLY_WORDS = 2, 6, 5
"""Words of an entry. A tool span is (span id, tool, call id, arguments, result, end | flags), a tally entry (tool,
minute, calls, errors, timeouts). Of a call that failed the result is its error type, where that is said: messages
differ by what was asked for, the error does not. The end is in Unix ns, its lowest byte given to the flags."""

MAX_TOOLS = 256
"""Tool spans of a run kept for collapsing; those beyond count one call each."""

MAX_DEPTH = 64
"""How many ancestors are walked to find the outermost span of a call."""

RULE_IDLE, RULE_MAX_AGE, RULE_REMEMBER, RULE_GRACE, RULE_REMEMBER_OTHER, RULE_UNKNOWN, RULE_REVISION = range(7)

FLAG_ERROR, FLAG_TIMEOUT, FLAG_ESCALATION, FLAG_TYPED = 1, 2, 4, 8
"""Of a tool span. TYPED: its word of the result is an error type whose text is kept."""
FLAGS = 0xFF
"""The byte of flags."""

NAME_TEXT, NAME_READ, NAME_TIMEOUT, NAME_GOOD, NAME_CLASS = 1, 2, 4, 8, 16
"""What is known of a name: its text is kept; it was read as error type and label: a time-out, a good label, the name
of a class of errors."""


class Head(IntEnum):
    """Numbers of a shard, in one int64 array that kernels can write."""

    ROWS = 0  # slots ever used
    FREE = 1  # 1 + first free slot; the next is in `seen_at`
    ALIVE = 2
    KEPT = 3  # closed, or only scored so far
    TOP = 4  # first free word of the arena
    NEED = 5  # words that the next row needs
    NAMES = 6  # entries of the name table
    STAMP = 7
    HORIZON = 8  # newest `closed_at` of what was forgotten
    WATERMARK = 9
    SCANNED = 10  # watermark of the last scan of `due`
    LOOKED_UP = 11  # watermark of the last look-up of evaluations that name no trace
    SPANS = 12
    DUPLICATES = 13
    LATE = 14
    FORGOTTEN = 15
    COHORTS_DROPPED = 16
    CLOSED_ROOT = 17
    CLOSED_IDLE = 18
    UNPRICED = 19
    NOT_AGENT = 20
    UNJOINED = 21  # evaluations without a trace that came here, less those of any shard that this one found a run for
    # of the batch; 0 at its start
    TOUCHED = 24
    OLD_CALLS = 25
    FRESH = 26  # names whose text must be fetched, see `Scratch.fresh`
    LEARNT = 27
    UNREAD = 29  # 1: stopped at a row whose error type or label must be read
    RELEARN = 28  # 1: an evaluated run changed its workflow or time


HEAD = 32
"""Length of the head; the last 8 are of the batch."""


class Store(NamedTuple):
    """The arrays of a shard, as the kernels take them."""

    states: NDArray[np.void]  # STATE
    words: NDArray[np.int64]  # the same memory [slot, word]
    due: NDArray[np.int64]  # [slot]: when the watermark changes something; NEVER: the slot is free
    untold: NDArray[np.uint8]  # [slot]: 1: no delta has told of the run since it took its slot; `told.OWED`
    traces: NDArray[np.int64]  # open addressing, hash << 32 | 1 + slot
    arena: NDArray[np.int64]
    name_keys: NDArray[np.int64]  # open addressing
    name_flags: NDArray[np.uint8]
    name_stamps: NDArray[np.int64]
    head: NDArray[np.int64]


def rows_like(capacity: int, old: NDArray[np.void] | None = None) -> NDArray[np.void]:
    """Give STATE rows, the old ones first; what is new is uninitialised and costs no memory until used."""
    states = np.empty(capacity, STATE)
    if old is not None:
        words_of(states)[: len(old)] = words_of(old)
    return states


def words_of(states: NDArray[np.void]) -> NDArray[np.int64]:
    """View STATE rows as int64 [row, word]."""
    return states.view(np.int64).reshape(len(states), STATE.itemsize // 8)


def taken(store: Store, slots: NDArray[np.int64]) -> NDArray[np.void]:
    """Give the STATE rows of these slots, by their words: numpy copies structured rows field by field."""
    return np.ndarray(len(slots), STATE, np.take(store.words, slots, axis=0))


def copied(store: Store) -> Store:
    """Give the runs as they are now, and nothing that only helps to find them."""
    rows, top = int(store.head[Head.ROWS]), int(store.head[Head.TOP])
    words = store.words[:rows].copy()
    states = np.ndarray(rows, STATE, words)
    none: NDArray[np.int64] = np.empty(0, np.int64)
    due, untold, arena = store.due[:rows].copy(), store.untold[:rows].copy(), store.arena[:top].copy()
    return Store(states, words, due, untold, none, arena, none, np.empty(0, np.uint8), none, store.head.copy())


def new_store() -> Store:
    """Give an empty shard."""
    states = rows_like(64)
    head = np.zeros(HEAD, np.int64)
    head[Head.HORIZON] = head[Head.WATERMARK] = head[Head.SCANNED] = head[Head.LOOKED_UP] = -NEVER
    return Store(
        states,
        words_of(states),
        np.full(64, NEVER, np.int64),
        np.zeros(64, np.uint8),
        np.zeros(128, np.int64),
        np.empty(2048, np.int64),
        np.zeros(128, np.int64),
        np.zeros(128, np.uint8),
        np.zeros(128, np.int64),
        head,
    )
