"""Burning: which burn rules of which instances hold now, all of them at once.

A rule opens when its long window burns over its factor, its short one too, and the long one is evidence enough
(`models.slos.evidence`). It stays while both burn, and rests as it is where nothing is known: silence is no recovery.
What has had no event for `RETIRE_S` is taken for retired: its rules end.

A rule that was on lasts until its long window is not over the limit any more, or its short one is evidence of a rate
below it: a few good events in a row are no recovery, and one outage would be told of ten times.

The short window does not end now but at the newest event of the instance: where outcomes are known only minutes later
(an evaluation, a run that hung), a short window up to now would always be empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.slos.burn import limit
from models.slos.evidence import exceeds, falls_short
from models.slos.ledger import BAD, TOTAL
from models.slos.silence import RETIRE_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.slos.ledger import Ledger
    from models.slos.spec import Slo

_FIELDS = np.dtype(
    [
        ("slot", np.int64),
        ("rule", np.int64),  # its number within the SLO
        ("long", np.int64),  # number of the window in the ledger
        ("short", np.int64),  # -1: none
        ("numerator", np.int64),  # of the error ratio that is the limit
        ("denominator", np.int64),
        ("confidence", np.float64),
        ("ticket", np.bool_),
        ("after", np.int64),
        ("since", np.int64),  # Unix second since which it holds; NEVER: it does not
        ("on", np.bool_),
        ("lasting", np.bool_),  # it was on, and nothing has said since that this is over
    ]
)
_FIXED = ("slot", "long", "short", "numerator", "denominator")
NEVER = 2**62
_OVER = 0.95
"""Confidence that a rate is below the limit again: one-sided, of each look."""
_MAX_DENOMINATOR = 10**9
"""Counts up to 4e9 can be compared without overflow."""


class Burning:
    """The burn rules of the instances of a table."""

    def __init__(self) -> None:
        self._rows = np.empty(0, _FIELDS)
        self._columns: dict[str, NDArray[np.int64]] = {}
        """What is asked of every row at every look, each in one piece; empty: there are new rows."""
        self._names: list[str] = []  # of the rule, by row: name, factor and windows

    def add(self, slot: int, slo: Slo, ledger: Ledger) -> None:
        """Look at the rules of one more instance."""
        rows = np.zeros(len(slo.rules), _FIELDS)
        for number, rule in enumerate(slo.rules):
            ratio = limit(rule.factor, slo.target).limit_denominator(_MAX_DENOMINATOR)
            short = -1 if rule.short_s is None else ledger.windows.index(rule.short_s)
            fixed = slot, number, ledger.windows.index(rule.long_s), short, ratio.numerator, ratio.denominator
            rows[number] = (*fixed, rule.confidence, not rule.page, rule.after_s, NEVER, False, False)
        self._rows = np.concatenate([self._rows, rows])
        self._columns = {}
        self._names += [f"{r.name} {r.factor} {r.long_s}/{r.short_s}" for r in slo.rules]

    def look(self, ledger: Ledger, newest: NDArray[np.int64], frozen: NDArray[np.bool_]) -> None:
        """Find what holds; `newest` is the time of the newest event by instance, `frozen` ones stay as they are."""
        slot, long = self._column("slot"), self._column("long")
        total, bad = ledger.read()[long, TOTAL, slot], ledger.read()[long, BAD, slot]
        over = self._over(bad, total)
        known, short_over, below = self._lately(ledger, newest, over)
        held = self._rows["since"] < NEVER
        opening = np.flatnonzero(over & short_over & ~held)
        if len(opening):
            short_over[opening] = self._evident(bad[opening], total[opening], opening)
        holds = np.where(known, over & short_over, over & held)
        resting = frozen[slot] | (total == 0)
        retired = newest[slot] < ledger.now - RETIRE_S
        self._turn(np.where(resting, held, holds) & ~retired, ledger.now)
        lasting = self._rows["lasting"] & (resting | (over & ~below)) & ~retired
        self._rows["lasting"] = lasting | self._rows["on"]

    def _lately(
        self, ledger: Ledger, newest: NDArray[np.int64], over: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """Say of the short window of each rule whether it has events, burns too, is evidence that what lasts is over.

        Only asked of rules whose long window is over; one without a short window goes by the long one alone.
        """
        slot, windows, sums = self._column("slot"), self._column("short"), ledger.read()
        known, short_over, below = np.ones(len(slot), np.bool_), over.copy(), np.zeros(len(slot), np.bool_)
        short = np.flatnonzero(over & (windows >= 0))
        if not len(short):
            return known, short_over, below
        slots = slot[short]
        recent = sums[windows[short], :, slots].T
        stale = np.flatnonzero(newest[slots] < ledger.now - ledger.pane_s)  # for the others it ends now
        if len(stale):
            recent[:, stale] = ledger.around(windows[short[stale]], slots[stale], newest[slots[stale]])
        known[short], short_over[short] = recent[TOTAL] > 0, self._over(recent[BAD], recent[TOTAL], short)
        asked = np.flatnonzero(self._rows["lasting"][short] & ~short_over[short])
        if len(asked):
            rates = self._rates(short[asked])
            below[short[asked]] = falls_short(recent[BAD, asked], recent[TOTAL, asked], rates, _OVER)
        return known, short_over, below

    def set_back(self, now: int) -> None:
        """Let what holds hold since `now` at the latest: the clock was ahead."""
        since = self._rows["since"]
        since[:] = np.where(since < NEVER, np.minimum(since, now), since)

    def renew(self, slot: int, slo: Slo, ledger: Ledger) -> None:
        """Look at the rules of another instance in a slot."""
        stays = self._rows["slot"] != slot
        self._names = [name for name, is_kept in zip(self._names, stays.tolist(), strict=True) if is_kept]
        self._rows = self._rows[stays]
        self.add(slot, slo, ledger)

    def held(self) -> NDArray[np.int64]:
        """Give the slots of which any rule holds, be it not for long enough yet, or lasts."""
        slots: NDArray[np.int64] = self._rows["slot"][(self._rows["since"] < NEVER) | self._rows["lasting"]]
        return slots

    def _column(self, name: str) -> NDArray[np.int64]:
        if not self._columns:
            self._columns = {each: self._rows[each].copy() for each in _FIXED}
        return self._columns[name]

    @property
    def any(self) -> bool:
        """Say whether any rule holds, be it not for long enough yet."""
        return bool((self._rows["since"] < NEVER).any())

    def worst(self, n: int) -> NDArray[np.int64]:
        """Give the first rule that is on of each of n instances, [(pages, tickets), instance]; NEVER: none."""
        first = np.full((2, n), NEVER)
        on = self._rows[self._rows["on"]]
        np.minimum.at(first, (on["ticket"].astype(np.int64), on["slot"]), on["rule"])
        return first

    def lasting(self, n: int) -> NDArray[np.bool_]:
        """Say whether any rule of each of n instances is on, or was and may be still, [(pages, tickets), instance]."""
        found = np.zeros((2, n), np.bool_)
        rows = self._rows[self._rows["lasting"]]
        found[rows["ticket"].astype(np.int64), rows["slot"]] = True
        return found

    def _turn(self, holds: NDArray[np.bool_], now: int) -> None:
        rows = self._rows
        rows["since"] = np.where(holds, np.minimum(rows["since"], now), NEVER)
        rows["on"] = holds & (now - rows["since"] >= rows["after"])

    def _over(
        self, bad: NDArray[np.int64], total: NDArray[np.int64], chosen: NDArray[np.intp] | slice = slice(None)
    ) -> NDArray[np.bool_]:
        numerator, denominator = self._column("numerator")[chosen], self._column("denominator")[chosen]
        over: NDArray[np.bool_] = bad * denominator > numerator * total
        return over

    def _evident(self, bad: NDArray[np.int64], total: NDArray[np.int64], chosen: NDArray[np.intp]) -> NDArray[np.bool_]:
        return exceeds(bad, total, self._rates(chosen), self._rows["confidence"][chosen])

    def _rates(self, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        """Give the error ratios that are the limits."""
        rates: NDArray[np.float64] = self._column("numerator")[chosen] / self._column("denominator")[chosen]
        return rates

    def state(self) -> list[list[Any]]:
        """Give what holds or lasts as plain types: [slot, rule, since, on, what the rule is, lasting]."""
        held = np.flatnonzero((self._rows["since"] < NEVER) | self._rows["lasting"]).tolist()
        fields = ("slot", "rule", "since", "on")
        rows = self._rows
        return [[*(int(rows[of][at]) for of in fields), self._names[at], bool(rows["lasting"][at])] for at in held]

    def restore(self, state: list[list[Any]], slots: Mapping[int, int]) -> None:
        """Put back what held, instead of what holds; `slots` gives the slot now of each slot then."""
        own = np.isin(self._rows["slot"], list(slots.values()))
        self._rows["since"][own], self._rows["on"][own], self._rows["lasting"][own] = NEVER, False, False
        # by name: where rules have changed, another one may have the number
        places = {
            (slot, name): place
            for place, (slot, name) in enumerate(zip(self._rows["slot"].tolist(), self._names, strict=True))
        }
        for slot, _, since, on, name, *lasting in state:
            place = places.get((slots.get(slot, -1), name))
            if place is not None:
                self._rows["since"][place], self._rows["on"][place] = since, bool(on)
                self._rows["lasting"][place] = bool(lasting[0] if lasting else on)  # of an older state: none
