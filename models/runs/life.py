"""What time alone does: which runs are due, and forgetting them."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.kernels import allocating, kernel
from models.runs.apply import touch
from models.runs.index import drop_slot
from models.runs.record import NEVER, Life
from models.runs.state import Head

_HORIZON, _FORGOTTEN, _KEPT, _NOT_AGENT = (int(h) for h in (Head.HORIZON, Head.FORGOTTEN, Head.KEPT, Head.NOT_AGENT))
_OPEN, _SETTLED = int(Life.OPEN), int(Life.SETTLED)


@allocating
def due_slots(due: Any, rows: Any, watermark: Any) -> Any:
    """Give the slots whose time has come, one pass over contiguous memory."""
    count = 0
    for slot in range(rows):
        count += due[slot] <= watermark
    slots = np.empty(count, np.int64)
    if count == 0:
        return slots
    count = 0
    for slot in range(rows):
        if due[slot] <= watermark:
            slots[count] = slot
            count += 1
    return slots


@kernel
def touch_due(store: Any, scratch: Any, slots: Any) -> None:
    """Touch the due runs that must be derived anew: open ones, and those that wait for an evaluation."""
    for k in range(slots.shape[0]):
        s = store.states[slots[k]]
        if s.spans > 0 and s.life != _SETTLED:
            touch(store, scratch, slots[k])


@kernel
def touch_open(store: Any, scratch: Any) -> None:
    """Touch every run that is not settled."""
    for slot in range(store.head[0]):
        s = store.states[slot]
        if store.due[slot] != NEVER and s.spans > 0 and s.life != _SETTLED:
            touch(store, scratch, slot)


@kernel
def touch_all(store: Any, scratch: Any, slots: Any) -> None:
    """Touch these runs."""
    for k in range(slots.shape[0]):
        touch(store, scratch, slots[k])


@kernel
def forget(store: Any, slots: Any, gone: Any, early: Any) -> Any:
    """Forget those of `slots` that are settled or only scored; fill `gone` [k, 2], count them."""
    n = 0
    for k in range(slots.shape[0]):
        slot = slots[k]
        s = store.states[slot]
        if s.life != _SETTLED and s.spans > 0:
            continue
        if s.published:
            store.head[_HORIZON] = max(store.head[_HORIZON], s.closed_at)
        store.head[_FORGOTTEN] += early
        store.head[_KEPT] -= s.kept
        gone[n, 0], gone[n, 1] = store.words[slot, 0], store.words[slot, 1]
        drop_slot(store, slot)
        n += 1
    return n
