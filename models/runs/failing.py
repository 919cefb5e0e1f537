"""Failing: how a run failed, in one of six words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.digest import digest_of
from models.runs.record import ClosedBy, OutcomeFrom
from models.spans.columns import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORDS = ("crashed", "escalated", "abandoned", "judged", "reported", "tool errors")
_CRASHED, _ESCALATED, _ABANDONED, _JUDGED, _REPORTED, _TOOL_ERRORS = (digest_of(word) for word in _WORDS)

FAILURES = {digest_of(word): word for word in _WORDS}
"""How a run failed, the first that holds: its status is an error (crashed), it was handed to a person, its root never
came (abandoned), an evaluation or its own outcome said so (judged, reported), tools failed in it."""


def failures_of(runs: NDArray[np.void]) -> NDArray[np.int64]:
    """Give how each RUN row failed, a digest in `FAILURES`; 0: nothing of the kind holds."""
    failed, source = runs["outcome"] == Outcome.FAILURE, runs["outcome_from"]
    cases = [
        (failed & (source == OutcomeFrom.STATUS), _CRASHED),
        (runs["escalated"] != 0, _ESCALATED),
        (runs["closed_by"] == ClosedBy.IDLE, _ABANDONED),
        (failed & (source == OutcomeFrom.EVALUATION), _JUDGED),
        (failed & (source == OutcomeFrom.ATTRIBUTE), _REPORTED),
        (runs["tool_errors"] > 0, _TOOL_ERRORS),
    ]
    found: NDArray[np.int64] = np.select([case for case, _ in cases], [word for _, word in cases], 0)
    return found
