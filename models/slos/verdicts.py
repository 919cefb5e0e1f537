"""Judge: what a look at the table means: which incidents open and resolve, which policy steps are taken."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from models.incidents.book import Facts, Ident
from models.incidents.course import Course
from models.incidents.incident import Severity
from models.slos.burning import NEVER
from models.slos.lanes import Lanes
from models.slos.leftovers import BUDGET, BURN, SLOW_BURN, Leftovers
from models.slos.silence import RETIRE_S, Lag, Silence
from models.slos.spec import Action
from models.slos.steps import bounding, rule_of
from models.slos.words import Speaker
from models.times import in_words, rfc3339

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.slos.instances import Instance
    from models.slos.spec import BurnRule, Slo
    from models.slos.table import Judged, SloTable

_SLOT_BITS = 20
TELL_S = 60
"""Time between two `slo` records of one SLO."""
SILENT, LAG = "telemetry.silent", "telemetry.lag"
_WOKEN = "on-call"
"""Only what this owner is told may be SEV-1: a cost or a quality that is off does not wake people at once."""


class Judge:
    """Looks at one table."""

    def __init__(self, table: SloTable, silent_after_s: int | None = None) -> None:
        self._table = table
        self.silence = Silence(silent_after_s)
        self.told = np.empty(0, np.int64)
        """By slot: when its last `slo` record was told, Unix seconds."""
        self._phase = np.empty(0, np.int64)
        """By slot: the second of the minute in which it is due, so that not all are at once."""
        self._workflow = np.empty(0, np.int64)
        """By slot: the first slot of the same workflow; -1: it is of none."""
        self._firsts: dict[str, int] = {}
        self._lanes = Lanes()
        self._leftovers = Leftovers(table, self._lanes)
        self._was_behind = False

    def look(self, now: int, lag: Lag | None = None) -> Judged:
        """Judge as things stand; what comes `lag` late says little of now."""
        from models.slos.table import Judged  # noqa: PLC0415 - the table knows its judge

        out, table = Judged(), self._table
        silent = self.silence.silent(now)
        frozen = np.zeros(len(table.newest), np.bool_)
        if silent:
            frozen[:] = [instance.workflow in silent for instance in table.instances.known]
        if lag:
            frozen |= lag.is_over
            self._tell_lag(lag, now, out)
        table.burning.look(table.ledger, table.newest, frozen)
        self.grow()
        if not (lag and lag.is_over):  # what was not read yet is not silence
            self._tell_silence(silent, now, out)
        self._tell_burning(now, frozen, out)
        self._leftovers.look(now, out)
        due = self._due(now, is_behind=bool(lag and lag.is_over))
        self.told[due] = now
        for slot in due.tolist():
            self._tell_budget(slot, table.instances.known[slot], now, out)
        return out

    def close(self, now: int) -> Judged:
        """Take all steps of budgets that are reached, and give the `slo` record of every instance."""
        from models.slos.table import Judged  # noqa: PLC0415 - the table knows its judge

        out, self.told[:] = Judged(), now
        for slot, instance in enumerate(self._table.instances.known):
            self._tell_budget(slot, instance, now, out)
        return out

    def _due(self, now: int, *, is_behind: bool) -> NDArray[np.int64]:
        """Give the slots whose record is due; all when a lag is over: what was told meanwhile was half of the truth."""
        caught_up, self._was_behind = self._was_behind and not is_behind, is_behind
        if caught_up:
            return np.arange(len(self.told))
        return np.flatnonzero((now - self._phase) // TELL_S > (self.told - self._phase) // TELL_S)

    def grow(self) -> None:
        """Make room for instances that are new."""
        if len(self.told) == len(self._table.newest):
            return
        new = self._table.instances.keys()[len(self.told) :]
        self.told = np.append(self.told, np.zeros(len(new), np.int64))
        self._phase = np.append(self._phase, [(slo ^ value) % TELL_S for slo, value in new]).astype(np.int64)
        self._lanes.grow(len(self.told))
        firsts = []
        for slot in range(len(self._workflow), len(self.told)):
            workflow = self._table.instances.known[slot].workflow
            firsts.append(self._firsts.setdefault(workflow, slot) if workflow else -1)
        self._workflow = np.append(self._workflow, np.array(firsts, np.int64))

    def renew(self, slot: int, before: str | None) -> None:
        """Take another instance in a slot, in which one of the workflow `before` was."""
        slo, value = self._table.instances.keys()[slot]
        self.told[slot], self._phase[slot] = 0, (slo ^ value) % TELL_S
        self._lanes.clear(slot)
        self._workflow[slot] = -1
        if before is not None and self._firsts.get(before) == slot:
            del self._firsts[before]
            others = np.flatnonzero(self._workflow == slot)
            if len(others):
                self._workflow[others] = self._firsts[before] = int(others[0])
        workflow = self._table.instances.known[slot].workflow
        self._workflow[slot] = self._firsts.setdefault(workflow, slot) if workflow else -1

    def resume(self) -> None:
        """Find which lanes are open, after the book was restored."""
        for slot, instance in enumerate(self._table.instances.known):
            for lane, class_ in enumerate((BURN, SLOW_BURN)):
                book, ident = self._table.book, _ident(class_, instance)
                self._lanes.resume(lane, slot, is_open=book.is_open(ident), is_quiet=book.is_quiet(ident))

    def set_back(self, now: int) -> None:
        """Let no record be told later than `now`: the clock was ahead."""
        self.told = np.minimum(self.told, now)

    def hear(self, seconds: NDArray[np.int64], slots: NDArray[np.int64]) -> None:
        """Note when (Unix seconds) which instances have had events."""
        self.grow()
        workflows = self._workflow[slots]
        known = workflows >= 0
        words = np.unique(seconds[known] << _SLOT_BITS | workflows[known])  # in order of time, each once
        for second, first in zip((words >> _SLOT_BITS).tolist(), (words % (1 << _SLOT_BITS)).tolist(), strict=True):
            self.silence.hear(str(self._table.instances.known[first].workflow), second)

    def _tell_silence(self, silent: dict[str, tuple[int, int]], now: int, out: Judged) -> None:
        book = self._table.book
        for workflow, (last, limit) in silent.items():
            ident = Ident(SILENT, "silence", "workflow", workflow)
            told = book.wrong(ident, Severity.SEV_2, now, partial(_silence, workflow, last, limit, now))
            out.incidents += [told] if told else []
        for ident in book.open_idents():
            if ident.class_ == SILENT and ident.scope not in silent:
                told = book.right(ident, now)
                out.incidents += [told] if told else []

    def _tell_lag(self, lag: Lag, now: int, out: Judged) -> None:
        ident = Ident(LAG, "lag", "product", "flyball")
        if lag.is_over and lag.is_told:
            course = Course(lag.seconds, f"{lag.seconds} s behind")
            told = self._table.book.wrong(ident, Severity.SEV_2, now, partial(_lag, lag), course)
        else:
            told = self._table.book.right(ident, now)
        out.incidents += [told] if told else []

    def _tell_burning(self, now: int, frozen: NDArray[np.bool_], out: Judged) -> None:
        """Hear each lane of each instance, pages and tickets, where it is news: they live their own lives.

        Frozen ones are not told again: that nothing is known of them is an incident by itself.
        """
        table = self._table
        n = len(table.newest)
        worst = table.burning.worst(n)
        on, is_open = worst < NEVER, self._lanes.open
        resting = is_open & ~on & table.burning.lasting(n)
        on[1] &= ~((on[0] | resting[0]) & is_open[0]) | is_open[1]  # no ticket is opened for what someone is paged for
        for lane, slot in self._lanes.news(worst, on, resting, now):
            instance = table.instances.known[slot]
            ident = _ident((BURN, SLOW_BURN)[lane], instance)
            if frozen[slot] and on[lane, slot]:
                continue
            if on[lane, slot]:
                rule = instance.slo.rules[worst[lane, slot]]
                facts, course = partial(self._burning, slot, rule), self._course(slot, rule)
                told = table.book.wrong(ident, _severity(instance.slo, rule), now, facts, course)
            else:
                is_sure = not resting[lane, slot]
                told = table.book.right(ident, now, is_sure=is_sure, course=self._course(slot))
            self._lanes.heard(lane, slot, is_open=table.book.is_open(ident))
            out.incidents += [told] if told else []

    def _course(self, slot: int, rule: BurnRule | None = None) -> Course:
        """Say how the burning of an instance goes on; of one that is over there is no level."""
        speaker, target = self._speaker, self._table.instances.known[slot].slo.target
        burn = speaker.burn(slot, rule.long_s, target) if rule else 0.0
        return Course(burn, f"{burn:.1f} times too fast" if burn else "", partial(speaker.since, slot))

    def _burning(self, slot: int, rule: BurnRule) -> Facts:
        table, instance = self._table, self._table.instances.known[slot]
        return self._speaker.burning(slot, instance, rule, table.budgets.of(slot, table.ledger))

    def _tell_budget(self, slot: int, instance: Instance, now: int, out: Judged) -> None:
        budget = self._table.budgets.of(slot, self._table.ledger)
        used = float(budget.used or 0)
        course = Course(used, f"{used:.0%} used")
        is_retired = bool(self._table.newest[slot] < now - RETIRE_S)
        for step, reached in self._table.budgets.turn(slot, budget, now, is_retired=is_retired):
            ident = Ident(BUDGET, rule_of(instance.slo.name, step), *instance.scope)
            if reached:
                severity = Severity.SEV_2 if step.percent >= 100 else Severity.SEV_3  # noqa: PLR2004 - percent
                facts = partial(self._speaker.spent, instance, step, budget)
                told = self._table.book.wrong(ident, severity, now, facts, course)
            else:
                told = self._table.book.right(ident, now, at_once=True)
            out.incidents += [told] if told else []
            if Action.BOUND in step.actions and instance.reach is not None:
                turn = f"{self._table.budgets.turn_id(slot, step)} {self._table.book.number(ident)}"
                out.verdicts.append(bounding(instance, step, now, turn, reached=reached))
        for step in self._table.budgets.held_steps(slot):
            self._table.book.follow(Ident(BUDGET, rule_of(instance.slo.name, step), *instance.scope), course)
        out.slos.append(self._record(slot, instance))

    def _record(self, slot: int, instance: Instance) -> dict[str, Any]:
        budget = self._table.budgets.of(slot, self._table.ledger)
        return self._speaker.record(slot, instance, budget, self._table.budgets.reached(slot))

    @property
    def _speaker(self) -> Speaker:
        return Speaker(self._table.ledger, self._table.names)


def _severity(slo: Slo, rule: BurnRule) -> Severity:
    """Give SEV-1 to the fastest rule that pages: harm goes on right now; SEV-2 to other pages, SEV-3 to tickets."""
    if not rule.page:
        return Severity.SEV_3
    fastest = min(slo.rules, key=lambda each: each.haste)
    return Severity.SEV_1 if rule == fastest and slo.owner == _WOKEN else Severity.SEV_2


def _ident(class_: str, instance: Instance) -> Ident:
    return Ident(class_, instance.slo.name, *instance.scope)


def _silence(workflow: str, last: int, limit: int, now: int) -> Facts:
    since = rfc3339(last * 1_000_000_000)
    text = f"{workflow} has sent nothing since {in_words(since)}: its alerts rest as they are"
    evidence = {"count": now - last, "limit": limit, "unit": "s", "last_seen": since}
    return Facts(f"{workflow} has gone silent", text, evidence, workflow=workflow)


def _lag(lag: Lag) -> Facts:
    text = f"what is judged now was sent {lag.seconds} s ago: burn alerts rest until Flyball has caught up"
    evidence = {"count": lag.seconds, "limit": lag.limit_s, "unit": "s"}
    return Facts("Flyball is behind its input", text, evidence)
