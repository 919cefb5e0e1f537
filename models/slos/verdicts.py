"""Judge: what a look at the table means: which incidents open and resolve, which policy steps are taken."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from models import verdicts
from models.incidents.book import Facts, Ident
from models.incidents.incident import Severity
from models.slos.blame import Blame
from models.slos.budgets import steps_of
from models.slos.burning import NEVER
from models.slos.instances import Instance
from models.slos.lanes import Lanes
from models.slos.silence import Lag, Silence
from models.slos.spec import Action
from models.slos.words import Speaker
from models.times import in_words, rfc3339

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.incidents.incident import Incident
    from models.slos.spec import BurnRule, PolicyStep, Slo
    from models.slos.table import Judged, SloTable

_NANO = 1_000_000_000
_SLOT_BITS = 20
TELL_S = 60
"""Time between two `slo` records of one SLO."""
BURN, SLOW_BURN, BUDGET = "slo.burn", "slo.slow_burn", "slo.budget"
SILENT, LAG = "telemetry.silent", "telemetry.lag"
_REACHED = frozenset({"workflow", "tenant", "product"})
"""Levels of scopes of objectives that signals know, too."""
_GONE = "ended by a change of the configuration, not by recovery"
"""Said of what was open of an objective or step that is gone, or counts something else: it may be as bad as before."""
_NO_MORE, _BACK = "its objective is no more what it was", "budget is back"
_WOKEN = "on-call"
"""Only what this owner is told may be SEV-1: a cost or a quality that is off does not wake people at once."""


class Judge:
    """Looks at one table."""

    def __init__(self, table: SloTable, silent_after_s: int | None = None) -> None:
        self._table = table
        self._steps = {_step_rule(slo.name, step): (slo.name, step) for slo in table.slos for step in steps_of(slo)}
        self.silence = Silence(silent_after_s)
        self.told = np.empty(0, np.int64)
        """By slot: when its last `slo` record was told, Unix seconds."""
        self._phase = np.empty(0, np.int64)
        """By slot: the second of the minute in which it is due, so that not all are at once."""
        self._workflow = np.empty(0, np.int64)
        """By slot: the first slot of the same workflow; -1: it is of none."""
        self._firsts: dict[str, int] = {}
        self._lanes = Lanes()
        self._restarted = True
        """What an earlier life has told may be in the book, whether or not anything else is left of that life."""
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
        self._tell_gone(now, out)
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

    def resume(self) -> None:
        """Find which lanes are open, after the book was restored."""
        self._restarted = True
        for slot, instance in enumerate(self._table.instances.known):
            for lane, class_ in enumerate((BURN, SLOW_BURN)):
                book, ident = self._table.book, _ident(class_, instance)
                self._lanes.resume(lane, slot, is_open=book.is_open(ident), is_quiet=book.is_quiet(ident))

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
            told = self._table.book.wrong(ident, Severity.SEV_2, now, partial(_lag, lag))
        else:
            told = self._table.book.right(ident, now)
        out.incidents += [told] if told else []

    def _tell_burning(self, now: int, frozen: NDArray[np.bool_], out: Judged) -> None:
        """Hear each lane of each instance, pages and tickets, where it is news: they live their own lives.

        Frozen ones are not told again: that nothing is known of them is an incident by itself.
        """
        table = self._table
        worst = table.burning.worst(len(table.newest))
        on, page_open = worst < NEVER, self._lanes.open[0]
        on[1] &= ~(on[0] & page_open) | self._lanes.open[1]  # no ticket is opened for what someone is paged for
        for lane, slot in self._lanes.news(worst, on, now):
            instance = table.instances.known[slot]
            ident = _ident((BURN, SLOW_BURN)[lane], instance)
            if frozen[slot] and on[lane, slot]:
                continue
            if on[lane, slot]:
                rule = instance.slo.rules[worst[lane, slot]]
                told = table.book.wrong(ident, _severity(instance.slo, rule), now, partial(self._burning, slot, rule))
            else:
                told = table.book.right(ident, now)
            self._lanes.heard(lane, slot, is_open=table.book.is_open(ident))
            out.incidents += [told] if told else []

    def _tell_gone(self, now: int, out: Judged) -> None:
        """After a restart: end what was told and is no more, or that nothing else will end.

        What was told after the last snapshot waits until its events are read again. It is heard to be right meanwhile:
        should they never come, or be right when they are read with all that came since, it ends as anything else does.
        """
        if not self._restarted:
            return
        self._restarted = False
        there = {(each.slo.name, *each.scope): slot for slot, each in enumerate(self._table.instances.known)}
        for ident in self._table.book.open_idents():
            if ident.class_ not in (BURN, SLOW_BURN, BUDGET):
                continue
            name = self._steps[ident.rule][0] if ident.rule in self._steps else ident.rule
            slot = there.get((name, ident.level, ident.scope))
            is_gone = name in self._table.anew or (slot is None and not self._may_come(name, ident))
            if not is_gone and slot is not None and self._is_held(slot, ident):
                continue
            told = self._table.book.right(ident, now, at_once=is_gone, why=_GONE if is_gone else "")
            self._restarted |= told is None
            out.incidents += [told] if told else []
            if told and Action.BOUND in ident.rule.split() and ident.level in _REACHED:
                out.verdicts.append(_cleared(ident, told, now, _NO_MORE if is_gone else _BACK))
        self._table.anew.clear()

    def _may_come(self, name: str, ident: Ident) -> bool:
        """Say whether an objective that is what it was can have an instance of this scope."""
        slo = next((slo for slo in self._table.slos if slo.name == name), None)
        if slo is None:
            return False
        return Instance(slo, ident.scope if slo.split else None, Blame()).scope == (ident.level, ident.scope)

    def _is_held(self, slot: int, ident: Ident) -> bool:
        """Say whether who opened an incident knows of it and will end it; a lane that does not is told."""
        if ident.class_ == BUDGET:
            return self._table.budgets.holds(slot, self._steps[ident.rule][1])
        lane = int(ident.class_ == SLOW_BURN)
        if not self._lanes.open[lane, slot]:
            self._lanes.resume(lane, slot, is_open=True, is_quiet=True)
        return True

    def _burning(self, slot: int, rule: BurnRule) -> Facts:
        table, instance = self._table, self._table.instances.known[slot]
        return self._speaker.burning(slot, instance, rule, table.budgets.of(slot, table.ledger))

    def _tell_budget(self, slot: int, instance: Instance, now: int, out: Judged) -> None:
        budget = self._table.budgets.of(slot, self._table.ledger)
        for step, reached in self._table.budgets.turn(slot, budget, now):
            if Action.BOUND in step.actions and instance.reach is not None:
                turn = self._table.budgets.turn_id(slot, step)
                out.verdicts.append(_verdict(instance, step, now, turn, reached=reached))
            ident = Ident(BUDGET, _step_rule(instance.slo.name, step), *instance.scope)
            if reached:
                severity = Severity.SEV_2 if step.percent >= 100 else Severity.SEV_3  # noqa: PLR2004 - percent
                facts = partial(self._speaker.spent, instance, step, budget)
                told = self._table.book.wrong(ident, severity, now, facts)
            else:
                told = self._table.book.right(ident, now, at_once=True)
            out.incidents += [told] if told else []
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


def _step_rule(slo: str, step: PolicyStep) -> str:
    return f"{slo} {step.percent}% {' '.join(step.actions)}"


def _bound_rule(slo: str, percent: int) -> str:
    """Name the rule of a verdict: of two objectives of one workflow each lets go of what it has bound itself."""
    return f"slo.budget.{slo}.{percent}"


def _silence(workflow: str, last: int, limit: int, now: int) -> Facts:
    since = rfc3339(last * 1_000_000_000)
    text = f"{workflow} has sent nothing since {in_words(since)}: its alerts rest as they are"
    evidence = {"count": now - last, "limit": limit, "unit": "s", "last_seen": since}
    return Facts(f"{workflow} has gone silent", text, evidence, workflow=workflow)


def _lag(lag: Lag) -> Facts:
    text = f"what is judged now was sent {lag.seconds} s ago: burn alerts rest until Flyball has caught up"
    evidence = {"count": lag.seconds, "limit": lag.limit_s, "unit": "s"}
    return Facts("Flyball is behind its input", text, evidence)


def _verdict(instance: Instance, step: PolicyStep, now: int, turn: str, *, reached: bool) -> dict[str, Any]:
    """Give the verdict that bounds the autonomy of what the SLO is about, or lets it go again.

    `turn` numbers the times that it was taken: told again after a crash it is the same verdict.
    """
    level, scope = instance.reach or instance.scope
    of = {"tenant": instance.tenant} if level == "workflow" and instance.tenant else {}
    action = verdicts.Action.BOUND if reached else verdicts.Action.CLEAR
    return verdicts.Verdict(
        id=verdicts.verdict_id(instance.name, str(step.percent), action, turn),
        at_ns=now * _NANO,
        level=level,
        scope=scope,
        action=action,
        rule=_bound_rule(instance.slo.name, step.percent),
        reason=f"{instance.name} has used {step.percent} % of its error budget" if reached else _BACK,
        evidence={"count": step.percent, "limit": step.percent, "slo": instance.name} | of,
        generation=now,
    ).record()


def _cleared(ident: Ident, told: Incident, now: int, reason: str) -> dict[str, Any]:
    """Give the verdict that lets go of what a step bound that is no more, by the end of its incident."""
    of = {"tenant": told.tenant} if ident.level == "workflow" and told.tenant else {}
    name, percent = ident.rule.partition("% ")[0].rsplit(maxsplit=1)
    return verdicts.Verdict(
        id=verdicts.verdict_id(told.key, "clear"),
        at_ns=now * _NANO,
        level=ident.level,
        scope="*" if ident.level == "product" else ident.scope,
        action=verdicts.Action.CLEAR,
        rule=_bound_rule(name, int(percent)),
        reason=reason,
        evidence={"count": 0, "limit": int(percent), "slo": name} | of,
        generation=now,
    ).record()
