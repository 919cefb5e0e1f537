"""Outcome: what came of telling a sink."""

from __future__ import annotations

from typing import NamedTuple


class Sent(NamedTuple):
    """The sink knows. `note` is what it answered."""

    note: str = ""


class Retry(NamedTuple):
    """Not now. `after_s`: the sink says how long it wants nothing more at all; None: it does not say."""

    after_s: float | None
    reason: str


class Refused(NamedTuple):
    """The sink will not take this, however often it is tried."""

    reason: str


Outcome = Sent | Retry | Refused
