"""RunTable: the state of one run shard. Spans in, changes out; every number it tells adds up to the truth."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from models.runs import journal
from models.runs.apply import NAMES_A_ROW
from models.runs.changes import CALL, Changes, rows_of
from models.runs.expectations import Expectations
from models.runs.life import due_slots, forget, touch_all, touch_due, touch_open
from models.runs.names import has_flag
from models.runs.publish import Scratch, decide, derive_touched, emit, more_runs, new_scratch, settle, track_rows
from models.runs.pulse import CALLS_ROOM, calls_of, new_pulses, pulses
from models.runs.record import DIMENSIONS, NEVER, Life
from models.runs.room import more_names, more_slots, more_words
from models.runs.state import NAME_GOOD, NAMES_AT, RUN_WORDS, Head, copied, new_store, taken
from models.runs.texts import Texts
from models.runs.told import News
from models.runs.waiting import Waiting
from models.spans.batch import Spans
from models.spans.columns import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from models.runs.policy import RunPolicy
    from models.runs.state import Store

_SECOND = 1_000_000_000
_DRAINED = NEVER - 1
_NO_SLOTS = np.empty(0, np.int64)
_KEPT, _WATERMARK, _SCANNED = int(Head.KEPT), int(Head.WATERMARK), int(Head.SCANNED)
_BATCH, _FRESH, _UNREAD = int(Head.TOUCHED), int(Head.FRESH), int(Head.UNREAD)
_UNJOINED, _LOOKED_UP = int(Head.UNJOINED), int(Head.LOOKED_UP)
_LOOK_UP_EVERY = 10 * _SECOND
Sizes = tuple[int, int, int, int]
"""Numbers of run rows, call rows at most, and records; -1 runs: expectations have changed."""
_AT_WORKFLOW, _AT_SERVICE = NAMES_AT, NAMES_AT + DIMENSIONS.index("service")
_KEEP_AFTER_EVICTION = 0.95
_USUAL = 2048
"""Touched runs of a batch up to which the scratch is kept."""


class RunTable:
    """Runs of one shard, open and remembered.

    `generation` is the number of lives the shard has had; revisions of one life never meet those of another. It is not
    part of what is journaled: whoever restores gives a new one. Whose table `is_journaled` must take its deltas.
    """

    def __init__(self, policy: RunPolicy, generation: int = 0, *, is_journaled: bool = False) -> None:
        self.policy = policy
        self.expectations = Expectations()
        self.waiting = Waiting()
        self.store: Store = new_store()
        self.texts = Texts(is_journaled=is_journaled)
        self._rules = policy.rules(generation)
        self._fixed = policy.digests()
        self._news = News() if is_journaled else None
        self._scratch = new_scratch(0)
        self.is_watched = False
        """Whether pulses are taken."""
        self._pulses: list[NDArray[np.int64]] = []

    # what comes in

    def update(self, spans: Spans, rows: slice | NDArray[np.int64], watermark_ns: int) -> Changes:
        """Apply rows of a batch in order of arrival, then what the watermark makes due.

        `rows` are all of this shard; a watermark below an earlier one counts as that one. `spans.cohorts.row` must
        ascend. Nothing of `spans` is kept.
        """
        chosen = np.arange(*rows.indices(len(spans)), dtype=np.int64) if isinstance(rows, slice) else rows
        if len(self.waiting):
            spans, chosen = self._with_waiting(spans, chosen)
        due = self._due(watermark_ns)
        scratch = self._begin(len(chosen) + len(due), due)
        scratch, sizes = self._track(spans, chosen, scratch)
        self._take_pulses(scratch)
        return self._finish(scratch, sizes, due)

    def advance(self, watermark_ns: int) -> Changes:
        """Apply what the watermark makes due; scans at most once per second of watermark."""
        due = self._due(watermark_ns)
        if not len(due) and not self.expectations.changed:
            return Changes.none()
        scratch = self._begin(len(due), due)
        sizes = self._settle(scratch, self._now())
        self._take_pulses(scratch)
        return self._finish(scratch, sizes, due)

    def set_back(self, watermark_ns: int) -> None:
        """Go back to a watermark: that before it was by a clock which was ahead. What was closed by it stays closed."""
        head = self.store.head
        for at in (_WATERMARK, _SCANNED, _LOOKED_UP):
            head[at] = min(watermark_ns, int(head[at]))

    def drain(self) -> Changes:
        """End of input: every open run closes by idle, what waits settles by the policy. Nothing is forgotten."""
        scratch = self._begin(int(self.store.head[Head.ALIVE]))
        touch_open(self.store, scratch)
        sizes = self._settle(scratch, _DRAINED)
        self._take_pulses(scratch)
        return self._publish(scratch, sizes, _DRAINED)

    def expect_evaluations(self, names: Mapping[int, int]) -> None:
        """Take in workflows and services (digests) evaluated elsewhere, with the event time of the first one.

        Runs that closed before this was known are put right by the next `update` or `advance`.
        """
        self.expectations.tell(names)

    def hear_of_evaluations(self, names: Mapping[int, int]) -> None:
        """Take in what other shards know now, in place of what they did; like `expect_evaluations` else."""
        self.expectations.hear(names)

    def ask(self, evaluations: Spans) -> None:
        """Take in EVALUATION rows that name the answer they score, and maybe a trace, for the run with that answer.

        All shards are asked. Where the run is there already, the next `join` finds it; else the next `update` that
        brings the answer. What is told twice, of the trace it names and by its answer, counts once.
        """

        def is_good(label: int) -> bool:
            self.store = self.texts.read(self.store, [label], evaluations.names)
            return bool(has_flag(self.store.name_keys, self.store.name_flags, label, NAME_GOOD))

        self.waiting.ask(evaluations, is_good)

    def join(self, watermark_ns: int, *, at_once: bool = False) -> Changes:
        """Look for the runs of what was asked since the last time, every 10 s of watermark; `at_once`: now."""
        head = self.store.head
        if not self.waiting.fresh or (not at_once and watermark_ns < head[_LOOKED_UP] + _LOOK_UP_EVERY):
            return Changes.none()
        head[_LOOKED_UP] = watermark_ns
        found, count = self.waiting.look_up(self.store, watermark_ns - self.policy.remember)
        self.store.head[_UNJOINED] -= count
        return self.update(found, slice(0, len(found)), watermark_ns)

    def found(self, count: int) -> None:
        """Take note that so many evaluations without a trace were joined to runs of this shard elsewhere."""
        self.store.head[_UNJOINED] -= count

    # what one watches while runs are open

    def pulses(self) -> list[NDArray[np.int64]]:
        """Give the pulses [row, Pulse] of what came since the last call; none are taken unless `is_watched`."""
        taken_, self._pulses = self._pulses, []
        return taken_

    def calls(self, hi: int, lo: int) -> NDArray[np.int64]:
        """Give the calls of a run by its trace id, at most its first 256, by their end; none of a run that is unknown.

        Columns: end, tool, arguments, result, failed, span.
        """
        out = np.empty(CALLS_ROOM, np.int64)
        out = out[: calls_of(self.store, self._scratch.work, hi, lo, out)]
        return out[np.lexsort((out[:, 5], out[:, 0]))]

    # what goes to the journal

    def take_delta(self) -> bytes:
        """Give what changed since the last call. Raises ValueError for a table that is not journaled."""
        if self._news is None:
            msg = "run state: a delta of a table that is not journaled"
            raise ValueError(msg)
        known = self.expectations
        expected = known.tables() if known.dirty else None
        waiting = self.waiting.rows if self.waiting.dirty else None
        raw = journal.pack(self.store, *self._news.take(self.store), self.texts.take_new(), expected, waiting)
        known.dirty = self.waiting.dirty = False
        return raw

    def dump(self) -> bytes:
        """Give everything; the next delta still tells what changed since the last one."""
        return journal.pack_all(self.store, self.texts.known, self.expectations.tables(), self.waiting.rows)

    def picture(self) -> Callable[[], bytes]:
        """Give what makes the dump of now, by any thread: copying the arrays takes a fraction of the time."""
        tables = tuple(dict(table) for table in self.expectations.tables())
        return partial(journal.pack_all, copied(self.store), dict(self.texts.known), tables, self.waiting.rows.copy())

    @staticmethod
    def load(
        policy: RunPolicy,
        base: bytes | None,
        deltas: Sequence[bytes],
        generation: int = 0,
        *,
        is_journaled: bool = False,
    ) -> RunTable:
        """Restore from a dump and the deltas taken after it.

        Raises ValueError for bytes that are not of this version.
        """
        table = RunTable(policy, generation, is_journaled=is_journaled)
        for raw in ([base] if base is not None else []) + list(deltas):
            part = journal.unpack(raw)
            table.store = journal.absorb(table.store, part)
            table.texts.restore(part.names)
            if part.expectations is not None:
                table.expectations.restore(*part.expectations)
            if part.waiting is not None:
                table.waiting.restore(part.waiting)
        table.store = table.texts.mark_kept(table.store)
        return table

    # what it tells of itself

    @property
    def open_runs(self) -> int:
        """Count the runs that are not closed."""
        return int(self.store.head[Head.ALIVE] - self.store.head[Head.KEPT])

    @property
    def remembered(self) -> int:
        """Count the closed runs that still take corrections, and scores without a run."""
        return int(self.store.head[Head.KEPT])

    @property
    def counters(self) -> dict[str, int]:
        """Give the counts since the shard began; a correction may lower those of closed runs."""
        head = self.store.head.tolist()
        return {
            "spans": head[Head.SPANS],
            "duplicates": head[Head.DUPLICATES],
            "late": head[Head.LATE],
            "forgotten": head[Head.FORGOTTEN],
            "cohorts_dropped": head[Head.COHORTS_DROPPED],
            "runs_closed": head[Head.CLOSED_ROOT] + head[Head.CLOSED_IDLE],
            "runs_closed_root": head[Head.CLOSED_ROOT],
            "runs_closed_idle": head[Head.CLOSED_IDLE],
            "unpriced": head[Head.UNPRICED],
            "not_agent": head[Head.NOT_AGENT],
            "evaluations_unjoined": head[Head.UNJOINED],
        }

    @property
    def memory_bytes(self) -> int:
        """Give the bytes allocated for the state, texts estimated."""
        rest = self.texts.memory_bytes + self.waiting.rows.nbytes
        return sum(array.nbytes for array in self.store) - self.store.words.nbytes + rest

    # inside

    def _take_pulses(self, scratch: Scratch) -> None:
        touched = int(self.store.head[_BATCH])
        if self.is_watched and touched:
            out = new_pulses(touched)
            self._pulses.append(out[: pulses(self.store, scratch, out)])

    def _now(self) -> int:
        return int(self.store.head[_WATERMARK])

    def _with_waiting(self, spans: Spans, rows: NDArray[np.int64]) -> tuple[Spans, NDArray[np.int64]]:
        """Add what waited for the answers among these rows."""
        met, count = self.waiting.meet(spans, rows)
        self.store.head[_UNJOINED] -= count
        if not len(met):
            return spans, rows
        both = Spans(np.concatenate((spans.cols, met.cols), axis=1), spans.names, spans.cohorts)
        return both, np.concatenate((rows, np.arange(len(spans), len(both))))

    def _due(self, watermark: int) -> NDArray[np.int64]:
        """Give the slots whose time has come, if a second of watermark has passed since the last look."""
        head = self.store.head
        head[_WATERMARK] = max(watermark, int(head[_WATERMARK]))
        if watermark < int(head[_SCANNED]) + _SECOND:
            return _NO_SLOTS
        head[_SCANNED] = watermark
        slots: NDArray[np.int64] = due_slots(self.store.due, head[Head.ROWS], watermark)
        return slots

    def _begin(self, runs: int, due: NDArray[np.int64] | None = None) -> Scratch:
        """Start a batch of up to so many touched runs, the due ones first; a scratch of usual size is used again."""
        self.store.head[_BATCH:] = 0
        scratch = self._scratch
        if runs > len(scratch.touched):
            scratch = new_scratch(max(256, runs))
            if runs <= _USUAL:
                self._scratch = scratch
        if due is not None and len(due):
            touch_due(self.store, scratch, due)
        return scratch

    def _track(self, spans: Spans, rows: NDArray[np.int64], scratch: Scratch) -> tuple[Scratch, Sizes]:
        batch = spans.cols.T, rows, (spans.cohorts.row, spans.cohorts.name, spans.cohorts.value)
        policy, known, done = (self._rules, self._fixed), self.expectations, 0
        expected, now = (known.names, known.times), (self._now(), known.changed)
        while True:
            done, sizes = track_rows(self.store, scratch, batch, done, policy, expected, now)
            if self.store.head[_FRESH]:
                self.texts.fetch(self.store, scratch.fresh, spans.names)
            if done == len(rows):
                return scratch, sizes
            if self.store.head[_UNREAD]:
                self._read(spans, rows[done])
            else:
                scratch = self._make_room(scratch, len(spans.cohorts.row))

    def _read(self, spans: Spans, row: np.int64) -> None:
        """Read the error type and label at which the kernel stopped."""
        self.store.head[_UNREAD] = 0
        digests = [int(spans.cols[column, row]) for column in (Column.ERROR_TYPE, Column.LABEL)]
        self.store = self.texts.read(self.store, digests, spans.names)

    def _make_room(self, scratch: Scratch, cohorts: int) -> Scratch:
        """Whatever was short, after this the next row fits."""
        names = NAMES_A_ROW + 2 * cohorts
        store = more_slots(self.store)
        store = more_words(store, int(store.head[Head.NEED]))
        self.store = more_names(store, names)
        if len(scratch.fresh) < names:
            scratch = scratch._replace(fresh=np.empty(names, np.int64))
        used = self.store.head[Head.OLD_CALLS]
        if used * 2 > len(scratch.old_calls):
            old_calls = np.empty(2 * len(scratch.old_calls), CALL)
            old_calls[:used] = scratch.old_calls[:used]
            scratch = scratch._replace(old_calls=old_calls)
        return scratch

    def _settle(self, scratch: Scratch, watermark: int) -> Sizes:
        known = self.expectations
        sizes: Sizes = settle(self.store, scratch, self._rules, known.names, known.times, watermark, known.changed)
        return sizes

    def _finish(self, scratch: Scratch, sizes: Sizes, due: NDArray[np.int64]) -> Changes:
        changes = self._publish(scratch, sizes, self._now())
        if len(due):
            self._forget(due, early=False)
        if self.store.head[_KEPT] > self.policy.remember_max:
            self._forget(self._oldest(), early=True)
        self.store = self.texts.sweep(self.store)
        return changes

    def _publish(self, scratch: Scratch, sizes: Sizes, watermark: int) -> Changes:
        if sizes[0] < 0:
            self._learn(scratch)
            scratch = self._revisit(scratch, watermark)
            sizes = decide(self.store, scratch)
        changes = self._emitted(scratch, sizes)
        if self._news is not None:
            self._news.tell(self.store, scratch)
        return changes

    def _emitted(self, scratch: Scratch, sizes: Sizes) -> Changes:
        n_runs, n_calls, n_records, n_tools = sizes
        if n_runs + n_records == 0:
            return Changes.none()
        runs, records = np.empty((n_runs, RUN_WORDS), np.int64), np.empty((n_records, RUN_WORDS), np.int64)
        weight, calls, tools = np.empty(n_runs, np.int64), np.empty(n_calls, CALL), np.empty(n_tools, CALL)
        names = np.empty((n_runs + n_records) * NAMES_A_ROW + 2 * n_calls + n_tools, np.int64)
        out = runs, weight, calls, records, tools, names
        n_calls, n_records, n_tools, n_names = emit(self.store, scratch, self._rules, out)
        texts = self.texts.of(names[:n_names])
        return Changes(rows_of(runs), weight, calls[:n_calls], rows_of(records[:n_records]), texts, tools[:n_tools])

    def _learn(self, scratch: Scratch) -> None:
        """Take in what the touched runs told of evaluated workflows."""
        known, head = self.expectations, self.store.head
        if head[Head.RELEARN]:
            rows = self._rows()
            seen = rows[(rows["evaluated"] != 0) & (rows["published"] != 0)]
            known.relearn(seen["workflow"], seen["evaluated_at"])
        elif head[Head.LEARNT]:
            known.learn(scratch.learnt[: head[Head.LEARNT]].tolist())
        head[Head.RELEARN] = head[Head.LEARNT] = 0

    def _revisit(self, scratch: Scratch, watermark: int) -> Scratch:
        """Derive anew the closed runs whose expectations changed; what they tell of evaluations does not."""
        names = self.expectations.take_changed()
        if not len(names):
            return scratch
        head = self.store.head
        words, states = self.store.words[: head[Head.ROWS]], self.store.states[: head[Head.ROWS]]
        concerned = np.isin(words[:, _AT_WORKFLOW], names) | np.isin(words[:, _AT_SERVICE], names)
        alive = self.store.due[: head[Head.ROWS]] != NEVER
        slots = np.flatnonzero(concerned & alive & (states["life"] != Life.OPEN) & (states["evaluated"] == 0))
        scratch = more_runs(scratch, len(slots))
        touch_all(self.store, scratch, slots)
        known = self.expectations
        derive_touched(self.store, scratch, self._rules, known.names, known.times, watermark)
        head[Head.LEARNT] = head[Head.RELEARN] = 0
        return scratch

    def _rows(self) -> NDArray[np.void]:
        rows = int(self.store.head[Head.ROWS])
        return taken(self.store, np.flatnonzero(self.store.due[:rows] != NEVER))

    def _oldest(self) -> NDArray[np.int64]:
        """Give the kept runs beyond 95 % of what may be remembered, oldest first."""
        rows = int(self.store.head[Head.ROWS])
        states, due = self.store.states[:rows], self.store.due[:rows]
        slots = np.flatnonzero((due != NEVER) & ((states["life"] == Life.SETTLED) | (states["spans"] == 0)))
        age = np.where(states["spans"][slots] == 0, due[slots] - self.policy.remember, states["closed_at"][slots])
        order = np.lexsort((states["trace_lo"][slots], age))
        excess = int(self.store.head[Head.KEPT]) - int(self.policy.remember_max * _KEEP_AFTER_EVICTION)
        return slots[order[:excess]]

    def _forget(self, slots: NDArray[np.int64], *, early: bool) -> None:
        if not early:
            slots = slots[self.store.due[slots] <= self._now()]  # without those that only closed or settled
        rows = taken(self.store, slots)
        seen = rows[(rows["evaluated"] != 0) & (rows["published"] != 0) & (rows["life"] == Life.SETTLED)]
        self.expectations.tell_forgotten(seen["workflow"], seen["evaluated_at"])
        gone = np.empty((len(slots), 2), np.int64)
        count = forget(self.store, slots, gone, early)
        if count and self._news is not None:
            self._news.forget(gone[:count])
