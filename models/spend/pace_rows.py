"""From pulses to paces: LLM calls by user and money by workflow, by the minute in which they were told."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from models.runs.pulse import Pulse
from models.spend.rows import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MINUTE_NS = 60_000_000_000
_P = Pulse


class Pace(IntEnum):
    """Column of a pace row; names are digests, money is nano-USD."""

    LEVEL = 0
    ID = 1
    TENANT = 2  # of a user: whose user; else 0
    MINUTE = 3  # Unix minutes
    COST = 4
    LLM_CALLS = 5
    AT = 6  # newest span, Unix ns


_KEY = 4


def pace_rows(pulses: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Give [row, Pace]: one row a user and minute with LLM calls, one a workflow and minute with cost."""
    all_ = np.concatenate([part for part in pulses if len(part)] or [np.empty((0, len(Pulse)), np.int64)])
    calls = (all_[:, _P.LLM_CALLS] - all_[:, _P.BEFORE_LLM_CALLS]).clip(min=0)
    cost = (all_[:, _P.COST] - all_[:, _P.BEFORE_COST]).clip(min=0)  # what is taken back was no spending either
    rows = np.zeros((len(all_), len(Pace)), np.int64)
    rows[:, Pace.MINUTE], rows[:, Pace.AT] = all_[:, _P.LAST] // _MINUTE_NS, all_[:, _P.LAST]
    rows[:, Pace.COST], rows[:, Pace.LLM_CALLS] = cost, calls
    users, workflows = rows.copy(), rows
    users[:, Pace.LEVEL], users[:, Pace.ID], users[:, Pace.TENANT] = Level.USER, all_[:, _P.USER], all_[:, _P.TENANT]
    workflows[:, Pace.LEVEL], workflows[:, Pace.ID] = Level.WORKFLOW, all_[:, _P.WORKFLOW]
    chosen = users[(users[:, Pace.ID] != 0) & (calls > 0)], workflows[(workflows[:, Pace.ID] != 0) & (cost > 0)]
    return _summed(np.concatenate(chosen))


def _summed(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(rows):
        return rows
    rows = rows[np.lexsort(rows[:, :_KEY].T)]
    first = np.flatnonzero(np.r_[True, np.any(rows[1:, :_KEY] != rows[:-1, :_KEY], axis=1)])
    out = rows[first]
    out[:, _KEY : Pace.AT] = np.add.reduceat(rows[:, _KEY : Pace.AT], first, axis=0)
    out[:, Pace.AT] = np.maximum.reduceat(rows[:, Pace.AT], first)
    return out
