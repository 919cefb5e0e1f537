"""Evaluations that name no trace but the answer of a model: they wait in every shard until one has a run with it.

An evaluation of an answer goes to all run shards, as nobody knows in which its run is. The id of an answer is kept with
its LLM span in the map of seen spans, where a span's parent stands: an LLM span is a barrier, its parent is not needed.
So runs need no more memory, and a look-up goes through the whole arena; it is made for all that came, now and then.
Measured: 85 ms of processor time for all shards of 200,000 open runs, whatever the number of evaluations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.kernels import allocating
from models.runs.record import NEVER
from models.runs.state import SEEN_WORDS, Head
from models.spans.batch import Spans
from models.spans.columns import NO_SCORE, UNKNOWN, Column, SpanKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from models.runs.state import Store

MAX_WAITING = 4096
"""Evaluations that wait in a shard; beyond it the oldest go first."""

_C = Column
_KEPT = [_C.RESPONSE_ID, _C.TRACE_HI, _C.TRACE_LO, _C.SPAN_ID, _C.END, _C.EVALUATION, _C.SCORE]
WIDTH = len(_KEPT) + 1
"""Words of one that waits: these columns, and whether it was looked up."""

_RESPONSE, _HI, _LO, _SPAN, _END, _NAME, _SCORE, _LOOKED_UP = range(WIDTH)
_FILTER = 1 << 16
_GOOD = 1_000_000

Found = tuple[Spans, int]
"""EVALUATION rows of runs, and how many of what waited without a trace they are."""


class Waiting:
    """The evaluations that wait in one shard, as int64 `rows` [n, WIDTH].

    One that names a trace too, which may be the evaluator's own, has been told to that trace's shard: it is looked up
    once and then waits no more.
    """

    def __init__(self) -> None:
        self.rows: NDArray[np.int64] = np.empty((0, WIDTH), np.int64)
        self.fresh = False
        """Whether any has not been looked up yet."""
        self.dirty = False

    def __len__(self) -> int:
        """Count those that wait."""
        return len(self.rows)

    def ask(self, spans: Spans, is_good: Callable[[int], bool]) -> None:
        """Take in EVALUATION rows with a response id. A label counts as its score, as its text is not kept."""
        rows = np.zeros((len(spans), WIDTH), np.int64)
        rows[:, :_LOOKED_UP] = spans.cols[_KEPT].T
        for row, label in zip(rows, spans[Column.LABEL].tolist(), strict=True):
            if row[_SCORE] == NO_SCORE and label:
                row[_SCORE] = _GOOD * is_good(label)
        self._keep(np.concatenate((self.rows, rows[rows[:, _SCORE] != NO_SCORE])))

    def look_up(self, store: Store, oldest: int) -> Found:
        """Give the evaluations of answers that runs of this shard have, as rows of those runs; they wait no more.

        Those from before `oldest` (Unix ns) wait no more either.
        """
        fresh = self.rows[:, _LOOKED_UP] == 0
        slots = _slots_of(store, np.unique(self.rows[fresh, _RESPONSE]))
        known = fresh & np.isin(self.rows[:, _RESPONSE], list(slots))
        found = self.rows[known]
        traces = store.words[[slots[response] for response in found[:, _RESPONSE].tolist()], :2]
        stays = self.rows[~known & (self.rows[:, _END] >= oldest) & ~_has_trace(self.rows)]
        stays[:, _LOOKED_UP] = 1
        self._keep(stays)
        return _evaluations(found, traces)

    def meet(self, spans: Spans, rows: NDArray[np.int64]) -> Found:
        """Give the evaluations that waited for the LLM spans among `rows`, as rows of their runs; they wait no more."""
        responses = spans[Column.RESPONSE_ID][rows]
        answers = rows[(responses != 0) & (spans[Column.KIND][rows] == SpanKind.LLM)]
        known = spans[Column.RESPONSE_ID][answers]
        met = np.isin(self.rows[:, _RESPONSE], known)
        if not met.any():
            return Spans.empty(), 0
        found = self.rows[met]
        self._keep(self.rows[~met])
        order = np.argsort(known, kind="stable")
        first = answers[order[np.searchsorted(known[order], found[:, _RESPONSE])]]
        return _evaluations(found, spans.cols[: Column.SPAN_ID, first].T)

    def restore(self, rows: NDArray[np.int64]) -> None:
        """Put back what was kept."""
        self._keep(rows.reshape(-1, WIDTH))
        self.dirty = False

    def _keep(self, rows: NDArray[np.int64]) -> None:
        excess = len(rows) - MAX_WAITING
        if excess > 0:
            rows = rows[np.sort(np.argsort(rows[:, _END], kind="stable")[excess:])]
        self.rows, self.dirty = rows, True
        self.fresh = bool((rows[:, _LOOKED_UP] == 0).any())


def _has_trace(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (rows[:, _HI] != 0) | (rows[:, _LO] != 0)
    return found


def _evaluations(rows: NDArray[np.int64], traces: NDArray[np.int64]) -> Found:
    """Make EVALUATION rows of these traces, [n, (hi, lo)]; of those that named the same trace there are none."""
    lost = ~_has_trace(rows)
    other = (rows[:, [_HI, _LO]] != traces).any(axis=1)
    rows, traces = rows[other], traces[other]
    cols = np.zeros((len(Column), len(rows)), np.int64)
    cols[Column.INPUT_TOKENS : Column.COST + 1] = UNKNOWN
    cols[_KEPT] = rows[:, :_LOOKED_UP].T
    cols[Column.KIND], cols[Column.START] = SpanKind.EVALUATION, cols[Column.END]
    cols[[Column.TRACE_HI, Column.TRACE_LO]] = traces.T
    return Spans(cols, {}), int(lost.sum())


def _slots_of(store: Store, responses: NDArray[np.int64]) -> dict[int, int]:
    """Give the slots of the runs that have these answers (ascending), where there are such runs."""
    if not len(responses):
        return {}
    marks = np.zeros(_FILTER, np.uint8)
    marks[responses & (_FILTER - 1)] = 1
    places = _places(store.arena, store.head[Head.TOP], responses, marks)
    slots = _owners(store.states, store.due, store.head[Head.ROWS], places)
    found = zip(store.arena[places].tolist(), slots.tolist(), strict=True)
    return {response: slot for response, slot in found if slot >= 0}


@allocating
def _places(arena: Any, top: Any, wanted: Any, marks: Any) -> Any:
    """Give where in the arena these words (ascending) stand; `marks`, 1 at their last bits, spares most searches."""
    count = 0
    places = np.empty(64, np.int64)
    for k in range(top):
        word = arena[k]
        if marks[word & (marks.shape[0] - 1)] == 0:
            continue
        at = np.searchsorted(wanted, word)
        if at == wanted.shape[0] or wanted[at] != word:
            continue
        if count == places.shape[0]:
            places = np.append(places, np.empty(count, np.int64))
        places[count] = k
        count += 1
    return places[:count]


@allocating
def _owners(states: Any, due: Any, rows: Any, places: Any) -> Any:
    """Give the slot of the run in whose map of seen spans each place is a value, or -1."""
    slots = np.full(places.shape[0], -1, np.int64)
    for slot in range(rows):
        if due[slot] == NEVER or places.shape[0] == 0:
            continue
        first = states[slot].seen_at
        k = np.searchsorted(places, first)
        while k < places.shape[0] and places[k] < first + SEEN_WORDS * states[slot].seen_n:
            if (places[k] - first) % SEEN_WORDS == 1:
                slots[k] = slot
            k += 1
    return slots
