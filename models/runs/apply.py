"""The loop over the spans of a batch: each finds its run, is told apart from duplicates, and adds its facts."""
# ruff: noqa: PLR0917 - compiled kernels over flat arrays

from __future__ import annotations

from typing import Any

import numpy as np

from models.digest import mix64
from models.kernels import kernel, small
from models.runs.arena import LINEAR, find
from models.runs.calls import tell_calls
from models.runs.facts import apply_cohort, apply_evaluation, apply_span
from models.runs.index import find_slot, fingerprint, new_slot
from models.runs.names import is_read
from models.runs.prefetch import prefetch
from models.runs.pulse import stand
from models.runs.record import NEVER
from models.runs.state import MAX_TOOLS, RULE_REMEMBER, SEEN_WORDS, STATE_WORDS, TOOL_WORDS, Head
from models.runs.tools import add_execution, add_seen, add_tool, words_needed
from models.spans.columns import NO_SCORE, Column, SpanKind

_HI, _LO, _SPAN, _PARENT = (int(c) for c in (Column.TRACE_HI, Column.TRACE_LO, Column.SPAN_ID, Column.PARENT_ID))
_START, _END, _KIND = int(Column.START), int(Column.END), int(Column.KIND)
_ERROR_TYPE, _LABEL, _RESPONSE = int(Column.ERROR_TYPE), int(Column.LABEL), int(Column.RESPONSE_ID)
_RUN, _LLM, _TOOL = int(SpanKind.RUN), int(SpanKind.LLM), int(SpanKind.TOOL)
_EVALUATION, _EXECUTION = int(SpanKind.EVALUATION), int(SpanKind.EXECUTION)
_TOP, _NEED, _TOUCHED, _OLD, _FRESH, _NAMES = (
    int(h) for h in (Head.TOP, Head.NEED, Head.TOUCHED, Head.OLD_CALLS, Head.FRESH, Head.NAMES)
)
_SCORE = int(Column.SCORE)
_UNREAD, _UNJOINED = int(Head.UNREAD), int(Head.UNJOINED)
_SPANS, _DUPLICATES, _LATE, _HORIZON = (int(h) for h in (Head.SPANS, Head.DUPLICATES, Head.LATE, Head.HORIZON))

_WIDTH = len(Column)
_LINES = -(-_WIDTH // 8)
AHEAD = 64
"""Rows whose memory is asked for at once. Without it a span costs 1.6 times as much at a million open runs."""

NAMES_A_ROW = 16
"""Names that one row can bring, cohorts not counted."""


@kernel
def touch(store: Any, scratch: Any, slot: Any) -> Any:
    """Note that a run may change in this batch, and how it was before; give its place among the touched."""
    s = store.states[slot]
    if s.mark > 0:
        return s.mark - 1
    place = store.head[_TOUCHED]
    store.head[_TOUCHED] = place + 1
    for k in range(STATE_WORDS):
        scratch.before_words[place, k] = store.words[slot, k]
    s.mark = place + 1
    scratch.touched[place] = slot
    scratch.old_first[place] = scratch.old_last[place] = -1
    scratch.was[place] = s.published
    stand(s, scratch.stood, place, 0)
    return place


@kernel
def _keep_old_calls(store: Any, scratch: Any, slot: Any, place: Any) -> None:
    """Before the first late span of a published run: write down its calls as they were told."""
    s = store.states[slot]
    if not s.published or scratch.old_first[place] >= 0:
        return
    first = store.head[_OLD]
    last = tell_calls(store.arena, s, scratch.work, scratch.old_calls, first, (0, -1, 1))
    scratch.old_first[place], scratch.old_last[place] = first, last
    store.head[_OLD] = last


@kernel
def _is_room(store: Any, scratch: Any, slot: Any, kind: Any, names: Any) -> Any:
    """Say whether one more row of this run fits everywhere; else nothing of it has been applied yet."""
    head, s = store.head, store.states[slot]
    need = words_needed(s, kind)
    if head[_TOP] + need > store.arena.shape[0]:
        head[_NEED] = need
        return False
    if head[_FRESH] + names > scratch.fresh.shape[0] or (head[_NAMES] + names) * 2 > store.name_keys.shape[0]:
        return False
    if s.published:
        return head[_OLD] + min(s.tools_n, MAX_TOOLS) + s.tally_n <= scratch.old_calls.shape[0]
    return True


@small
def _identity(cols: Any, j: Any) -> Any:
    """Give the span id; a span without one is known by its times and kind."""
    if cols[_SPAN, j] != 0:
        return cols[_SPAN, j]
    return np.int64(mix64(np.uint64(cols[_START, j]) ^ mix64(cols[_END, j] + cols[_KIND, j])) | np.uint64(1))


@kernel
def _are_read(store: Any, cols: Any, j: Any) -> Any:
    """Say whether the texts that matter to a tool span, an execution or an evaluation have been read."""
    keys, flags = store.name_keys, store.name_flags
    return is_read(keys, flags, cols[_ERROR_TYPE, j]) and is_read(keys, flags, cols[_LABEL, j])


@kernel
def _look_ahead(store: Any, scratch: Any, cols: Any, rows: Any, start: Any, stop: Any) -> None:
    """Ask for the memory of the next rows, find their runs, and ask for that of these: the state first, then blocks."""
    spans = cols.T.reshape(-1)
    for i in range(start, stop):
        for line in range(_LINES):
            prefetch(spans, rows[i] * _WIDTH + 8 * line)
    flat = store.words.reshape(-1)
    width = store.words.shape[1]
    mask = store.traces.shape[0] - 1
    for i in range(start, stop):
        prefetch(store.traces, fingerprint(cols[_HI, rows[i]], cols[_LO, rows[i]]) & mask)
    for i in range(start, stop):
        slot = find_slot(store, cols[_HI, rows[i]], cols[_LO, rows[i]])
        scratch.slots[i - start] = slot
        for line in range(width // 8 + 1):
            prefetch(flat, slot * width + 8 * line)
    for i in range(start, stop):
        slot = scratch.slots[i - start]
        if slot >= 0:
            s = store.states[slot]
            for k in range(0, SEEN_WORDS * min(s.seen_n + 1, LINEAR), 8):
                prefetch(store.arena, s.seen_at + k)
            if cols[_KIND, rows[i]] == _TOOL:
                prefetch(store.arena, s.tools_at + TOOL_WORDS * min(s.tools_n, MAX_TOOLS))


@kernel
def _slot_of(store: Any, scratch: Any, cols: Any, j: Any, ahead: Any) -> Any:
    """Give the slot of a row's run, -1 if there is none; one found ahead is still right, a run does not move."""
    slot = scratch.slots[ahead]
    return slot if slot >= 0 else find_slot(store, cols[_HI, j], cols[_LO, j])


@kernel
def apply_rows(store: Any, scratch: Any, cols: Any, rows: Any, start: Any, cohorts: Any, rules: Any, fixed: Any) -> Any:
    """Apply `rows` from `start` on; give the first that did not fit (make room, call again), or the number of rows.

    `fixed` are the digests of `task_success` and of the escalation tools.
    """
    head = store.head
    ahead = start
    for i in range(start, rows.shape[0]):
        if i == ahead:
            ahead = min(i + AHEAD, rows.shape[0])
            _look_ahead(store, scratch, cols, rows, i, ahead)
            first_ahead = i
        j = rows[i]
        slot = _slot_of(store, scratch, cols, j, i - first_ahead)
        if slot < 0:
            if cols[_HI, j] == 0 and cols[_LO, j] == 0:
                head[_UNJOINED] += cols[_SCORE, j] != NO_SCORE or cols[_LABEL, j] != 0
                continue
            if cols[_END, j] <= head[_HORIZON]:
                head[_SPANS] += 1
                head[_LATE] += 1
                continue
            slot = new_slot(store, cols[_HI, j], cols[_LO, j])
            if slot < 0:
                head[_NEED] = 0
                return i
            store.due[slot] = NEVER - 1
        if not _apply_row(store, scratch, cols, j, slot, cohorts, rules, fixed):
            return i
    return rows.shape[0]


@kernel
def _apply_row(store: Any, scratch: Any, cols: Any, j: Any, slot: Any, cohorts: Any, rules: Any, fixed: Any) -> Any:
    """Apply a row to its run; False: nothing was applied, something must be done first."""
    head, kind = store.head, cols[_KIND, j]
    if kind in (_TOOL, _EVALUATION, _EXECUTION) and not _are_read(store, cols, j):
        head[_UNREAD] = 1
        return False
    cohort_row, cohort_name, cohort_value = cohorts
    first = last = 0
    if cohort_row.shape[0]:
        first, last = np.searchsorted(cohort_row, j), np.searchsorted(cohort_row, j, side="right")
    if not _is_room(store, scratch, slot, kind, NAMES_A_ROW + 2 * (last - first)):
        return False
    head[_SPANS] += 1
    s = store.states[slot]
    span = _identity(cols, j)
    if find(store.arena, s.seen_at, s.seen_n, s.seen_room, s.seen_index, span) >= 0:
        head[_DUPLICATES] += 1
        return True
    place = touch(store, scratch, slot)
    if kind == _EVALUATION:
        add_seen(store, s, span, 0)
        apply_evaluation(store, s, cols, j, fixed[0])
        if s.spans == 0:
            store.due[slot] = max(cols[_END, j] + rules[RULE_REMEMBER], store.due[slot] if s.kept else 0)
        return True
    head[_LATE] += s.life != 0
    _keep_old_calls(store, scratch, slot, place)
    above = cols[_RESPONSE, j] if kind == _LLM else cols[_PARENT, j]
    add_seen(store, s, span, 0 if kind == _RUN else above)
    apply_span(store, scratch.fresh, slot, cols, j)
    if kind == _TOOL:
        add_tool(store, scratch.fresh, s, cols, j, span, fixed[1:])
    elif kind == _EXECUTION:
        add_execution(store, s, cols, j)
    for k in range(first, last):
        apply_cohort(store, scratch.fresh, slot, cohort_name[k], cohort_value[k])
    return True
