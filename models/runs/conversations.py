"""Feedback on a conversation: it is credited to the latest run of it that had ended by then."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from models.runs.policy import is_good_label
from models.runs.record import NEVER
from models.spans.batch import Spans
from models.spans.columns import NO_SCORE, UNKNOWN, Column, SpanKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHARDS = 8
"""Conversations are parted by the last bits of their digest. Part of the stored state: it must never change."""

MAX_RUNS, MAX_WAITING = 32_768, 4096
"""Runs known and evaluations that wait, a shard; beyond it the oldest go first."""

_C = Column
_SAID = [_C.CONVERSATION, _C.SPAN_ID, _C.END, _C.EVALUATION, _C.SCORE]
_CONVERSATION, _HI, _LO, _END, _IS_AGENT = range(5)
_OF, _, _AT, _, _SCORE, _LOOKED_UP = range(len(_SAID) + 1)
_RUN_WORDS, _WAITING_WORDS = 5, len(_SAID) + 1
_HEADER = struct.Struct("<4sHqq")
_MAGIC, _VERSION = b"fbCV", 1
_GOOD = 1_000_000
_KEEP = 0.75


def ends_of_runs(spans: Spans) -> NDArray[np.int64]:
    """Give (conversation, trace, trace, end, 1 of an agent) of each span, [n, 5], whose end may be that of a run.

    Run spans and those without a parent. What is of no agent counts only where nothing else of its conversation is
    known: the session of a browser may have the same name.
    """
    kind, parent = spans[Column.KIND], spans[Column.PARENT_ID]
    outer = (kind == SpanKind.RUN) | ((parent == 0) & (kind != SpanKind.EVALUATION))
    rows = np.flatnonzero(outer & (spans[Column.CONVERSATION] != 0))
    out = np.empty((len(rows), _RUN_WORDS), np.int64)
    for word, column in enumerate((_C.CONVERSATION, _C.TRACE_HI, _C.TRACE_LO, _C.END)):
        out[:, word] = spans[column][rows]
    out[:, _IS_AGENT] = kind[rows] != SpanKind.OTHER
    return out


class Conversations:
    """The conversations of one shard: ends of runs, int64 [n, 5], and evaluations that wait, int64 [n, 6]."""

    def __init__(self) -> None:
        self._runs = [np.empty((0, _RUN_WORDS), np.int64)]
        """In parts, put together when they are looked at or too many: nobody asks for most of them."""
        self._known = 0
        self._waiting: NDArray[np.int64] = np.empty((0, _WAITING_WORDS), np.int64)
        self._new: list[NDArray[np.int64]] = []

    def __len__(self) -> int:
        """Count the evaluations that wait."""
        return len(self._waiting)

    def hear(self, ends: NDArray[np.int64]) -> None:
        """Take in what `ends_of_runs` gave."""
        if not len(ends):
            return
        self._new.append(ends)
        self._add(ends)
        if len(self._waiting):
            self._waiting[np.isin(self._waiting[:, _OF], ends[:, _CONVERSATION]), _LOOKED_UP] = 0

    def ask(self, spans: Spans) -> None:
        """Take in EVALUATION rows with a conversation. A label counts as its score, as its text is not kept."""
        rows = np.zeros((len(spans), _WAITING_WORDS), np.int64)
        rows[:, :_LOOKED_UP] = spans.cols[_SAID].T
        for row, label in zip(rows, spans[Column.LABEL].tolist(), strict=True):
            if row[_SCORE] == NO_SCORE and label:
                row[_SCORE] = _GOOD * is_good_label(spans.names[label])
        rows = rows[rows[:, _SCORE] != NO_SCORE]
        self._waiting = _newest(np.concatenate((self._waiting, rows)), _AT, MAX_WAITING)

    def join(self, watermark_ns: int) -> Spans:
        """Give the evaluations from before the watermark as rows of the runs they are about; others wait on."""
        due = np.flatnonzero((self._waiting[:, _AT] <= watermark_ns) & (self._waiting[:, _LOOKED_UP] == 0))
        if not len(due):
            return Spans.empty()
        self._waiting[due, _LOOKED_UP] = 1
        traces = [self._latest(int(row[_OF]), int(row[_AT])) for row in self._waiting[due]]
        found = [(place, trace) for place, trace in zip(due.tolist(), traces, strict=True) if trace is not None]
        places = [place for place, _ in found]
        rows = self._waiting[places]
        self._waiting = np.delete(self._waiting, places, axis=0)
        return _evaluations(rows, np.array([trace for _, trace in found], np.int64).reshape(-1, 2))

    def drain(self) -> Spans:
        """Give all that have a run: nothing more will come."""
        return self.join(NEVER)

    def take_delta(self) -> bytes:
        """Give what changed since the last call: ends of runs that are new, and all that waits."""
        new = np.concatenate([self._all()[:0], *self._new])
        self._new = []
        return _pack(new, self._waiting)

    def dump(self) -> bytes:
        """Give everything."""
        return _pack(self._all(), self._waiting)

    @staticmethod
    def load(base: bytes | None, deltas: Sequence[bytes]) -> Conversations:
        """Restore from a dump and the deltas after it. Raises ValueError for bytes that are not of this version."""
        table = Conversations()
        for raw in ([base] if base is not None else []) + list(deltas):
            runs, table._waiting = _unpack(raw)
            table._add(runs)
        return table

    def _add(self, ends: NDArray[np.int64]) -> None:
        self._runs.append(ends)
        self._known += len(ends)
        if self._known > MAX_RUNS:
            self._runs = [_newest(self._all(), _END, MAX_RUNS)]
            self._known = len(self._runs[0])

    def _all(self) -> NDArray[np.int64]:
        if len(self._runs) > 1:
            self._runs = [np.concatenate(self._runs)]
        return self._runs[0]

    def _latest(self, conversation: int, by: int) -> tuple[int, int] | None:
        """Give the trace of the run that ended last, not after `by`; of equal ends the larger trace."""
        runs = self._all()
        runs = runs[runs[:, _CONVERSATION] == conversation]
        if (runs[:, _IS_AGENT] == 1).any():
            runs = runs[runs[:, _IS_AGENT] == 1]
        ends: dict[tuple[int, int], int] = {}
        for _, hi, lo, end, _ in runs.tolist():
            ends[hi, lo] = max(end, ends.get((hi, lo), end))
        return max(((end, trace) for trace, end in ends.items() if end <= by), default=(0, None))[1]


def _newest(rows: NDArray[np.int64], by: int, limit: int) -> NDArray[np.int64]:
    """Give the rows in their order; where there are more than `limit`, the newer three quarters of so many."""
    if len(rows) <= limit:
        return rows
    oldest_first = np.argsort(rows[:, by], kind="stable")
    return rows[np.sort(oldest_first[len(rows) - int(limit * _KEEP) :])]


def _evaluations(rows: NDArray[np.int64], traces: NDArray[np.int64]) -> Spans:
    cols = np.zeros((len(Column), len(rows)), np.int64)
    cols[Column.INPUT_TOKENS : Column.COST + 1] = UNKNOWN
    cols[_SAID] = rows[:, :_LOOKED_UP].T
    cols[Column.KIND], cols[Column.START] = SpanKind.EVALUATION, cols[Column.END]
    cols[[Column.TRACE_HI, Column.TRACE_LO]] = traces.T
    return Spans(cols, {})


def _pack(runs: NDArray[np.int64], waiting: NDArray[np.int64]) -> bytes:
    return _HEADER.pack(_MAGIC, _VERSION, len(runs), len(waiting)) + runs.tobytes() + waiting.tobytes()


def _unpack(raw: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    header = raw[: _HEADER.size].ljust(_HEADER.size, b"\0")
    magic, version, runs, waiting = _HEADER.unpack(header)
    size = _HEADER.size + 8 * (_RUN_WORDS * runs + _WAITING_WORDS * waiting)
    if (magic, version, size) != (_MAGIC, _VERSION, len(raw)):
        msg = f"conversations: found {magic!r} version {version}, {len(raw)} bytes, expected version {_VERSION}, {size}"
        raise ValueError(msg)
    words = np.frombuffer(raw, np.int64, offset=_HEADER.size).copy()
    return words[: _RUN_WORDS * runs].reshape(-1, _RUN_WORDS), words[_RUN_WORDS * runs :].reshape(-1, _WAITING_WORDS)
