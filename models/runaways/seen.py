"""Seen: the columns that `Watch` puts behind those of a pulse, for rules to pick their suspects by."""

from __future__ import annotations

from enum import IntEnum

from models.runs.pulse import Pulse


class Seen(IntEnum):
    """Column of a pulse as rules get it."""

    STRANGE = len(Pulse)  # calls in this batch of tools that are not known
    NESTED = len(Pulse) + 1  # agents inside the run, where some came in this batch
    # how many times the baseline, in thousandths; 0 where there is none
    TIMES_STEPS = len(Pulse) + 2
    TIMES_TOKENS = len(Pulse) + 3
    TIMES_COST = len(Pulse) + 4
