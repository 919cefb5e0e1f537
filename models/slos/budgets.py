"""Budgets: bad and total of each instance over its period, and which steps of its policy are reached.

A rolling period is a window of the ledger. A calendar period counts the events whose own time lies in it, exactly, and
begins anew at its boundary.

A step is reached when its share is used, as soon as the budget is at least one event: the first bad run of a month
uses many times its budget, and means nothing. What limits agents or rolls back (bound, rollback) also waits for
evidence that the error rate is that high (`models.slos.evidence`): a new deployment is not bounded for one bad run.
A step is taken once a period; it is let go of when the share used is well below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from models.slos.burn import Budget
from models.slos.evidence import lower_bound
from models.slos.ledger import BAD, TOTAL
from models.slos.period import bounds
from models.slos.spec import Action, Calendar, PolicyStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from models.slos.ledger import Ledger
    from models.slos.spec import Slo

_HYSTERESIS = Fraction(1, 10)
"""A step is let go of when the share used is so far below it."""

_EVIDENT = frozenset({Action.BOUND, Action.ROLLBACK})
_CONFIDENCE = 0.95
_UNTOLD = 0
"""Of a step that is reached again in a period in which it was told of: spent is spent, also for the second time."""
_Key = tuple[int, int, bool]
"""Slot, percent, whether it waits for evidence."""


@dataclass
class _Period:
    """Of a calendar: the period that counts now, Unix seconds, and its events."""

    begin: int
    end: int
    total: int = 0
    bad: int = 0


class Budgets:
    """The budgets of the instances of a table, by slot."""

    def __init__(self) -> None:
        self._slos: list[Slo] = []
        self._has_calendar = False
        self._steps: list[list[PolicyStep]] = []
        self._periods: dict[int, _Period] = {}
        self._reached: dict[_Key, int] = {}  # when that was told, Unix seconds
        self._blocks: dict[_Key, int] = {}  # the period in which it was last taken
        self._turns: dict[_Key, int] = {}  # how often it was taken in that period

    def add(self, slo: Slo) -> None:
        """Keep the budget of one more instance."""
        self._slos.append(slo)
        self._has_calendar = self._has_calendar or isinstance(slo.window, Calendar)
        self._steps.append(steps_of(slo))

    def renew(self, slot: int, slo: Slo) -> None:
        """Keep the budget of another instance in a slot."""
        self.add(slo)
        self._slos[slot], self._steps[slot] = self._slos.pop(), self._steps.pop()
        self._periods.pop(slot, None)
        for kept in (self._reached, self._blocks, self._turns):
            for key in [key for key in kept if key[0] == slot]:
                del kept[key]

    def held(self) -> list[int]:
        """Give the slots of which any step is reached."""
        return sorted({slot for slot, *_ in self._reached})

    def count(self, slots: NDArray[np.int64], seconds: NDArray[np.int64], counts: NDArray[np.int64], now: int) -> None:
        """Count events, [(total, bad), n], for those of a calendar."""
        if not self._has_calendar:
            return
        for slot, second, total, bad in zip(slots.tolist(), seconds.tolist(), *counts.tolist(), strict=True):
            period = self._period(slot, now)
            if period and period.begin <= second < period.end:
                period.total += total
                period.bad += bad

    def of(self, slot: int, ledger: Ledger) -> Budget:
        """Give the budget of an instance as it stands."""
        slo = self._slos[slot]
        period = self._period(slot, ledger.now)
        if period:
            return Budget(period.total, period.bad, slo.target)
        assert not isinstance(slo.window, Calendar)  # noqa: S101 - for the type checker
        counts = ledger.read()[ledger.windows.index(slo.window.seconds), :, slot]
        return Budget(int(counts[TOTAL]), int(counts[BAD]), slo.target)

    def turn(
        self, slot: int, budget: Budget, now: int, *, is_retired: bool = False
    ) -> Iterable[tuple[PolicyStep, bool]]:
        """Give the steps that are reached now (True) and those that are no longer (False).

        Silence is no recovery, until it `is_retired`: then a period without events is nothing spent.
        """
        used, block = budget.used, self.block(slot, now)
        used = Fraction(0) if used is None and is_retired else used
        calendar = isinstance(self._slos[slot].window, Calendar)
        for step in self._steps[slot]:
            key, share = (slot, step.percent, _waits(step)), Fraction(step.percent, 100)
            is_over = calendar and key in self._reached and self._blocks.get(key, block) != block  # its period
            if is_over and self._reached.pop(key) != _UNTOLD:
                yield step, False
            if key not in self._reached and self._is_reached(budget, share, step):
                self._reached[key] = _UNTOLD
            if key in self._reached and used is not None and used < share - _HYSTERESIS:
                if self._reached.pop(key) != _UNTOLD:
                    yield step, False
            elif self._reached.get(key) == _UNTOLD and (block != self._blocks.get(key) or _is_level(step)):
                self._reached[key] = now
                self._take(key, block)
                yield step, True

    def was_taken(self, slot: int, step: PolicyStep, now: int) -> None:
        """Note that a step was taken of which this life has not heard, and is let go of now."""
        self._take((slot, step.percent, _waits(step)), self.block(slot, now))

    def _take(self, key: _Key, block: int) -> None:
        self._turns[key] = self._turns.get(key, 0) + 1 if block == self._blocks.get(key) else 1
        self._blocks[key] = block

    def turn_id(self, slot: int, step: PolicyStep) -> str:
        """Give what tells the times apart that a step was taken, the same after a restart; of one let go of, the last.

        It is the period, and from the second time in it on the number of the time.
        """
        key = slot, step.percent, _waits(step)
        times = self._turns.get(key, 1)
        return f"{self._blocks[key]}{f' {times}' if times > 1 else ''}"

    def _is_reached(self, budget: Budget, share: Fraction, step: PolicyStep) -> bool:
        allowed = (1 - budget.target) * budget.total
        if budget.used is None or allowed < 1 or budget.used < share:
            return False
        rate = float(share * (1 - budget.target))
        return not _waits(step) or lower_bound(budget.bad, budget.total, _CONFIDENCE) > rate

    def holds(self, slot: int, step: PolicyStep) -> bool:
        """Say whether a step is reached: `turn` will let it go."""
        return (slot, step.percent, _waits(step)) in self._reached

    def held_steps(self, slot: int) -> list[PolicyStep]:
        """Give the steps that are reached."""
        return [step for step in self._steps[slot] if self.holds(slot, step)]

    def reached(self, slot: int) -> list[int]:
        """Give the steps, in percent, that are reached."""
        return sorted({percent for at, percent, _ in self._reached if at == slot})

    def _period(self, slot: int, now: int) -> _Period | None:
        window = self._slos[slot].window
        if not isinstance(window, Calendar):
            return None
        period = self._periods.get(slot)
        if period is None or not period.begin <= now < period.end:
            period = self._periods[slot] = _Period(*bounds(window, now))
        return period

    def _is_period(self, slot: int, begin: int, end: int) -> bool:
        """Say whether it is one of the calendar of an instance, which may have been another one."""
        window = self._slos[slot].window
        return isinstance(window, Calendar) and bounds(window, begin) == (begin, end)

    def block(self, slot: int, now: int) -> int:
        """Number the stretch of time around `now` in which a step is taken once."""
        window = self._slos[slot].window
        period = self._period(slot, now)
        if period:
            return period.begin
        assert not isinstance(window, Calendar)  # noqa: S101 - for the type checker
        return now // window.seconds

    def state(self) -> dict[str, Any]:
        """Give what is kept as plain types."""
        return {
            "periods": [[slot, *vars(period).values()] for slot, period in self._periods.items()],
            "reached": [[*key, at] for key, at in self._reached.items()],
            "blocks": [[*key, block] for key, block in self._blocks.items()],
            "turns": [[*key, times] for key, times in self._turns.items()],
        }

    def restore(self, state: Mapping[str, Any], slots: Mapping[int, int]) -> None:
        """Put it back, instead of what is; `slots` gives the slot now of each slot then."""
        own = set(slots.values())
        self._periods = {slot: period for slot, period in self._periods.items() if slot not in own}
        self._reached = {key: at for key, at in self._reached.items() if key[0] not in own}
        for slot, *period in state["periods"]:
            if slot in slots and self._is_period(slots[slot], *period[:2]):
                self._periods[slots[slot]] = _Period(*period)
        steps = {(slot, step.percent, _waits(step)) for slot in own for step in self._steps[slot]}
        turns = state.get("turns", [])  # of a state from before they were counted: none
        for kept, into in ((state["reached"], self._reached), (state["blocks"], self._blocks), (turns, self._turns)):
            found = {(slots[slot], percent, bool(waits)): at for slot, percent, waits, at in kept if slot in slots}
            into.update({key: at for key, at in found.items() if key in steps})

    def set_back(self, ledger: Ledger) -> None:
        """Count again the periods that have not begun yet: the clock was ahead."""
        ahead = [slot for slot, period in self._periods.items() if period.begin > ledger.now]
        for slot in ahead:
            del self._periods[slot]
        self.recount(ahead, ledger)

    def recount(self, slots: Iterable[int], ledger: Ledger) -> None:
        """Count again, by what the ledger holds, the periods of those that now have another calendar, or their first.

        Else a month that is spent would begin anew with the change, and its gate be open.
        """
        for slot in slots:
            period = None if slot in self._periods else self._period(slot, ledger.now)
            if period:
                period.total, period.bad = ledger.since(slot, period.begin)


def steps_of(slo: Slo) -> list[PolicyStep]:
    """Give the steps of its policy, each parted in what is done on the fact and what waits for evidence."""
    return [part for step in slo.policy for part in _parts(step)]


def _waits(step: PolicyStep) -> bool:
    return bool(_EVIDENT & set(step.actions))


def _is_level(step: PolicyStep) -> bool:
    """Say whether a step does nothing but bound agents: that is in force or not, whenever the budget says so."""
    return set(step.actions) == {Action.BOUND}


def _parts(step: PolicyStep) -> list[PolicyStep]:
    """Part a step in what is done on the fact and what waits for evidence."""
    sides = ([a for a in step.actions if a not in _EVIDENT], [a for a in step.actions if a in _EVIDENT])
    return [PolicyStep(step.percent, tuple(actions)) for actions in sides if actions]
