"""Leftovers: what earlier lives of a shard have told and nothing in this one would end.

Of an objective or a step that is no more what it was, it ends at once. What was told after the last snapshot waits
until its events are read again. It is heard to be right meanwhile: should they never come, or be right when they are
read with all that came since, it ends as anything else does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.slos.blame import Blame
from models.slos.budgets import steps_of
from models.slos.instances import Instance
from models.slos.steps import BACK, NO_MORE, letting_go, rule_of

if TYPE_CHECKING:
    from models.incidents.book import Ident
    from models.slos.lanes import Lanes
    from models.slos.table import Judged, SloTable

BURN, SLOW_BURN, BUDGET = "slo.burn", "slo.slow_burn", "slo.budget"
_GONE = "ended by a change of the configuration, not by recovery"
"""Said of what was open of an objective or step that is gone, or counts something else: it may be as bad as before."""


class Leftovers:
    """Those of one table: what is in its book may be all that is left of an earlier life."""

    def __init__(self, table: SloTable, lanes: Lanes) -> None:
        self._table, self._lanes = table, lanes
        self._steps = {rule_of(slo.name, step): (slo.name, step) for slo in table.slos for step in steps_of(slo)}
        self._are_sorted = False

    def look(self, now: int, out: Judged) -> None:
        """End what is over as of `now`, Unix seconds; does nothing once all that is open has somebody to end it."""
        if self._are_sorted:
            return
        self._are_sorted = True
        there = {(each.slo.name, *each.scope): slot for slot, each in enumerate(self._table.instances.known)}
        for ident in self._table.book.open_idents():
            if ident.class_ in (BURN, SLOW_BURN, BUDGET):
                name = self._steps[ident.rule][0] if ident.rule in self._steps else ident.rule
                self._sort(ident, name, there.get((name, ident.level, ident.scope)), now, out)
        self._table.anew.clear()

    def _sort(self, ident: Ident, name: str, slot: int | None, now: int, out: Judged) -> None:
        """Find who ends an incident of the objective `name`, the one in `slot`; end it where nobody does."""
        is_gone = name in self._table.anew or (slot is None and not self._may_come(name, ident))
        if not is_gone and slot is not None and self._is_held(slot, ident):
            return
        told = self._table.book.right(ident, now, at_once=is_gone, why=_GONE if is_gone else "")
        if told is None:
            self._are_sorted = False
            return
        out.incidents.append(told)
        if ident.class_ == BUDGET and slot is not None and not is_gone:
            self._table.budgets.was_taken(slot, self._steps[ident.rule][1], now)
        verdict = letting_go(ident, told, now, NO_MORE if is_gone else BACK)
        out.verdicts += [verdict] if verdict else []

    def _may_come(self, name: str, ident: Ident) -> bool:
        """Say whether an objective that is what it was can have an instance of this scope."""
        slo = next((slo for slo in self._table.slos if slo.name == name), None)
        if slo is None:
            return False
        return Instance(slo, ident.scope if slo.split else None, Blame()).scope == (ident.level, ident.scope)

    def _is_held(self, slot: int, ident: Ident) -> bool:
        """Say whether who opens such incidents knows of this one and will end it; a lane that does not is told."""
        if ident.class_ == BUDGET:
            return self._table.budgets.holds(slot, self._steps[ident.rule][1])
        lane = int(ident.class_ == SLOW_BURN)
        if not self._lanes.open[lane, slot]:
            self._lanes.resume(lane, slot, is_open=True, is_quiet=True)
        return True
