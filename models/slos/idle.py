"""Idle: the instances of split SLOs of which nothing is left, so that new ones can have their room.

Whoever makes up values (tenants, users, tools) would else fill the table for good, and the next real tenant would never
be watched. Of one with no event in any of its windows and nothing open nothing is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.slos.period import bounds
from models.slos.spec import Calendar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.slos.spec import Slo
    from models.slos.table import SloTable


_PANE_S = 3600
"""A window ends within the pane of this length that it begins in."""


def idle_slots(table: SloTable, busy: NDArray[np.int64], shown_s: int) -> list[int]:
    """Give the slots that are idle, that which is for longest last. Those of `busy` are about to get events.

    `shown_s` is the longest of the windows that metrics show whatever the rules are.
    """
    now, newest = table.ledger.now, table.newest
    counts_from = {slo.name: _counts_from(slo, now, shown_s) for slo in table.slos if slo.split}
    known = table.instances.known
    begin = np.array([counts_from.get(each.slo.name, 0) for each in known[: len(newest)]], np.int64)
    idle = (newest > 0) & (newest < begin)  # 0: it is new, and its events are about to be counted
    idle[busy] = False
    idle[table.burning.held()] = False
    idle[table.budgets.held()] = False
    if not idle.any():
        return []
    told = {(ident.level, ident.scope) for ident in table.book.open_idents()}
    found = [slot for slot in np.flatnonzero(idle).tolist() if known[slot].scope not in told]
    return sorted(found, key=lambda slot: -int(newest[slot]))


def _counts_from(slo: Slo, now: int, shown_s: int) -> int:
    """Give the Unix second before which events are in no window of an SLO."""
    begin = bounds(slo.window, now)[0] if isinstance(slo.window, Calendar) else now - slo.window.seconds
    return min(begin, now - max((*slo.rule_windows, shown_s))) - _PANE_S
