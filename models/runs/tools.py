"""Keeping the tool spans of a run: the first MAX_TOOLS for collapsing, the others as counted calls."""

from __future__ import annotations

from typing import Any

from models.kernels import kernel
from models.runs.arena import find, index_all, index_one, index_words, moved, next_room, take
from models.runs.calls import MINUTE, call_key, failure_key, failures
from models.runs.names import has_flag, keep_text
from models.runs.state import (
    FLAG_ERROR,
    FLAG_ESCALATION,
    FLAG_TIMEOUT,
    FLAG_TYPED,
    FLAGS,
    MAX_TOOLS,
    NAME_CLASS,
    NAME_TIMEOUT,
    SEEN_WORDS,
    TALLY_WORDS,
    TOOL_WORDS,
)
from models.spans.columns import Column, SpanKind, SpanStatus

_PARENT, _END, _STATUS = int(Column.PARENT_ID), int(Column.END), int(Column.STATUS)
_TOOL, _ERROR_TYPE, _CALL_ID = int(Column.TOOL), int(Column.ERROR_TYPE), int(Column.CALL_ID)
_ARGUMENTS, _RESULT = int(Column.ARGUMENTS), int(Column.RESULT)
_ERROR = int(SpanStatus.ERROR)
_TOOL_SPAN, _EXECUTION = int(SpanKind.TOOL), int(SpanKind.EXECUTION)
_RECENT = 16
"""Tally entries looked through for the same tool and minute; an older one is repeated, sums do not mind."""

FIRST_SEEN, FIRST_TOOLS = 4, 2


@kernel
def words_needed(s: Any, kind: Any) -> Any:
    """Give the words that the blocks of a run may need for one more span."""
    need = 0
    if s.seen_n + (kind == _EXECUTION) >= s.seen_room:
        room = next_room(s.seen_room, FIRST_SEEN)
        need += SEEN_WORDS * room + index_words(room)
    if kind != _TOOL_SPAN:
        return need
    if s.tools_n < MAX_TOOLS:
        if s.tools_n == s.tools_room:
            need += TOOL_WORDS * next_room(s.tools_room, FIRST_TOOLS)
        return need
    if s.tally_n == s.tally_room:
        need += TALLY_WORDS * next_room(s.tally_room, FIRST_SEEN)
    if s.made_n == s.made_room:
        room = next_room(s.made_room, FIRST_SEEN)
        need += SEEN_WORDS * room + index_words(room)
    return need


@kernel
def add_seen(store: Any, s: Any, span: Any, parent: Any) -> None:
    """Remember a span id that is not in the map."""
    arena, head = store.arena, store.head
    if s.seen_n == s.seen_room:
        room = next_room(s.seen_room, FIRST_SEEN)
        s.seen_at = moved(arena, head, s.seen_at, SEEN_WORDS * s.seen_n, SEEN_WORDS * room)
        s.seen_room = room
        s.seen_index = take(head, index_words(room))
        index_all(arena, s.seen_at, s.seen_n, room, s.seen_index)
    at = s.seen_at + SEEN_WORDS * s.seen_n
    arena[at], arena[at + 1] = span, parent
    index_one(arena, s.seen_at, s.seen_room, s.seen_index, s.seen_n)
    s.seen_n += 1


@kernel
def _add_made(store: Any, s: Any, key: Any) -> None:
    arena, head = store.arena, store.head
    at = find(arena, s.made_at, s.made_n, s.made_room, s.made_index, key)
    if at >= 0:
        arena[s.made_at + SEEN_WORDS * at + 1] += 1
        return
    if s.made_n == s.made_room:
        room = next_room(s.made_room, FIRST_SEEN)
        s.made_at = moved(arena, head, s.made_at, SEEN_WORDS * s.made_n, SEEN_WORDS * room)
        s.made_room = room
        s.made_index = take(head, index_words(room))
        index_all(arena, s.made_at, s.made_n, room, s.made_index)
    entry = s.made_at + SEEN_WORDS * s.made_n
    arena[entry], arena[entry + 1] = key, 1
    index_one(arena, s.made_at, s.made_room, s.made_index, s.made_n)
    s.made_n += 1


@kernel
def _add_tally(store: Any, s: Any, tool: Any, minute: Any, flags: Any) -> None:
    arena = store.arena
    error, timeout = flags & FLAG_ERROR != 0, flags & FLAG_TIMEOUT != 0
    for k in range(s.tally_n - 1, max(0, s.tally_n - _RECENT) - 1, -1):
        at = s.tally_at + TALLY_WORDS * k
        if arena[at] == tool and arena[at + 1] == minute:
            arena[at + 2] += 1
            arena[at + 3] += error
            arena[at + 4] += timeout
            return
    if s.tally_n == s.tally_room:
        room = next_room(s.tally_room, FIRST_SEEN)
        s.tally_at = moved(arena, store.head, s.tally_at, TALLY_WORDS * s.tally_n, TALLY_WORDS * room)
        s.tally_room = room
    at = s.tally_at + TALLY_WORDS * s.tally_n
    arena[at], arena[at + 1], arena[at + 2] = tool, minute, 1
    arena[at + 3], arena[at + 4] = error, timeout
    s.tally_n += 1


@kernel
def _failure(store: Any, cols: Any, j: Any) -> Any:
    error_type = cols[_ERROR_TYPE, j]
    flags = 0
    if cols[_STATUS, j] == _ERROR or error_type != 0:
        flags |= FLAG_ERROR
    if has_flag(store.name_keys, store.name_flags, error_type, NAME_TIMEOUT):
        flags |= FLAG_TIMEOUT
    return flags


@kernel
def add_execution(store: Any, s: Any, cols: Any, j: Any) -> None:
    """Note at the span around it that an execution failed; nothing is kept of one that did not."""
    flags, parent = _failure(store, cols, j), cols[_PARENT, j]
    if flags == 0 or parent == 0:
        return
    key = failure_key(parent)
    at = find(store.arena, s.seen_at, s.seen_n, s.seen_room, s.seen_index, key)
    if at < 0:
        add_seen(store, s, key, flags)
    else:
        store.arena[s.seen_at + SEEN_WORDS * at + 1] |= flags
    s.failures = 1


@kernel
def add_tool(store: Any, fresh: Any, s: Any, cols: Any, j: Any, span: Any, escalation: Any) -> None:
    """Keep a tool span."""
    arena = store.arena
    flags = _failure(store, cols, j)
    tool, end = cols[_TOOL, j], cols[_END, j]
    for k in range(escalation.shape[0]):
        if tool == escalation[k]:
            flags |= FLAG_ESCALATION
    keep_text(store, fresh, tool)
    if s.tools_n >= MAX_TOOLS:
        s.tools_n += 1
        flags |= failures(arena, s, span)
        s.handed += flags & FLAG_ESCALATION != 0
        _add_tally(store, s, tool, end // MINUTE, flags)
        if cols[_ARGUMENTS, j] != 0:
            _add_made(store, s, call_key(tool, cols[_ARGUMENTS, j]))
        return
    if s.tools_n == s.tools_room:
        room = next_room(s.tools_room, FIRST_TOOLS)
        s.tools_at = moved(arena, store.head, s.tools_at, TOOL_WORDS * s.tools_n, TOOL_WORDS * room)
        s.tools_room = room
    at = s.tools_at + TOOL_WORDS * s.tools_n
    arena[at], arena[at + 1], arena[at + 2] = span, tool, cols[_CALL_ID, j]
    error = cols[_ERROR_TYPE, j]
    if has_flag(store.name_keys, store.name_flags, error, NAME_CLASS):
        flags |= FLAG_TYPED
        keep_text(store, fresh, error)
    arena[at + 3], arena[at + 4] = cols[_ARGUMENTS, j], error if error != 0 else cols[_RESULT, j]
    arena[at + 5] = (end & ~FLAGS) | flags
    s.tools_n += 1
