"""From pulses to paces: LLM calls by user and money by workflow, by the minute in which they were told."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from models.runs.pulse import Pulse
from models.spend.rows import Level, summed

if TYPE_CHECKING:
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


def pace_rows(pulses: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give [row, Pace]: one row a user and minute with LLM calls, one a workflow and minute with cost."""
    calls = (pulses[:, _P.LLM_CALLS] - pulses[:, _P.BEFORE_LLM_CALLS]).clip(min=0)
    cost = (pulses[:, _P.COST] - pulses[:, _P.BEFORE_COST]).clip(min=0)  # what is taken back was no spending either
    rows = np.zeros((len(pulses), len(Pace)), np.int64)
    rows[:, Pace.MINUTE], rows[:, Pace.AT] = pulses[:, _P.LAST] // _MINUTE_NS, pulses[:, _P.LAST]
    rows[:, Pace.COST], rows[:, Pace.LLM_CALLS] = cost, calls
    users, workflows = rows.copy(), rows
    users[:, Pace.LEVEL], users[:, Pace.ID], users[:, Pace.TENANT] = (
        Level.USER,
        pulses[:, _P.USER],
        pulses[:, _P.TENANT],
    )
    workflows[:, Pace.LEVEL], workflows[:, Pace.ID] = Level.WORKFLOW, pulses[:, _P.WORKFLOW]
    chosen = users[(users[:, Pace.ID] != 0) & (calls > 0)], workflows[(workflows[:, Pace.ID] != 0) & (cost > 0)]
    return summed(np.concatenate(chosen), _KEY, Pace.AT)
